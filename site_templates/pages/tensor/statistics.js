/** What can be said about a tensor without looking at every number of it. */

import { halfToFloat } from "./kit/float16.js";
import { formatNumber } from "./kit/ui/format.js";

/** Numbers looked at before the page gets a turn, so that a large output does not freeze it. */
const SLICE = 1 << 18;

/** @typedef {import("./kit/tensors.js").Tensor} Tensor */
/** @typedef {{min: number, max: number, mean: number, deviation: number, nanCount: number, count: number}} Statistics */

/**
 * @param {Tensor} tensor
 * @returns {(index: number) => number} its numbers as JavaScript's
 */
export function readerOf({ dtype, data }) {
  if (dtype === "float16") return (index) => halfToFloat(Number(data[index]));
  return (index) => Number(data[index]);
}

/**
 * Mean and standard deviation by Welford's running update; NaN and infinities are left out of them.
 *
 * @param {Tensor} tensor
 * @returns {Promise<Statistics>}
 */
export async function measureTensor(tensor) {
  const read = readerOf(tensor);
  const statistics = { min: Infinity, max: -Infinity, mean: 0, deviation: 0, nanCount: 0, count: tensor.data.length };
  let finite = 0;
  let squares = 0;
  for (let index = 0; index < tensor.data.length; index += 1) {
    if (index > 0 && index % SLICE === 0) await new Promise((resume) => setTimeout(resume));
    const value = read(index);
    if (Number.isNaN(value)) {
      statistics.nanCount += 1;
      continue;
    }
    statistics.min = Math.min(statistics.min, value);
    statistics.max = Math.max(statistics.max, value);
    if (!Number.isFinite(value)) continue;
    finite += 1;
    const step = value - statistics.mean;
    statistics.mean += step / finite;
    squares += step * (value - statistics.mean);
  }
  statistics.deviation = finite > 0 ? Math.sqrt(squares / finite) : NaN;
  if (finite === 0) statistics.mean = NaN;
  return statistics;
}

/**
 * @param {Tensor} one
 * @param {Tensor} other
 * @returns {Promise<number>} largest difference; infinite where the shapes differ or only one is NaN
 */
export async function findLargestDifference(one, other) {
  if (one.shape.join() !== other.shape.join()) return Infinity;
  const a = readerOf(one);
  const b = readerOf(other);
  let largest = 0;
  for (let index = 0; index < one.data.length; index += 1) {
    if (index > 0 && index % SLICE === 0) await new Promise((resume) => setTimeout(resume));
    if (Object.is(a(index), b(index)) || a(index) === b(index)) continue;
    const difference = Math.abs(a(index) - b(index));
    if (Number.isNaN(difference)) return Infinity;
    largest = Math.max(largest, difference);
  }
  return largest;
}

/**
 * @param {Tensor} tensor
 * @param {number} most how many to show
 * @returns {string} the first numbers
 */
export function formatFirst(tensor, most) {
  const count = Math.min(most, tensor.data.length);
  if (count === 0) return "no numbers: one of its sizes is 0";
  const read = readerOf(tensor);
  const words = Array.from({ length: count }, (_, index) => {
    if (tensor.dtype === "bool") return read(index) ? "true" : "false";
    return typeof tensor.data[index] === "bigint" ? String(tensor.data[index]) : formatNumber(read(index));
  });
  return words.join(", ") + (tensor.data.length > count ? ", …" : "");
}

/**
 * JSON has no NaN, no infinities and no 64-bit integers, so those become strings.
 *
 * @param {string} name
 * @param {Tensor} tensor
 * @returns {string}
 */
export function encodeJson(name, tensor) {
  const read = readerOf(tensor);
  const data = Array.from({ length: tensor.data.length }, (_, index) => {
    const value = tensor.data[index];
    if (typeof value === "bigint") return Number.isSafeInteger(Number(value)) ? Number(value) : String(value);
    const number = read(index);
    if (!Number.isFinite(number)) return String(number);
    return tensor.dtype === "bool" ? number === 1 : number;
  });
  return JSON.stringify({ name, dtype: tensor.dtype, shape: tensor.shape, data });
}
