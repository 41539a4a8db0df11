/**
 * How much of a prompt a GPU may read at once. With subgroups, ONNX Runtime's attention takes another kernel from 32
 * tokens on, and that one has given wrong numbers (see narrow-subgroups.js), in some releases on other hardware too. So
 * it is tried: the same tokens at once and in short parts must come to the same.
 *
 * @typedef {import("./token-cache.js").Decoder} Decoder
 */

import { longestPart } from "./token-cache.js";

/** Below the other kernel's reach. */
export const shortPart = 31;
const trialTokens = 64;
/** Wrong kernels are off by about 1, float16 by about 0.01. */
const allowedDifference = 0.1;

/**
 * @param {Decoder} decoder  with nothing in its cache
 * @param {{vocabulary: number, contextLength: number, hasSubgroups: boolean}} facts
 * @returns {Promise<number>} tokens
 */
export async function findPartLength(decoder, { vocabulary, contextLength, hasSubgroups }) {
  if (!hasSubgroups) return longestPart;
  const count = Math.min(trialTokens, contextLength);
  const ids = Array.from({ length: count }, (_, index) => (index * 7919 + 13) % vocabulary);
  decoder.resize(count, 0);
  await decoder.run(ids, 0);
  const whole = Float32Array.from(await decoder.readLogits());
  for (let start = 0; start < count; start += shortPart) {
    await decoder.run(ids.slice(start, start + shortPart), start);
  }
  return measureDifference(whole, await decoder.readLogits()) <= allowedDifference ? longestPart : shortPart;
}

/**
 * @param {Float32Array} given
 * @param {Float32Array} wanted
 * @returns {number} the difference's length over that of `wanted`; NaN where there is one
 */
function measureDifference(given, wanted) {
  let [difference, size] = [0, 0];
  for (let index = 0; index < wanted.length; index++) {
    difference += (given[index] - wanted[index]) ** 2;
    size += wanted[index] ** 2;
  }
  return Math.sqrt(difference / Math.max(size, Number.MIN_VALUE));
}
