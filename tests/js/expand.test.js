import assert from "node:assert/strict";
import { test } from "node:test";

import { expandTensor, sizeExpansion } from "../../site_templates/kit/expand.js";
import { ExpandedWeights } from "../../site_templates/kit/expanded-weights.js";

/** @typedef {import("../../site_templates/kit/types.js").Expansion} Expansion */

/**
 * Every tensor at its place in one array.
 * @param {Uint8Array<ArrayBuffer>} weights
 * @param {Expansion[]} expansions
 * @param {number} bytes
 */
function expandWeights(weights, expansions, bytes) {
  const whole = new Uint8Array(bytes);
  for (const each of expansions) expandTensor(weights, each, whole.subarray(each.offset, each.offset + sizeExpansion(each)));
  return whole;
}

/** A small generator, so that a failure can be repeated. */
function makeRandom(seed = 1) {
  let state = seed;
  return (/** @type {number} */ limit) => {
    state = (state * 1103515245 + 12345) % 2 ** 31;
    return Math.floor((state / 2 ** 31) * limit);
  };
}

/**
 * float16 by the definition, one number at a time and in exact double arithmetic: nothing shared with the kit.
 * @param {number} half
 */
function readHalf(half) {
  const exponent = (half >>> 10) & 31;
  const fraction = half & 1023;
  const magnitude =
    exponent === 31
      ? fraction
        ? NaN
        : Infinity
      : exponent
        ? (1024 + fraction) * 2 ** (exponent - 25)
        : fraction * 2 ** -24;
  return half >>> 15 ? -magnitude : magnitude;
}

/** @type {Map<number, number>} */
const halfOf = new Map();
const magnitudes = Array.from({ length: 0x7c00 }, (_, half) => readHalf(half));
magnitudes.forEach((value, half) => halfOf.set(value, half));

/**
 * The nearest float16, by search among all of them; ties to the even one.
 * @param {number} value
 */
function writeHalf(value) {
  const sign = value < 0 || Object.is(value, -0) ? 0x8000 : 0;
  const magnitude = Math.abs(value);
  if (Number.isNaN(value)) return 0x7e00;
  if (magnitude >= 65520) return sign | 0x7c00;
  let low = 0;
  let high = magnitudes.length - 1;
  while (high - low > 1) {
    const middle = (low + high) >> 1;
    if (magnitudes[middle] <= magnitude) low = middle;
    else high = middle;
  }
  const [below, above] = [magnitude - magnitudes[low], magnitudes[high] - magnitude];
  return sign | (below < above || (below === above && low % 2 === 0) ? low : high);
}

/** Collects parts as weights.bin holds them. */
class Parts {
  /** @type {number[]} */
  bytes = [];

  /** @param {ArrayBufferView} view */
  add(view) {
    const offset = this.bytes.length;
    for (const byte of new Uint8Array(view.buffer, view.byteOffset, view.byteLength)) this.bytes.push(byte);
    return { offset, bytes: view.byteLength };
  }
}

/**
 * One packed tensor made number by number, with the values that it stands for.
 * @param {{rows: number, columns: number, bits: 4 | 8, blockSize: number, zeroPoints: boolean, halfScales?: boolean, shift?: number}} options
 */
function packBlocks({ rows, columns, bits, blockSize, zeroPoints, halfScales = false, shift = 0 }) {
  const random = makeRandom(rows * columns + bits);
  const blocks = Math.ceil(columns / blockSize);
  const data = new Uint8Array((rows * blocks * blockSize * bits) / 8);
  const scales = halfScales ? new Uint16Array(rows * blocks) : new Float32Array(rows * blocks);
  const zeroBytes = Math.ceil((blocks * bits) / 8);
  const zeros = new Uint8Array(rows * zeroBytes);
  const values = Array.from({ length: rows }, () => new Float32Array(columns));
  const levels = 2 ** bits;
  for (let row = 0; row < rows; row++) {
    for (let block = 0; block < blocks; block++) {
      const index = row * blocks + block;
      scales[index] = halfScales ? 0x1c00 + random(0x400) : (random(1000) - 500) / 7000;
      const scale = halfScales ? readHalf(scales[index]) : scales[index];
      const zero = zeroPoints ? random(levels) : levels / 2;
      if (zeroPoints && bits === 8) zeros[row * zeroBytes + block] = zero;
      if (zeroPoints && bits === 4) zeros[row * zeroBytes + Math.floor(block / 2)] += block % 2 ? zero * 16 : zero;
      for (let inside = 0; inside < blockSize; inside++) {
        const level = random(levels);
        const place = index * blockSize + inside;
        if (bits === 8) data[place] = level;
        else data[Math.floor(place / 2)] += place % 2 ? level * 16 : level;
        const column = block * blockSize + inside;
        if (column < columns) values[row][column] = Math.fround((level - zero) * scale);
      }
    }
  }
  const parts = new Parts();
  if (shift) parts.add(new Uint8Array(shift));
  const spans = { data: parts.add(data), scales: parts.add(scales), zero_points: zeroPoints ? parts.add(zeros) : null };
  return { values, weights: Uint8Array.from(parts.bytes), spans };
}

