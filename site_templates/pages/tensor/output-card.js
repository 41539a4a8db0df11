/** One output of a run: shape, statistics, first numbers, a picture where it makes sense, and ways to take it along. */

import { make, makeFacts } from "./kit/ui/dom.js";
import { formatCount, formatNumber } from "./kit/ui/format.js";
import { makeCardHead } from "./card.js";
import { drawTensor } from "./picture.js";
import { formatShape } from "./shapes.js";
import { encodeJson, findLargestDifference, formatFirst, measureTensor } from "./statistics.js";

const SHOWN_FIRST = 12;
const WORDS_AFTER_MS = 1600;

/** @typedef {import("./kit/tensors.js").Tensor} Tensor */

/**
 * @param {string} name
 * @param {Tensor} tensor
 * @param {Tensor | undefined} expected what the original model gave, when the inputs were a golden sample's
 * @returns {Promise<HTMLElement>}
 */
export async function makeOutputCard(name, tensor, expected) {
  const statistics = await measureTensor(tensor);
  const isScalar = tensor.data.length === 1;
  const count = formatCount(tensor.data.length, "number");
  const picture = drawTensor(tensor, statistics);
  const card = make(
    "section",
    { class: "card output", "aria-label": `Output ${name}` },
    makeCardHead(name, tensor.dtype),
    make("p", { class: "output-shape number" }, formatShape(tensor.shape), make("span", { class: "quiet" }, count)),
  );
  if (expected) card.append(await makeProof(tensor, expected));
  if (isScalar) card.append(make("p", { class: "scalar number" }, formatFirst(tensor, 1)));
  else if (tensor.data.length > 0) card.append(makeFacts("statistics", listStatistics(statistics)));
  if (!isScalar) card.append(make("p", { class: "preview number" }, formatFirst(tensor, SHOWN_FIRST)));
  if (picture) {
    picture.setAttribute("role", "img");
    picture.setAttribute("aria-label", `Picture of ${name}`);
    const range = `black ${formatNumber(statistics.min)}, white ${formatNumber(statistics.max)}`;
    card.append(make("figure", { class: "picture" }, picture, make("figcaption", { class: "quiet" }, range)));
  }
  card.append(makeActions(name, tensor));
  return card;
}

/**
 * @param {import("./statistics.js").Statistics} statistics
 * @returns {[string, string | Node][]}
 */
function listStatistics({ min, max, mean, deviation, nanCount, count }) {
  const none = nanCount === count;
  const nan = make("span", { class: nanCount > 0 ? "problem" : "" }, String(nanCount));
  return [
    ["min", none ? "–" : formatNumber(min)],
    ["max", none ? "–" : formatNumber(max)],
    ["mean", formatNumber(mean)],
    ["std", formatNumber(deviation)],
    ["NaN", nan],
  ];
}

/**
 * @param {Tensor} tensor
 * @param {Tensor} expected
 * @returns {Promise<HTMLElement>}
 */
async function makeProof(tensor, expected) {
  const difference = await findLargestDifference(tensor, expected);
  const words = Number.isFinite(difference)
    ? `Largest difference from the original model: ${formatNumber(difference)}`
    : "Not comparable with the original model's answer: shape or NaN differ";
  return make("p", { class: Number.isFinite(difference) ? "proof" : "problem" }, words);
}

/**
 * @param {string} name
 * @param {Tensor} tensor
 * @returns {HTMLElement}
 */
function makeActions(name, tensor) {
  const copy = make("button", { type: "button", class: "button button-quiet" }, "Copy JSON");
  copy.addEventListener("click", async () => {
    try {
      await navigator.clipboard.writeText(encodeJson(name, tensor));
      copy.textContent = "Copied";
    } catch {
      copy.textContent = "The browser refused; download it instead";
    }
    setTimeout(() => (copy.textContent = "Copy JSON"), WORDS_AFTER_MS);
  });
  const download = make("button", { type: "button", class: "button button-quiet" }, "Download JSON");
  download.addEventListener("click", () => {
    const address = URL.createObjectURL(new Blob([encodeJson(name, tensor)], { type: "application/json" }));
    make("a", { href: address, download: `${name.replace(/[^\w.-]+/g, "_")}.json` }).click();
    setTimeout(() => URL.revokeObjectURL(address));
  });
  return make("p", { class: "output-actions" }, copy, download);
}
