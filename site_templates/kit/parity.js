/**
 * How far an answer is from the golden: the same metrics as `webgpu_kit/parity.py`, smaller is better.
 * A missing output, another shape, or a number that is not finite where the expected one is (or the other way
 * round), is an infinite error, never a pass.
 *
 * @typedef {"probability_error" | "score_error" | "cosine_distance" | "relative_error" | "kl_divergence"} Metric
 * @typedef {import("./tensors.js").Tensor} Tensor
 * @typedef {import("./types.js").Tensors} Tensors
 */

import { KitError } from "./errors.js";
import { toFloat32 } from "./tensors.js";

/** RMS below this counts as this, so that an output of zeros does not divide by zero. */
const smallestRms = 1e-6;

/** @type {Record<Metric, (wanted: Float64Array, given: Float64Array, shape: number[]) => number>} */
const measures = {
  probability_error: measureMaximum,
  score_error: measureScores,
  cosine_distance: measureCosine,
  relative_error: measureRelative,
  kl_divergence: measureDivergence,
};

/** Where a metric is for some outputs only: the others are for people to read. @type {Partial<Record<Metric, string[]>>} */
const compared = { kl_divergence: ["top_logprobs"] };

/** A probability of nothing at all would make the divergence infinite. */
const restFloor = 1e-9;

/**
 * The worst error over samples and outputs.
 * @param {Metric} metric
 * @param {Tensors[]} expected  one per sample
 * @param {Tensors[]} actual
 * @returns {number}
 */
export function measureParity(metric, expected, actual) {
  if (!Object.hasOwn(measures, metric))
    throw new KitError("bad-manifest", `The parity metric "${metric}" is not known.`);
  if (expected.length !== actual.length) return Infinity;
  const errors = expected.flatMap((outputs, sample) =>
    (compared[metric] ?? Object.keys(outputs)).map((name) =>
      measureOutput(measures[metric], outputs[name], actual[sample][name]),
    ),
  );
  return Math.max(0, ...errors);
}

/**
 * @param {(wanted: Float64Array, given: Float64Array, shape: number[]) => number} measure
 * @param {Tensor | undefined} expected
 * @param {Tensor | undefined} actual
 * @returns {number}
 */
function measureOutput(measure, expected, actual) {
  if (!expected || !actual || String(expected.shape) !== String(actual.shape)) return Infinity;
  if (!expected.dtype.startsWith("float")) return shareUnequal(expected.data, actual.data);
  const wanted = widen(expected);
  const given = widen(actual);
  for (let index = 0; index < wanted.length; index++) {
    if (Number.isFinite(wanted[index]) && Number.isFinite(given[index])) continue;
    if (!Object.is(wanted[index], given[index])) return Infinity;
    // The same infinity or NaN on both sides is agreement, but no number to calculate with.
    wanted[index] = given[index] = 0;
  }
  return measure(wanted, given, expected.shape);
}

/**
 * @param {Float64Array} wanted
 * @param {Float64Array} given
 * @returns {number} max |p - p'|
 */
function measureMaximum(wanted, given) {
  let worst = 0;
  for (let index = 0; index < wanted.length; index++) worst = Math.max(worst, Math.abs(wanted[index] - given[index]));
  return worst;
}

/**
 * @param {Float64Array} wanted
 * @param {Float64Array} given
 * @returns {number} max |s - s'|, as a share of the wanted scores' spread where that is above 1
 */
function measureScores(wanted, given) {
  const spread = wanted.length ? Math.max(...wanted) - Math.min(...wanted) : 0;
  return measureMaximum(wanted, given) / Math.max(spread, 1);
}

/**
 * @param {Float64Array} wanted
 * @param {Float64Array} given
 * @param {number[]} shape  rows are along the last dimension
 * @returns {number} max over rows of 1 - cos(a, b); a row of zeros has the cosine 0
 */
function measureCosine(wanted, given, shape) {
  const width = shape.at(-1) ?? 1;
  let worst = 0;
  for (let start = 0; start < wanted.length; start += width) {
    const end = start + width;
    worst = Math.max(worst, cosineDistance(wanted.subarray(start, end), given.subarray(start, end)));
  }
  return worst;
}

/**
 * @param {Float64Array} left
 * @param {Float64Array} right
 * @returns {number}
 */
function cosineDistance(left, right) {
  let dot = 0;
  let leftSquares = 0;
  let rightSquares = 0;
  for (let index = 0; index < left.length; index++) {
    dot += left[index] * right[index];
    leftSquares += left[index] ** 2;
    rightSquares += right[index] ** 2;
  }
  return 1 - dot / Math.max(Math.sqrt(leftSquares * rightSquares), 1e-12);
}

/**
 * @param {Float64Array} wanted
 * @param {Float64Array} given
 * @returns {number} RMS(a - b) / max(RMS(b), 1e-6)
 */
function measureRelative(wanted, given) {
  let errorSquares = 0;
  let wantedSquares = 0;
  for (let index = 0; index < wanted.length; index++) {
    errorSquares += (given[index] - wanted[index]) ** 2;
    wantedSquares += wanted[index] ** 2;
  }
  const count = Math.max(1, wanted.length);
  return Math.sqrt(errorSquares / count) / Math.max(Math.sqrt(wantedSquares / count), smallestRms);
}

/**
 * @param {Float64Array} wanted  log-probabilities, one row a position
 * @param {Float64Array} given
 * @param {number[]} shape
 * @returns {number} the mean divergence in nats; the tokens not asked for are one more bucket, with what is left
 */
function measureDivergence(wanted, given, shape) {
  const width = shape.at(-1) ?? 1;
  const rows = wanted.length / width;
  let sum = 0;
  for (let start = 0; start < wanted.length; start += width) {
    let [wantedRest, givenRest] = [1, 1];
    for (let index = start; index < start + width; index++) {
      const likely = Math.exp(wanted[index]);
      sum += likely * (wanted[index] - given[index]);
      wantedRest -= likely;
      givenRest -= Math.exp(given[index]);
    }
    wantedRest = Math.max(wantedRest, restFloor);
    sum += wantedRest * Math.log(wantedRest / Math.max(givenRest, restFloor));
  }
  return rows ? Math.max(0, sum / rows) : 0;
}

/**
 * @param {Tensor} tensor
 * @returns {Float64Array} a copy
 */
function widen(tensor) {
  return Float64Array.from(tensor.data instanceof Float64Array ? tensor.data : toFloat32(tensor));
}

/**
 * @param {import("./tensors.js").TensorData} wanted
 * @param {import("./tensors.js").TensorData} given
 * @returns {number}
 */
function shareUnequal(wanted, given) {
  let unequal = 0;
  for (let index = 0; index < wanted.length; index++) if (wanted[index] !== given[index]) unequal++;
  return unequal / Math.max(1, wanted.length);
}
