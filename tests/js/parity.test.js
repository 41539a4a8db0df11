import assert from "node:assert/strict";
import { test } from "node:test";

import { measureParity } from "../../site_templates/kit/parity.js";
import { fromNumbers } from "../../site_templates/kit/tensors.js";

const row = (/** @type {number[]} */ ...values) => ({ y: fromNumbers("float32", [1, values.length], values) });
const rows = (/** @type {number} */ width, /** @type {number[]} */ values) => ({
  y: fromNumbers("float32", [values.length / width, width], values),
});
const metrics = /** @type {const} */ (["probability_error", "cosine_distance", "relative_error"]);

/**
 * @param {number} value
 * @param {number} wanted
 */
const near = (value, wanted) => assert.ok(Math.abs(value - wanted) < 1e-7, `${value}, not ${wanted}`);

test("probability_error is the largest difference over all samples", () => {
  const error = measureParity("probability_error", [row(0.5, 0.5), row(0.9, 0.1)], [row(0.5, 0.5), row(0.7, 0.3)]);
  near(error, 0.2);
});

test("cosine_distance is that of the worst row, whatever its length", () => {
  near(measureParity("cosine_distance", [rows(2, [1, 0, 3, 4])], [rows(2, [5, 0, 4, 3])]), 1 - 24 / 25);
  near(measureParity("cosine_distance", [rows(2, [1, 0])], [rows(2, [-1, 0])]), 2);
  near(measureParity("cosine_distance", [rows(2, [1, 0])], [rows(2, [0, 0])]), 1);
});

test("relative_error is RMS over RMS, and the worst output counts", () => {
  near(measureParity("relative_error", [row(3, 4)], [row(3, 4.5)]), 0.5 / 5);
  const two = (/** @type {number} */ value) => ({ ...row(1, 1), z: fromNumbers("float32", [1], [value]) });
  near(measureParity("relative_error", [two(2)], [two(3)]), 0.5);
  near(measureParity("relative_error", [row(0, 0)], [row(1e-6, 1e-6)]), 1);
});

test("integers and booleans count unequal elements", () => {
  const integers = (/** @type {number[]} */ ...values) => ({ y: fromNumbers("int64", [values.length], values) });
  near(measureParity("relative_error", [integers(1, 2, 3, 4)], [integers(1, 2, 3, 5)]), 0.25);
  near(measureParity("relative_error", [integers(1, 2)], [integers(1, 2)]), 0);
});

test("float16 and float64 are compared as numbers", () => {
  const half = { y: fromNumbers("float16", [2], [3, 4]) };
  near(measureParity("relative_error", [half], [{ y: fromNumbers("float16", [2], [3, 4.5]) }]), 0.1);
  const double = (/** @type {number} */ value) => ({ y: fromNumbers("float64", [1], [value]) });
  assert.ok(measureParity("relative_error", [double(1)], [double(1 + 1e-12)]) > 0);
});

for (const metric of metrics) {
  test(`${metric}: what must never pass`, () => {
    assert.equal(measureParity(metric, [row(1, 2)], [row(1, NaN)]), Infinity);
    assert.equal(measureParity(metric, [row(1, 2)], [row(1, Infinity)]), Infinity);
    assert.equal(measureParity(metric, [row(1, Infinity)], [row(1, -Infinity)]), Infinity);
    assert.equal(measureParity(metric, [row(1, NaN)], [row(1, 0)]), Infinity);
    assert.equal(measureParity(metric, [row(1, 2)], [row(1, 2, 3)]), Infinity);
    assert.equal(measureParity(metric, [row(1, 2)], [rows(1, [1, 2])]), Infinity);
    assert.equal(measureParity(metric, [row(1, 2)], [{}]), Infinity);
    assert.equal(measureParity(metric, [row(1, 2)], []), Infinity);
  });

  test(`${metric}: equal answers have no error, also where they are not finite`, () => {
    near(measureParity(metric, [row(1, 2)], [row(1, 2)]), 0);
    near(measureParity(metric, [row(1, Infinity, NaN)], [row(1, Infinity, NaN)]), 0);
    near(
      measureParity(metric, [{ y: fromNumbers("float32", [0, 4], []) }], [{ y: fromNumbers("float32", [0, 4], []) }]),
      0,
    );
  });
}

/** @param {number[][]} rowsOf probabilities */
const asked = (...rowsOf) => ({
  top_logprobs: fromNumbers("float32", [rowsOf.length, rowsOf[0].length], rowsOf.flat().map(Math.log)),
  top_ids: fromNumbers("int32", [rowsOf.length, 1], rowsOf.map((_, index) => index)),
});

test("kl_divergence is the mean over positions, with all other tokens as one bucket; ids are not compared", () => {
  const divergence = 0.5 * Math.log(0.5 / 0.4) + 0.25 * Math.log(0.25 / 0.2) + 0.25 * Math.log(0.25 / 0.4);
  near(measureParity("kl_divergence", [asked([0.5, 0.25])], [asked([0.4, 0.2])]), divergence);
  near(measureParity("kl_divergence", [asked([0.5, 0.25], [0.9, 0.05])], [asked([0.4, 0.2], [0.9, 0.05])]), divergence / 2);
  const same = asked([0.5, 0.25]);
  near(measureParity("kl_divergence", [same], [{ ...same, top_ids: fromNumbers("int32", [1, 1], [9]) }]), 0);
});

test("kl_divergence: what must never pass", () => {
  const good = asked([0.5, 0.25]);
  for (const bad of [{}, asked([0.5, NaN]), asked([0.5, 0]), asked([0.5]), asked([0.5, 0.25], [0.5, 0.25])]) {
    assert.equal(measureParity("kl_divergence", [good], [bad]), Infinity);
  }
  assert.equal(measureParity("kl_divergence", [good], []), Infinity);
  assert.ok(Number.isFinite(measureParity("kl_divergence", [asked([1, 1e-12])], [asked([0.5, 0.5])])), "a full bucket");
});

test("an unknown metric is an error, not a pass", () => {
  assert.throws(() => measureParity(/** @type {any} */ ("constructor"), [], []), { code: "bad-manifest" });
});
