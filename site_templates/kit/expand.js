/**
 * Makes the tensors of `expanded.bin` from `weights.bin`, once, at load: plain wasm has no fast kernel for packed
 * weights, so they travel packed and are multiplied out here. The layout of the packed parts is `Expansion` in types.js.
 *
 * @typedef {import("./types.js").Expansion} Expansion
 * @typedef {import("./types.js").Span} Span
 * @typedef {Float32Array<ArrayBufferLike> | Uint16Array<ArrayBufferLike>} Output  may lie in shared memory
 */

import { addOffset, decodeBytes, decodeCodes, decodeNibbles, roundValues } from "./decode.js";
import { KitError } from "./errors.js";
import { bfloatTable, encodeHalves, halfTable } from "./float16.js";

/** Rows decoded at a time: a tile of 64 rows x 32 columns is 8 kB, which stays in the first-level cache. */
const tileRows = 64;

const arrayTypes = { float32: Float32Array, float16: Uint16Array, uint8: Uint8Array };

/**
 * @param {Uint8Array<ArrayBuffer>} weights
 * @param {Expansion} expansion
 * @param {Uint8Array} target  takes the tensor, and has just its size
 */
export function expandTensor(weights, expansion, target) {
  const output = openOutput(expansion, target);
  if (expansion.kind === "blocks" && expansion.row_scales) expandBlocks(weights, expansion, output, true);
  else if (output instanceof Uint8Array || expansion.kind === "levels") expandLevels(weights, expansion, output);
  else if (expansion.kind === "blocks") expandBlocks(weights, expansion, output);
  else expandFloats(weights, expansion, output);
}

/**
 * @param {Expansion} expansion
 * @returns {number} bytes
 */
export function sizeExpansion({ dtype, rows, columns }) {
  return rows * columns * arrayTypes[dtype].BYTES_PER_ELEMENT;
}

/**
 * @param {Expansion} expansion
 * @param {Uint8Array} target
 * @returns {Output | Uint8Array<ArrayBufferLike>}
 */
function openOutput(expansion, target) {
  const { name, dtype, rows, columns } = expansion;
  const arrayType = arrayTypes[dtype];
  if (target.byteLength !== sizeExpansion(expansion)) {
    throw new KitError("bad-manifest", `The expansion of ${name} does not fit into ${target.byteLength} bytes.`);
  }
  // Shared memory is as good, which the types of typed arrays' constructors do not know together.
  return new arrayType(/** @type {ArrayBuffer} */ (target.buffer), target.byteOffset, rows * columns);
}

/**
 * @param {Uint8Array<ArrayBuffer>} weights
 * @param {Expansion} expansion
 * @param {Output} output
 */
function expandFloats(weights, expansion, output) {
  const { rows, columns } = expansion;
  const halves = readSpan(weights, expansion.data, rows * columns, Uint16Array, expansion.name);
  const values = expansion.kind === "bfloat16" ? bfloatTable() : halfTable();
  writeTiles(expansion, Math.min(columns, 1024), output, (tile, firstRow, rowCount, firstColumn, columnCount) => {
    for (let row = 0; row < rowCount; row++) {
      const from = (firstRow + row) * columns + firstColumn;
      const to = row * columnCount;
      for (let column = 0; column < columnCount; column++) tile[to + column] = values[halves[from + column]];
    }
  });
}

/**
 * @param {Uint8Array<ArrayBuffer>} weights
 * @param {Expansion} expansion
 * @param {Output | Uint8Array<ArrayBufferLike>} output
 * @param {boolean} [isRounded]  to integers
 */