/**
 * @param {Float32Array[]} values
 * @param {boolean} transpose
 */
function flatten(values, transpose) {
  if (!transpose) return values.flatMap((row) => [...row]);
  return Array.from(values[0], (_, column) => values.map((row) => row[column])).flat();
}

const shapes = [
  { rows: 1, columns: 1, blockSize: 32 },
  { rows: 3, columns: 32, blockSize: 32 },
  { rows: 65, columns: 70, blockSize: 32 }, // a padded last block, and one row more than a tile
  { rows: 130, columns: 33, blockSize: 16 }, // an odd number of blocks: half a byte of zero points is spare
  { rows: 7, columns: 19, blockSize: 128 }, // a block larger than the row
  { rows: 64, columns: 2049, blockSize: 64 },
];

for (const bits of /** @type {const} */ ([4, 8])) {
  for (const zeroPoints of [false, true]) {
    for (const transpose of [false, true]) {
      test(`${bits} bits, ${zeroPoints ? "with" : "without"} zero points, ${transpose ? "transposed" : "straight"}`, () => {
        for (const shape of shapes) {
          const { values, weights, spans } = packBlocks({ ...shape, bits, zeroPoints });
          const expected = Float32Array.from(flatten(values, transpose));
          const expansion = describe({ ...shape, bits, transpose, dtype: "float32", ...spans });
          const expanded = expandWeights(weights, [expansion], 16 + expected.byteLength);
          assert.deepEqual(new Float32Array(expanded.buffer, 16), expected, JSON.stringify(shape));
          assert.deepEqual([...expanded.subarray(0, 16)], Array(16).fill(0), "nothing is written before the offset");
        }
      });
    }
  }
}

/**
 * @param {Partial<Expansion> & {rows: number, columns: number, bits: number, blockSize?: number, data: any}} given
 * @returns {Expansion}
 */
function describe({ blockSize = 0, ...given }) {
  return {
    name: "w",
    kind: "blocks",
    dtype: "float32",
    transpose: false,
    block_size: blockSize,
    offset: 16,
    scales_dtype: "float32",
    ...given,
  };
}

test("integers: each value times its column's factor, over its row's step, from its row's zero on, halves up", () => {
  for (const transpose of [false, true]) {
    for (const shape of shapes) {
      const { rows, columns } = shape;
      const { values, weights, spans } = packBlocks({ ...shape, bits: 8, zeroPoints: true });
      const factors = Float32Array.from({ length: columns }, (_, column) => 0.5 + column / columns);
      const steps = Float32Array.from({ length: rows }, (_, row) => 0.05 + row / rows / 10);
      const zeros = Uint8Array.from({ length: rows }, (_, row) => 60 + (row % 130));
      const levels = values.map((line, row) =>
        line.map((value, column) => {
          const level = Math.round((value * factors[column]) / steps[row]) + zeros[row];
          return Math.min(255, Math.max(0, level));
        }),
      );
      const parts = new Parts();
      parts.add(weights);
      const given = {
        ...spans,
        row_scales: parts.add(steps),
        row_zero_points: parts.add(zeros),
        column_factors: parts.add(factors),
      };
      const expansion = describe({ ...shape, bits: 8, transpose, dtype: "uint8", ...given });
      const expanded = expandWeights(Uint8Array.from(parts.bytes), [expansion], 16 + rows * columns);
      assert.deepEqual([...expanded.subarray(16)], flatten(levels, transpose), JSON.stringify(shape));
      const lacking = { ...expansion, column_factors: null };
      assert.throws(() => expandWeights(Uint8Array.from(parts.bytes), [lacking], 16 + rows * columns), /w to integers as uint8 lacks a part/);
    }
  }
});

