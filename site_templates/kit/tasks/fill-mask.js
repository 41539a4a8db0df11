/**
 * Task `fill-mask`: texts with gaps in, what could stand in each gap out. A gap is the tokenizer's mask token.
 *
 * @typedef {import("../types.js").Tensors} Tensors
 * @typedef {import("../tensors.js").Tensor} Tensor
 * @typedef {import("../task.js").TaskContext} TaskContext
 * @typedef {import("../text/row-encoder.js").Row} Row
 * @typedef {{score: number, token: number, token_str: string, sequence: string}} Fill
 * @typedef {{text: string[], top_k?: number, ask?: Tensor}} Gaps  `ask` are the tokens that the golden compares
 */

import { KitError } from "../errors.js";
import { needRowEncoder } from "../text/row-encoder.js";
import { checkTexts } from "../text/run-rows.js";
import { countElements, fromNumbers, toFloat32 } from "../tensors.js";

const defaultCount = 5;

/**
 * @param {Gaps} input
 * @param {TaskContext} context
 * @returns {Row[]}
 */
export function encodeRows(input, context) {
  const encoder = needRowEncoder(context);
  const { mask_id: maskId, mask_token: maskToken } = context.manifest.settings;
  checkCount(input?.top_k ?? defaultCount);
  return checkTexts(input?.text, "The text").map((text, index) => {
    const row = encoder.encode(text);
    const masks = row.ids.flatMap((id, place) => (id === maskId ? [place] : []));
    if (masks.length) return { ...row, masks };
    const where = text.includes(maskToken) ? `none within the ${row.ids.length} tokens that the model reads` : "none";
    throw new KitError("bad-input", `Text ${index + 1} needs a gap, written ${maskToken}; it has ${where}.`);
  });
}

/**
 * @param {number} count
 */
function checkCount(count) {
  if (Number.isInteger(count) && count > 0) return;
  throw new KitError("bad-input", `top_k must be a whole number above 0, not ${count}.`);
}

/**
 * @param {Tensors[]} outputs
 * @param {TaskContext} context
 * @param {Gaps} input
 * @param {Row[]} rows
 * @returns {{outputs: Tensors, fills: Fill[][][]}} by text, by gap, best first
 */
export function answer(outputs, context, { top_k: count = defaultCount, ask }, rows) {
  const gaps = outputs.map(({ probabilities }) => splitGaps(probabilities));
  const fills = gaps.map((each, text) =>
    each.map((probabilities, gap) =>
      findBest(probabilities, count).map((token) => describeFill(token, probabilities[token], rows[text], gap, context)),
    ),
  );
  return { outputs: { probabilities: pickAsked(gaps.flat(), ask ?? listShown(fills)) }, fills };
}

/**
 * @param {Tensor} probabilities  [gaps, vocabulary]
 * @returns {Float32Array[]}
 */
function splitGaps(probabilities) {
  const [count, width] = probabilities.shape;
  const values = toFloat32(probabilities);
  return Array.from({ length: count }, (_, gap) => values.subarray(gap * width, (gap + 1) * width));
}

/**
 * @param {Float32Array} probabilities
 * @param {number} count
 * @returns {number[]} token ids, best first
 */
function findBest(probabilities, count) {
  const order = Uint32Array.from(probabilities, (_, token) => token);
  return Array.from(order.sort((left, right) => probabilities[right] - probabilities[left] || left - right).subarray(0, count));
}

/**
 * @param {number} token
 * @param {number} score
 * @param {Row} row
 * @param {number} gap
 * @param {TaskContext} context
 * @returns {Fill}
 */
function describeFill(token, score, { ids, masks = [] }, gap, { tokenizer, manifest }) {
  const { pad_id: padId } = manifest.settings;
  const filled = ids.map((id, place) => (place === masks[gap] ? token : id)).filter((id) => id !== padId);
  // With several gaps the special tokens stay, or the other gaps would not be seen.
  const sequence = filled.length ? tokenizer?.decode(filled, { skip_special_tokens: masks.length === 1 }) : "";
  return { score, token, token_str: tokenizer?.decode([token]) ?? "", sequence: sequence ?? "" };
}

/**
 * @param {Fill[][][]} fills
 * @returns {Tensor} the tokens that are shown: the whole vocabulary would be megabytes for every gap
 */
function listShown(fills) {
  const gaps = fills.flat();
  const tokens = gaps.flatMap((each) => each.map(({ token }) => token));
  return fromNumbers("int32", [gaps.length, tokens.length / gaps.length], tokens);
}

/**
 * @param {Float32Array[]} gaps
 * @param {Tensor} ask  int32 [gaps, tokens]
 * @returns {Tensor}
 */
function pickAsked(gaps, ask) {
  const data = new Float32Array(countElements(ask.shape));
  data.forEach((_, index) => (data[index] = gaps[Math.floor(index / ask.shape[1])][Number(ask.data[index])]));
  return { dtype: "float32", shape: ask.shape, data };
}
