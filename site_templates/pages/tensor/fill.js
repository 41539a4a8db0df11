/** Tensors made up on the spot: seeded random numbers, zeros, ones. */

import { countElements, fromNumbers } from "./kit/tensors.js";

/** What random numbers look like, by dtype; everything else gets whole numbers that are small enough to be indices. */
const RANDOM_BELOW = 10;

/**
 * @param {string} dtype
 * @returns {string} what `fillRandom` gives
 */
export function describeRandom(dtype) {
  if (dtype.startsWith("float")) return "uniform from 0 to 1";
  if (dtype === "bool") return "true or false";
  return dtype === "uint8" ? "whole, 0 to 255" : `whole, 0 to ${RANDOM_BELOW - 1}`;
}

/**
 * @param {string} dtype
 * @param {number[]} shape
 * @param {number} seed the same seed gives the same tensor, in every browser
 * @returns {import("./kit/tensors.js").Tensor}
 */
export function fillRandom(dtype, shape, seed) {
  const next = startRandom(seed);
  const values = new Float64Array(countElements(shape));
  const below = dtype === "bool" ? 2 : dtype === "uint8" ? 256 : RANDOM_BELOW;
  const isFloat = dtype.startsWith("float");
  for (let index = 0; index < values.length; index += 1) values[index] = isFloat ? next() : Math.floor(next() * below);
  return fromNumbers(dtype, shape, values);
}

/**
 * @param {string} dtype
 * @param {number[]} shape
 * @param {number} value
 * @returns {import("./kit/tensors.js").Tensor}
 */
export function fillWith(dtype, shape, value) {
  return fromNumbers(dtype, shape, new Float64Array(countElements(shape)).fill(value));
}

/**
 * A Weyl sequence with a mixing step: small, fast, and good enough to fill a tensor.
 *
 * @param {number} seed
 * @returns {() => number} the next number, from 0 up to 1
 */
function startRandom(seed) {
  let state = Math.trunc(seed) >>> 0;
  return () => {
    state = (state + 0x9e3779b9) >>> 0;
    let mixed = state ^ (state >>> 16);
    mixed = Math.imul(mixed, 0x21f0aaad);
    mixed ^= mixed >>> 15;
    mixed = Math.imul(mixed, 0x735a2d97);
    mixed ^= mixed >>> 15;
    return (mixed >>> 0) / 0x100000000;
  };
}