test("float16 scales, parts at odd offsets, float16 out", () => {
  for (const transpose of [false, true]) {
    const shape = { rows: 70, columns: 45, blockSize: 16 };
    const { values, weights, spans } = packBlocks({ ...shape, bits: 4, zeroPoints: true, halfScales: true, shift: 3 });
    const expected = Uint16Array.from(flatten(values, transpose), writeHalf);
    const expansion = describe({ ...shape, bits: 4, transpose, dtype: "float16", scales_dtype: "float16", ...spans });
    const expanded = expandWeights(weights, [expansion], 16 + expected.byteLength);
    assert.deepEqual(new Uint16Array(expanded.buffer, 16), expected);
  }
});

test("float16 data: every one of the 65,536 values, straight and transposed", () => {
  const halves = Uint16Array.from({ length: 65536 }, (_, index) => index);
  const parts = new Parts();
  const data = parts.add(new Uint8Array(halves.buffer));
  const weights = Uint8Array.from(parts.bytes);
  for (const transpose of [false, true]) {
    const expansion = describe({ kind: "float16", rows: 32, columns: 2048, bits: 16, transpose, data, offset: 0 });
    const result = new Float32Array(expandWeights(weights, [expansion], 65536 * 4).buffer);
    for (let row = 0; row < 32; row++) {
      for (let column = 0; column < 2048; column++) {
        const value = result[transpose ? column * 32 + row : row * 2048 + column];
        const wanted = readHalf(row * 2048 + column);
        if (!Object.is(value, wanted)) assert.fail(`float16 ${row * 2048 + column} became ${value}, not ${wanted}`);
      }
    }
  }
});

for (const bits of /** @type {const} */ ([4, 8])) {
  for (const halfScales of [false, true]) {
    for (const transpose of [false, true]) {
      const kind = `${bits} bits, ${halfScales ? "float16" : "float32"}, ${transpose ? "transposed" : "straight"}`;
      test(`offsets instead of zero points: ${kind}`, () => {
        for (const shape of shapes) {
          const { values, weights, spans } = packOffsets({ ...shape, bits, halfScales });
          const expected = Float32Array.from(flatten(values, transpose));
          const dtype = halfScales ? "float16" : "float32";
          const expansion = describe({ ...shape, bits, transpose, scales_dtype: dtype, ...spans });
          const expanded = expandWeights(weights, [expansion], 16 + expected.byteLength);
          assert.deepEqual(new Float32Array(expanded.buffer, 16), expected, JSON.stringify(shape));
        }
      });
    }
  }
}

/**
 * Value = q * scale + offset, in float32 as the GGUF's own readers calculate it, number by number.
 * @param {{rows: number, columns: number, bits: 4 | 8, blockSize: number, halfScales: boolean}} options
 */
function packOffsets({ rows, columns, bits, blockSize, halfScales }) {
  const random = makeRandom(rows + columns + bits);
  const blocks = Math.ceil(columns / blockSize);
  const levels = Uint8Array.from({ length: rows * blocks * blockSize }, () => random(2 ** bits));
  const draw = () => (halfScales ? 0x1c00 + random(0x400) + 0x8000 * random(2) : (random(1000) - 500) / 7000);
  const stored = () => Array.from({ length: rows * blocks }, draw);
  const [scales, offsets] = [stored(), stored()].map((all) => (halfScales ? Uint16Array.from(all) : Float32Array.from(all)));
  const read = (/** @type {number} */ bits) => (halfScales ? readHalf(bits) : bits);
  const values = Array.from({ length: rows }, (_, row) =>
    Float32Array.from({ length: columns }, (_, column) => {
      const index = row * blocks + Math.floor(column / blockSize);
      const level = levels[row * blocks * blockSize + column];
      return Math.fround(Math.fround(level * read(scales[index])) + read(offsets[index]));
    }),
  );
  const data = bits === 8 ? levels : Uint8Array.from({ length: levels.length / 2 }, (_, at) => levels[2 * at] + 16 * levels[2 * at + 1]);
  const parts = new Parts();
  const spans = { data: parts.add(data), scales: parts.add(scales), offsets: parts.add(offsets), zero_points: null };
  return { values, weights: Uint8Array.from(parts.bytes), spans };
}

