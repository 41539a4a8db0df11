import assert from "node:assert/strict";
import { test } from "node:test";

import { encodeHalves, halfTable, halfToFloat } from "../../site_templates/kit/float16.js";
import {
  arrayTypeOf,
  checkTensor,
  collectBuffers,
  decodeDeep,
  decodeTensor,
  dtypes,
  encodeTensor,
  fromNumbers,
  toFloat32,
} from "../../site_templates/kit/tensors.js";

/** @type {Record<string, any[]>} values at the edges of each dtype, as its array holds them */
const edges = {
  float32: [0, -0, 1.5, -3.4e38, 1e-45, Infinity, -Infinity, NaN],
  float16: [0, 0x8000, 0x3c00, 0x7bff, 1, 0x7c00, 0xfc00, 0x7e00],
  float64: [0, -0, Math.PI, Number.MAX_VALUE, Number.MIN_VALUE, Infinity, -Infinity, NaN],
  int8: [-128, -1, 0, 127],
  uint8: [0, 1, 128, 255],
  bool: [0, 1, 1, 0],
  int16: [-32768, -1, 0, 32767],
  uint16: [0, 1, 32768, 65535],
  int32: [-(2 ** 31), -1, 0, 2 ** 31 - 1],
  uint32: [0, 1, 2 ** 31, 2 ** 32 - 1],
  int64: [-(2n ** 63n), -1n, 0n, 2n ** 63n - 1n],
  uint64: [0n, 1n, 2n ** 63n, 2n ** 64n - 1n],
};

/**
 * @param {string} dtype
 * @param {any[]} values
 */
function makeTensor(dtype, values) {
  const data = new (arrayTypeOf(dtype))(values.length);
  values.forEach((value, index) => (data[index] = value));
  return { dtype, shape: [2, values.length / 2], data };
}

test("every dtype has edges to test", () => assert.deepEqual(Object.keys(edges).sort(), [...dtypes].sort()));

for (const dtype of dtypes) {
  test(`${dtype}: JSON and back, bit for bit`, () => {
    const tensor = makeTensor(dtype, edges[dtype]);
    const back = decodeTensor(JSON.parse(JSON.stringify(encodeTensor(tensor))));
    assert.deepEqual(back, tensor);
    assert.deepEqual(new Uint8Array(back.data.buffer), new Uint8Array(tensor.data.buffer));
  });
}

test("the base64 is that of the little-endian bytes, for a part of a buffer too", () => {
  const whole = Float32Array.from([9, 1, -2.5, 9]);
  const encoded = encodeTensor({ dtype: "float32", shape: [2], data: whole.subarray(1, 3) });
  assert.deepEqual(encoded, {
    dtype: "float32",
    shape: [2],
    data: Buffer.from("0000803f000020c0", "hex").toString("base64"),
  });
});

test("large, scalar and empty tensors", () => {
  const large = Float32Array.from({ length: 100_001 }, (_, index) => index);
  assert.deepEqual(decodeTensor(encodeTensor({ dtype: "float32", shape: [100_001], data: large })).data, large);
  assert.deepEqual(
    decodeTensor(encodeTensor({ dtype: "int32", shape: [], data: Int32Array.of(7) })).data,
    Int32Array.of(7),
  );
  assert.deepEqual(
    decodeTensor(encodeTensor({ dtype: "int32", shape: [0, 3], data: new Int32Array(0) })).shape,
    [0, 3],
  );
});

test("what is no tensor is refused with its name and the reason", () => {
  const data = new Float32Array(6);
  /** @type {[unknown, RegExp][]} */
  const faults = [
    [null, /X must be \{dtype, shape, data\}/],
    [{ dtype: "float32", shape: [6], data: [1, 2, 3, 4, 5, 6] }, /X must be \{dtype, shape, data\}/],
    [{ dtype: "float8", shape: [6], data }, /"float8" are not supported. Supported: float32/],
    [{ dtype: "toString", shape: [6], data }, /"toString" are not supported/],
    [{ dtype: "float32", shape: [7], data }, /X has 6 numbers, but its shape \[7\] takes 7/],
    [{ dtype: "float32", shape: [-1, 6], data }, /X has the shape \[-1,6\]/],
    [{ dtype: "float32", shape: [1.5, 4], data }, /X has the shape/],
    [{ dtype: "int32", shape: [6], data }, /X is int32, so its data must be a Int32Array, not a Float32Array/],
  ];
  for (const [value, message] of faults) assert.throws(() => checkTensor(value, "X"), { code: "bad-input", message });
  assert.throws(() => decodeTensor({ dtype: "float32", shape: [1], data: "AAA=" }), { code: "bad-input" });
});

