/** The samples a page offers: thumbnails to press. */

import { find, make } from "./kit/ui/dom.js";

/**
 * @param {{path: string, label: string}[]} samples
 * @param {(image: HTMLImageElement, label: string) => void} onChoose
 */
export function offerSamples(samples, onChoose) {
  if (samples.length === 0) return;
  find("#samples-part", HTMLElement).hidden = false;
  const entries = samples.map(({ path, label }) => {
    const image = make("img", { src: `./${path}`, alt: "", width: 56, height: 56, decoding: "async" });
    const button = make("button", { type: "button", class: "sample", "aria-label": `Sample: ${label}`, title: label }, image);
    button.addEventListener("click", async () => {
      await image.decode();
      onChoose(image, label);
    });
    return make("li", {}, button);
  });
  find("#samples", HTMLUListElement).replaceChildren(...entries);
}