const codebook = [-127, -104, -83, -65, -49, -35, -22, -10, 1, 13, 25, 38, 53, 69, 89, 113];
for (const bits of /** @type {const} */ ([2, 3, 4, 5, 6])) {
  for (const withOffsets of [false, true]) {
    for (const transpose of [false, true]) {
      const kind = `${bits} bits, ${withOffsets ? "offsets" : bits === 4 ? "a codebook" : "no offsets"}`;
      test(`scales that share a super-scale: ${kind}, ${transpose ? "transposed" : "straight"}`, () => {
        const shape = { rows: 67, columns: 512, blockSize: bits % 2 ? 32 : 16 };
        const { values, levels, weights, spans, super_size, codes } = packSuper({ ...shape, bits, withOffsets });
        const common = { ...shape, bits, scales_dtype: /** @type {const} */ ("uint8"), super_size, codebook: codes, ...spans };
        const expected = Float32Array.from(flatten(values, transpose));
        const expanded = expandWeights(weights, [describe({ ...common, transpose })], 16 + expected.byteLength);
        assert.deepEqual(new Float32Array(expanded.buffer, 16), expected);
        if (transpose) return;
        const first = withOffsets ? 0 : -(2 ** (bits - 1));
        const wide = codes.length ? codes : Array.from({ length: 2 ** bits }, (_, code) => first + code);
        const step = describe({ ...common, kind: "levels", dtype: "uint8", codebook: wide, scales: null, offsets: null });
        const bytes = expandWeights(weights, [step], 16 + levels.length).subarray(16);
        assert.deepEqual(bytes, Uint8Array.from(levels, (level) => wide[level] + 128));
      });
    }
  }
}

/**
 * As GGUF's wide blocks are: one byte a block, times a float16 that several blocks share, for scale and offset.
 * @param {{rows: number, columns: number, bits: number, blockSize: number, withOffsets: boolean}} options
 */
function packSuper({ rows, columns, bits, blockSize, withOffsets }) {
  const random = makeRandom(rows + bits);
  const super_size = 256 / blockSize;
  const blocks = columns / blockSize;
  const codes = bits === 4 && !withOffsets ? codebook : [];
  const levels = Uint8Array.from({ length: rows * columns }, () => random(2 ** bits));
  const draw = (/** @type {number} */ length) => Uint8Array.from({ length }, () => random(256));
  const drawHalves = () => Uint16Array.from({ length: (rows * columns) / 256 }, () => 0x1c00 + random(0x400) + 0x8000 * random(2));
  const [scales, offsets] = [draw(rows * blocks), draw(rows * blocks)];
  const [superScales, superOffsets] = [drawHalves(), drawHalves()];
  const read = (/** @type {Uint8Array} */ parts, /** @type {Uint16Array} */ supers, /** @type {number} */ block) =>
    Math.fround((parts[block] - 128) * readHalf(supers[Math.floor(block / super_size)]));
  const values = Array.from({ length: rows }, (_, row) =>
    Float32Array.from({ length: columns }, (_, column) => {
      const level = levels[row * columns + column];
      const block = row * blocks + Math.floor(column / blockSize);
      const whole = codes.length ? codes[level] : withOffsets ? level : level - 2 ** (bits - 1);
      const product = Math.fround(whole * read(scales, superScales, block));
      return withOffsets ? Math.fround(product + read(offsets, superOffsets, block)) : product;
    }),
  );
  const data = new Uint8Array((rows * columns * bits) / 8);
  for (let bit = 0; bit < levels.length * bits; bit++) {
    if ((levels[Math.floor(bit / bits)] >> bit % bits) & 1) data[bit >> 3] |= 1 << (bit & 7);
  }
  const parts = new Parts();
  const spans = {
    data: parts.add(data),
    scales: parts.add(scales),
    super_scales: parts.add(superScales),
    offsets: withOffsets ? parts.add(offsets) : null,
    super_offsets: withOffsets ? parts.add(superOffsets) : null,
  };
  return { values, levels, weights: Uint8Array.from(parts.bytes), spans, super_size, codes };
}

test("bfloat16 data: every one of the 65,536 values is the upper half of a float32", () => {
  const halves = Uint16Array.from({ length: 65536 }, (_, index) => index);
  const data = { offset: 0, bytes: halves.byteLength };
  const expansion = describe({ kind: "bfloat16", rows: 32, columns: 2048, bits: 16, data, offset: 0 });
  const result = expandWeights(new Uint8Array(halves.buffer), [expansion], 65536 * 4);
  const bits = new Uint32Array(result.buffer);
  const wrong = halves.find((half) => bits[half] !== half * 65536 && !((half & 0x7fff) > 0x7f80)); // but for NaN
  assert.equal(wrong, undefined);
});

/** A heap of a few kilobytes, as ONNX Runtime's instance has one; it never has room for two tensors at once. */
function makeHeap() {
  const HEAPU8 = new Uint8Array(4096);
  const heap = {
    HEAPU8,
    used: 0,
    _malloc: () => (heap.used ? 0 : (heap.used = 64)),
    _free: () => (heap.used = 0),
  };
  return heap;
}

