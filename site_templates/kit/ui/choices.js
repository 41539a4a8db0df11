/** The variants: how each was made, and links that run it: `?backend=` and `?variant=` force a choice. */

import { make } from "./dom.js";
import { formatBytes, formatShare, nameBackend } from "./format.js";

/** @type {("webgpu" | "wasm")[]} */
const BACKENDS = ["webgpu", "wasm"];

/** In the words of the build's own table. */
const TEXT_FIGURES = ["KL on text", "Top-1", "Perplexity"];

/** @typedef {import("../types.js").Parity} Parity */

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
  const figures = manifest.variants.some(({ parity }) => hasFigures(parity)) ? TEXT_FIGURES : [];
  const captions = ["Parity", ...figures, "Method"];
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
    const { parity } = variant;
    const words = [describeParity(parity), ...(figures.length > 0 ? describeFigures(parity) : []), parity.method || "-"];
    const made = words.map((each, index) => make("td", { class: "choice-made", "data-label": captions[index], "data-none": each === "-" }, each));
    return make("tr", {}, name, make("td", { class: "number" }, formatBytes(variant.download_bytes)), ...made, ...cells);
  });
  const heads = ["Variant", "Download", ...captions].map((caption) => make("th", { scope: "col" }, caption));
  const head = make("thead", {}, make("tr", {}, ...heads, make("th", { scope: "colgroup", colspan: BACKENDS.length }, "Run it on")));
  const table = make("table", { class: "choices" }, head, make("tbody", {}, ...rows));
  return make("div", {}, table, ...(isForced() ? [make("p", {}, makeWayBack())] : []));
}

/** @param {Parity} parity @returns {string} */
export function describeParity({ metric, value, threshold }) {
  return `${metric.replaceAll("_", " ")} ${roundValue(value)} (at most ${threshold})`;
}

/** @param {Parity} parity @returns {boolean} */
function hasFigures({ details = {} }) {
  return Object.keys(details).length > 0;
}

/** @param {Parity} parity @returns {string[]} one for each of `TEXT_FIGURES` */
function describeFigures(parity) {
  if (!hasFigures(parity)) return TEXT_FIGURES.map(() => "-");
  const { kl_divergence, largest_kl_divergence, top1_agreement, least_top1_agreement, perplexity_ratio } = parity.details ?? {};
  return [
    `${roundValue(kl_divergence)} of ${largest_kl_divergence}`,
    `${formatShare(top1_agreement)} (at least ${Math.round(100 * least_top1_agreement)} %)`,
    `x${perplexity_ratio.toFixed(3)}`,
  ];
}

/** @param {number} value @returns {string} two digits that count */
function roundValue(value) {
  return String(Number(value.toPrecision(2)));
}