function expandBlocks(weights, expansion, output, isRounded = false) {
  const { rows, columns, bits, block_size: blockSize } = expansion;
  const blocks = Math.ceil(columns / blockSize);
  const blockBytes = (blockSize * bits) / 8;
  const packed = readCodes(weights, expansion, blocks);
  const scales = readScales(weights, expansion, blocks);
  const zeroPoints = readZeroPoints(weights, expansion, rows, blocks);
  const offsets = readOffsets(weights, expansion, blocks);
  const decode = chooseDecoder(expansion);
  const round = isRounded ? readRounding(weights, expansion) : null;
  writeTiles(expansion, blockSize, output, (tile, firstRow, rowCount, firstColumn, columnCount) => {
    const block = firstColumn / blockSize;
    for (let row = 0; row < rowCount; row++) {
      const index = (firstRow + row) * blocks + block;
      const to = row * columnCount;
      decode(packed, index * blockBytes, zeroPoints[index], scales[index], tile, to, columnCount);
      if (offsets) addOffset(offsets[index], tile, to, columnCount);
      if (round) round(tile, to, firstRow + row, firstColumn, columnCount);
    }
  });
}

/**
 * @param {Expansion} expansion
 * @returns {typeof decodeBytes}
 */
function chooseDecoder({ bits, codebook }) {
  if (!codebook?.length && bits === 4) return decodeNibbles;
  if (!codebook?.length && bits === 8) return decodeBytes;
  const table = Float32Array.from(codebook?.length ? codebook : Array(2 ** bits).keys());
  return (packed, from, zero, scale, tile, to, count) => {
    decodeCodes(packed, from, bits, table, tile, to, count);
    for (let index = to; index < to + count; index++) tile[index] = (tile[index] - zero) * scale;
  };
}

/**
 * How a line of values becomes the integers that a product computes on.
 * @param {Uint8Array<ArrayBuffer>} weights
 * @param {Expansion} expansion
 * @returns {(tile: Float32Array, to: number, row: number, firstColumn: number, count: number) => void}
 */
function readRounding(weights, expansion) {
  const { name, dtype, rows, columns, row_scales: scales, row_zero_points: zeros, column_factors: factors } = expansion;
  if (dtype !== "uint8" || !scales || !zeros || !factors) {
    throw new KitError("bad-manifest", `The expansion of ${name} to integers as ${dtype} lacks a part.`);
  }
  const steps = readSpan(weights, scales, rows, Float32Array, name);
  const zeroPoints = readSpan(weights, zeros, rows, Uint8Array, name);
  const columnFactors = readSpan(weights, factors, columns, Float32Array, name);
  return (tile, to, row, firstColumn, count) =>
    roundValues(columnFactors.subarray(firstColumn, firstColumn + count), steps[row], zeroPoints[row], tile, to);
}

/**
 * The integers that an operator of 8 bits computes on, where the weight has another width.
 * @param {Uint8Array<ArrayBuffer>} weights
 * @param {Expansion} expansion
 * @param {Output | Uint8Array<ArrayBufferLike>} output
 */
function expandLevels(weights, expansion, output) {
  const { name, kind, dtype, rows, columns, bits, block_size: blockSize, codebook, transpose } = expansion;
  if (kind !== "levels" || dtype !== "uint8" || transpose || columns % blockSize || codebook?.length !== 2 ** bits) {
    throw new KitError("bad-manifest", `The expansion of ${name} is not one of whole blocks of levels to uint8.`);
  }
  const table = Uint8Array.from(codebook, (value) => value + 128);
  const packed = readCodes(weights, expansion, columns / blockSize);
  decodeCodes(packed, 0, bits, table, output, 0, rows * columns);
}

/**
 * @param {Uint8Array<ArrayBuffer>} weights
 * @param {Expansion} expansion
 * @param {number} blocks  in a row
 * @returns {Uint8Array}
 */
function readCodes(weights, { name, rows, bits, block_size: blockSize, data, codebook }, blocks) {
  if (!(bits >= 1 && bits <= 8) || (codebook?.length && codebook.length !== 2 ** bits)) {
    throw new KitError("bad-manifest", `The expansion of ${name} has ${bits} bits and ${codebook?.length ?? 0} codes.`);
  }
  return readSpan(weights, data, (rows * blocks * blockSize * bits) / 8, Uint8Array, name);
}