test("tensors of expanded.bin are made when they are read, one at a time, and progress is told in bytes", () => {
  const first = packBlocks({ rows: 4, columns: 32, bits: 4, blockSize: 32, zeroPoints: false });
  const expansion = describe({ rows: 4, columns: 32, bits: 4, blockSize: 32, ...first.spans, offset: 0 });
  const expansions = [expansion, { ...expansion, offset: 512, transpose: true }];
  /** @type {number[][]} */
  const seen = [];
  const heap = makeHeap();
  const instance = /** @type {any} */ (heap);
  const expanded = new ExpandedWeights(first.weights, expansions, 1024, () => instance, (...told) => seen.push(told));
  const file = expanded.asFile();
  assert.ok(file instanceof Uint8Array && file.byteLength === 1024);
  assert.deepEqual(new Float32Array(file.subarray(512, 1024).slice().buffer), Float32Array.from(flatten(first.values, true)));
  assert.deepEqual(new Float32Array(file.subarray(0, 512).slice().buffer), Float32Array.from(flatten(first.values, false)));
  assert.deepEqual(seen, [
    [512, 1024],
    [1024, 1024],
  ]);
  assert.ok(heap.used);
  expanded.release();
  assert.equal(heap.used, 0);
});

test("what ONNX Runtime must not read of expanded.bin is refused, and the reason is kept", () => {
  const first = packBlocks({ rows: 4, columns: 32, bits: 4, blockSize: 32, zeroPoints: false });
  const expansion = describe({ rows: 4, columns: 32, bits: 4, blockSize: 32, ...first.spans, offset: 0 });
  const instance = /** @type {any} */ (makeHeap());
  const expanded = new ExpandedWeights(first.weights, [expansion], 512, () => instance);
  assert.throws(() => expanded.asFile().subarray(0, 100), { code: "bad-manifest", message: /from byte 0 to 100/ });
  assert.match(String(expanded.failure), /from byte 0 to 100/);
  instance._malloc = () => 0;
  assert.throws(() => expanded.asFile().subarray(0, 512), { code: "session", message: /no memory for w \(512 bytes\)/ });
});

test("a manifest that does not fit its weights is refused by name", () => {
  const { weights, spans } = packBlocks({ rows: 4, columns: 32, bits: 4, blockSize: 32, zeroPoints: false });
  const good = describe({ rows: 4, columns: 32, bits: 4, blockSize: 32, ...spans });
  /** @type {[Partial<Expansion>, RegExp][]} */
  const faults = [
    [{ rows: 3 }, /part of w should have/],
    [{ data: { offset: 1e6, bytes: 64 } }, /part of w should have/],
    [{ scales: null }, /w has no scales/],
    [{ offsets: { offset: 0, bytes: 8 } }, /part of w should have/],
    [{ offsets: spans.scales, zero_points: spans.scales }, /both offsets and zero points/],
    [{ scales_dtype: "uint8" }, /scales of w are bytes without super-scales/],
    [{ bits: 9 }, /w has 9 bits and 0 codes/],
    [{ codebook: [1, 2] }, /w has 4 bits and 2 codes/],
    [{ kind: "levels" }, /w is not one of whole blocks of levels to uint8/],
    [{ dtype: "uint8" }, /w is not one of whole blocks of levels to uint8/],
    [{ offset: 20 }, /expansion of w does not fit into 508 bytes/],
  ];
  for (const [change, message] of faults) {
    assert.throws(() => expandWeights(weights, [{ ...good, ...change }], 16 + 512), { code: "bad-manifest", message });
  }
});

test("fast enough: at least 50 million weights a second", () => {
  const [rows, columns, blockSize] = [2048, 2048, 32];
  const data = { offset: 0, bytes: (rows * columns) / 2 };
  const scales = { offset: data.bytes, bytes: (rows * columns * 4) / blockSize };
  const weights = new Uint8Array(data.bytes + scales.bytes).fill(0x3a);
  const expansion = describe({ rows, columns, bits: 4, blockSize, transpose: true, offset: 0, data, scales });
  // Processor time, and the best of three: the test must not fail because something else runs on this machine.
  const bestMs = Math.min(...[1, 2, 3].map(() => busyMs(() => expandWeights(weights, [expansion], rows * columns * 4))));
  const millions = (rows * columns) / bestMs / 1000;
  assert.ok(millions >= 50, `${millions.toFixed(0)} million weights a second`);
});

/** @param {() => void} action */
function busyMs(action) {
  const before = process.cpuUsage();
  action();
  const { user, system } = process.cpuUsage(before);
  return (user + system) / 1000;
}
