/** The other ways to run the model, as links: `?backend=` and `?variant=` force a choice. */

import { make } from "./dom.js";
import { formatBytes, nameBackend } from "./format.js";

/** @type {("webgpu" | "wasm")[]} */
const BACKENDS = ["webgpu", "wasm"];

/**
 * @param {{backend?: string, variant?: string}} choice empty for the page's own choice
 * @returns {string} this page's address with that choice
 */
export function addressOf(choice) {
  const query = new URLSearchParams(Object.entries(choice)).toString();
  return location.pathname + (query ? `?${query}` : "");
}

/** @returns {boolean} whether the address forces a backend or a variant */
export function isForced() {
  const query = new URLSearchParams(location.search);
  return query.has("backend") || query.has("variant");
}

/**
 * @param {string} [className]
 * @returns {HTMLElement} the way back from a forced choice
 */
export function makeWayBack(className = "") {
  return make("a", { class: className, href: addressOf({}) }, "Let the page choose");
}

/**
 * @param {import("./shell.js").Manifest} manifest
 * @param {{backend: string, variant: string} | null} current what runs now
 * @returns {HTMLElement}
 */
export function drawChoices(manifest, current) {
  const rows = manifest.variants.map((variant) => {
    const cells = BACKENDS.map((backend) => {
      if (!variant.backends.includes(backend)) return make("td", {}, make("span", { class: "choice-none" }, "not here"));
      const here = current?.backend === backend && current.variant === variant.name;
      const attributes = {
        href: addressOf({ backend, variant: variant.name }),
        "aria-label": `Run variant ${variant.name} on ${nameBackend(backend)}`,
        "aria-current": here && "true",
      };
      return make("td", {}, make("a", attributes, nameBackend(backend)));
    });
    const name = make("th", { scope: "row", class: "number" }, variant.name);
    return make("tr", {}, name, make("td", { class: "number" }, formatBytes(variant.download_bytes)), ...cells);
  });
  const table = make("table", { class: "choices" }, make("tbody", {}, ...rows));
  return make("div", {}, table, ...(isForced() ? [make("p", {}, makeWayBack())] : []));
}