/**
 * Walk over (rows, columns) in tiles: `fill` decodes one, then it is written to its place, transposed if need be.
 * Without the tile a transposed write would touch another cache line for every number.
 * @param {Expansion} expansion
 * @param {number} tileColumns
 * @param {Output | Uint8Array<ArrayBufferLike>} output
 * @param {(tile: Float32Array, firstRow: number, rowCount: number, firstColumn: number, columnCount: number) => void} fill
 */
function writeTiles({ rows, columns, transpose }, tileColumns, output, fill) {
  const width = Math.min(tileColumns, columns);
  const tile = new Float32Array(tileRows * width);
  const turned = new Float32Array(tileRows);
  for (let firstRow = 0; firstRow < rows; firstRow += tileRows) {
    const rowCount = Math.min(tileRows, rows - firstRow);
    for (let firstColumn = 0; firstColumn < columns; firstColumn += width) {
      const columnCount = Math.min(width, columns - firstColumn);
      fill(tile, firstRow, rowCount, firstColumn, columnCount);
      if (transpose) writeTurned(tile, turned, output, rows, firstRow, rowCount, firstColumn, columnCount);
      else writeStraight(tile, output, columns, firstRow, rowCount, firstColumn, columnCount);
    }
  }
}

/**
 * @param {Float32Array} tile
 * @param {Output | Uint8Array<ArrayBufferLike>} output
 * @param {number} columns
 * @param {number} firstRow
 * @param {number} rowCount
 * @param {number} firstColumn
 * @param {number} columnCount
 */
function writeStraight(tile, output, columns, firstRow, rowCount, firstColumn, columnCount) {
  for (let row = 0; row < rowCount; row++) {
    const line = tile.subarray(row * columnCount, (row + 1) * columnCount);
    writeLine(line, columnCount, output, (firstRow + row) * columns + firstColumn);
  }
}

/**
 * @param {Float32Array} tile
 * @param {Float32Array} turned
 * @param {Output | Uint8Array<ArrayBufferLike>} output
 * @param {number} rows
 * @param {number} firstRow
 * @param {number} rowCount
 * @param {number} firstColumn
 * @param {number} columnCount
 */
function writeTurned(tile, turned, output, rows, firstRow, rowCount, firstColumn, columnCount) {
  for (let column = 0; column < columnCount; column++) {
    const start = (firstColumn + column) * rows + firstRow;
    if (!(output instanceof Uint16Array)) {
      for (let row = 0; row < rowCount; row++) output[start + row] = tile[row * columnCount + column];
    } else {
      for (let row = 0; row < rowCount; row++) turned[row] = tile[row * columnCount + column];
      encodeHalves(turned, output, rowCount, start);
    }
  }
}

/**
 * @param {Float32Array} line
 * @param {number} count
 * @param {Output | Uint8Array<ArrayBufferLike>} output
 * @param {number} start
 */
function writeLine(line, count, output, start) {
  if (!(output instanceof Uint16Array)) output.set(line, start);
  else encodeHalves(line, output, count, start);
}

/**
 * @param {Uint8Array<ArrayBuffer>} weights
 * @param {Expansion} expansion
 * @param {number} blocks  in a row
 * @returns {Float32Array}
 */
function readScales(weights, expansion, blocks) {
  const { name, scales, super_scales: supers } = expansion;
  if (!scales) throw new KitError("bad-manifest", `The expansion of ${name} has no scales.`);
  return readFactors(weights, expansion, scales, supers, blocks);
}

/**
 * @param {Uint8Array<ArrayBuffer>} weights
 * @param {Expansion} expansion
 * @param {number} blocks  in a row
 * @returns {Float32Array | null} what is added to each block: value = q * scale + offset
 */
function readOffsets(weights, expansion, blocks) {
  const { name, offsets, super_offsets: supers, zero_points: zeroPoints } = expansion;
  if (!offsets) return null;
  if (zeroPoints) throw new KitError("bad-manifest", `The expansion of ${name} has both offsets and zero points.`);
  return readFactors(weights, expansion, offsets, supers, blocks);
}