test("tensors anywhere in JSON are decoded, the rest is left alone", () => {
  const encoded = encodeTensor(makeTensor("uint8", [1, 2]));
  const decoded = decodeDeep({ inputs: { a: encoded }, list: [encoded, null, "x"], text: ["one"], data: "no tensor" });
  assert.deepEqual(decoded.inputs.a.data, Uint8Array.of(1, 2));
  assert.deepEqual(decoded.list[0].data, Uint8Array.of(1, 2));
  assert.deepEqual(decoded.list.slice(1), [null, "x"]);
  assert.deepEqual([decoded.text, decoded.data], [["one"], "no tensor"]);
});

test("float16: every value survives float32 and back", () => {
  const table = halfTable();
  const halves = Uint16Array.from({ length: 65536 }, (_, half) => half);
  const back = new Uint16Array(65536);
  encodeHalves(table, back);
  for (const half of halves) {
    const isNaN = (half & 0x7c00) === 0x7c00 && (half & 0x3ff) !== 0;
    if (isNaN) assert.equal(back[half] & 0x7fff, 0x7e00, `NaN ${half}`);
    else if (back[half] !== half) assert.fail(`${half} became ${back[half]}`);
  }
});

test("float16 by its definition: subnormals, the largest, infinities", () => {
  assert.equal(halfToFloat(0x0001), 2 ** -24);
  assert.equal(halfToFloat(0x03ff), 1023 * 2 ** -24);
  assert.equal(halfToFloat(0x0400), 2 ** -14);
  assert.equal(halfToFloat(0x7bff), 65504);
  assert.equal(halfToFloat(0xc000), -2);
  assert.ok(Object.is(halfToFloat(0x8000), -0));
  assert.deepEqual([halfToFloat(0x7c00), halfToFloat(0xfc00)], [Infinity, -Infinity]);
  assert.ok(Number.isNaN(halfToFloat(0x7c01)));
});

test("float16 rounds to nearest, ties to even, and overflows to infinity", () => {
  /** @type {[number, number][]} */
  const cases = [
    [1 + 2 ** -11, 0x3c00], // a tie: down to the even one
    [1 + 3 * 2 ** -11, 0x3c02], // a tie: up to the even one
    [1 + 2 ** -11 + 2 ** -20, 0x3c01],
    [65519.996, 0x7bff],
    [65520, 0x7c00],
    [1e30, 0x7c00],
    [-1e30, 0xfc00],
    [2 ** -25, 0], // a tie between 0 and the smallest
    [2 ** -25 * 1.001, 1],
    [3 * 2 ** -25, 2],
    [2 ** -14 - 2 ** -26, 0x0400], // the largest subnormal rounds up into the normal ones
    [1e-30, 0],
    [-1e-30, 0x8000],
  ];
  for (const [value, half] of cases) {
    const result = new Uint16Array(1);
    encodeHalves(Float32Array.of(value), result);
    assert.equal(result[0].toString(16), half.toString(16), String(value));
  }
});

test("numbers to a tensor of any dtype and back", () => {
  assert.deepEqual(toFloat32(fromNumbers("float16", [3], [0.5, -2, 1e9])), Float32Array.of(0.5, -2, Infinity));
  assert.deepEqual(fromNumbers("int64", [3], [1.9, -1.9, 2 ** 53]).data, BigInt64Array.of(1n, -1n, 2n ** 53n));
  assert.deepEqual(fromNumbers("bool", [3], [0, 2, -1]).data, Uint8Array.of(0, 1, 1));
  assert.deepEqual(toFloat32(fromNumbers("uint8", [2], [3, 255])), Float32Array.of(3, 255));
});

test("buffers to hand over: each once, wherever the tensor is", () => {
  const shared = new ArrayBuffer(8);
  const answer = {
    outputs: { a: { data: new Uint8Array(shared, 0, 4) }, b: { data: new Uint8Array(shared, 4) } },
    rows: [new Float32Array(2)],
    timeMs: 1,
    none: null,
  };
  assert.deepEqual(collectBuffers(answer), [shared, answer.rows[0].buffer]);
});