/**
 * Scales or offsets; those of one byte are multiplied by the number that several blocks share.
 * @param {Uint8Array<ArrayBuffer>} weights
 * @param {Expansion} expansion
 * @param {Span} span
 * @param {Span | null | undefined} supers
 * @param {number} blocks  in a row
 * @returns {Float32Array}
 */
function readFactors(weights, { name, rows, scales_dtype: dtype, super_size: size }, span, supers, blocks) {
  if (dtype !== "uint8") return readFloats(weights, span, dtype, rows * blocks, name);
  if (!supers || !size) throw new KitError("bad-manifest", `The scales of ${name} are bytes without super-scales.`);
  const wide = Math.ceil(blocks / size);
  const parts = readSpan(weights, span, rows * blocks, Uint8Array, name);
  const shared = readFloats(weights, supers, "float16", rows * wide, name);
  const factors = new Float32Array(rows * blocks);
  for (let row = 0; row < rows; row++) {
    for (let block = 0; block < blocks; block++) {
      const index = row * blocks + block;
      factors[index] = (parts[index] - 128) * shared[row * wide + Math.floor(block / size)];
    }
  }
  return factors;
}

/**
 * @param {Uint8Array<ArrayBuffer>} weights
 * @param {Span} span
 * @param {"float32" | "float16"} dtype
 * @param {number} count
 * @param {string} name
 * @returns {Float32Array}
 */
function readFloats(weights, span, dtype, count, name) {
  if (dtype !== "float16") return readSpan(weights, span, count, Float32Array, name);
  const [values, halves] = [halfTable(), readSpan(weights, span, count, Uint16Array, name)];
  const floats = new Float32Array(count);
  // Float32Array.from would make two objects for each number.
  for (let index = 0; index < count; index++) floats[index] = values[halves[index]];
  return floats;
}

/**
 * @param {Uint8Array<ArrayBuffer>} weights
 * @param {Expansion} expansion
 * @param {number} rows
 * @param {number} blocks
 * @returns {Uint8Array} one a block
 */
function readZeroPoints(weights, { name, bits, zero_points: span, offsets, codebook }, rows, blocks) {
  if (offsets || codebook?.length) return new Uint8Array(rows * blocks);
  if (span && bits !== 4 && bits !== 8) {
    throw new KitError("bad-manifest", `The expansion of ${name} has zero points of ${bits} bits, not 4 or 8.`);
  }
  if (!span) return new Uint8Array(rows * blocks).fill(2 ** (bits - 1));
  const rowBytes = Math.ceil((blocks * bits) / 8);
  const packed = readSpan(weights, span, rows * rowBytes, Uint8Array, name);
  if (bits === 8) return packed;
  const zeroPoints = new Uint8Array(rows * blocks);
  for (let index = 0; index < zeroPoints.length; index++) {
    const row = Math.floor(index / blocks);
    const block = index - row * blocks;
    zeroPoints[index] = (packed[row * rowBytes + (block >> 1)] >> (block & 1 ? 4 : 0)) & 15;
  }
  return zeroPoints;
}

/**
 * A part of weights.bin as an array. Parts need not be aligned; those that are not are copied.
 * @template {Uint8Array | Uint16Array | Float32Array} T
 * @param {Uint8Array<ArrayBuffer>} weights
 * @param {Span} span
 * @param {number} count
 * @param {{new (buffer: ArrayBuffer, offset: number, length: number): T, BYTES_PER_ELEMENT: number}} arrayType
 * @param {string} name
 * @returns {T}
 */
function readSpan(weights, span, count, arrayType, name) {
  const wanted = count * arrayType.BYTES_PER_ELEMENT;
  if (span.bytes !== wanted || span.offset + span.bytes > weights.length) {
    throw new KitError(
      "bad-manifest",
      `A part of ${name} should have ${wanted} bytes in weights.bin, not ${span.bytes} at ${span.offset}.`,
    );
  }
  const start = weights.byteOffset + span.offset;
  if (start % arrayType.BYTES_PER_ELEMENT === 0) return new arrayType(weights.buffer, start, count);
  return new arrayType(weights.slice(span.offset, span.offset + wanted).buffer, 0, count);
}
