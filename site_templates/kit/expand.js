/**
 * Makes the tensors of `expanded.bin` from `weights.bin`, once, at load: plain wasm has no fast kernel for packed
 * weights, so they travel packed and are multiplied out here. The layout of the packed parts is `Expansion` in types.js.
 *
 * @typedef {import("./types.js").Expansion} Expansion
 * @typedef {import("./types.js").Span} Span
 * @typedef {Float32Array<ArrayBufferLike> | Uint16Array<ArrayBufferLike>} Output  may lie in shared memory
 */

import { KitError } from "./errors.js";
import { encodeHalves, halfTable } from "./float16.js";

/** Rows decoded at a time: a tile of 64 rows x 32 columns is 8 kB, which stays in the first-level cache. */
const tileRows = 64;

/**
 * @param {Uint8Array<ArrayBuffer>} weights
 * @param {Expansion} expansion
 * @param {Uint8Array} target  takes the tensor, and has just its size
 */
export function expandTensor(weights, expansion, target) {
  const output = openOutput(expansion, target);
  if (expansion.kind === "float16") expandHalves(weights, expansion, output);
  else expandBlocks(weights, expansion, output);
}

/**
 * @param {Expansion} expansion
 * @returns {number} bytes
 */
export function sizeExpansion({ dtype, rows, columns }) {
  return rows * columns * (dtype === "float16" ? 2 : 4);
}

/**
 * @param {Expansion} expansion
 * @param {Uint8Array} target
 * @returns {Output}
 */
function openOutput(expansion, target) {
  const { name, dtype, rows, columns } = expansion;
  const arrayType = dtype === "float16" ? Uint16Array : Float32Array;
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
function expandHalves(weights, expansion, output) {
  const { rows, columns } = expansion;
  const halves = readSpan(weights, expansion.data, rows * columns, Uint16Array, expansion.name);
  const values = halfTable();
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
 * @param {Output} output
 */
function expandBlocks(weights, expansion, output) {
  const { name, rows, columns, bits, block_size: blockSize } = expansion;
  const blocks = Math.ceil(columns / blockSize);
  const blockBytes = (blockSize * bits) / 8;
  const packed = readSpan(weights, expansion.data, rows * blocks * blockBytes, Uint8Array, name);
  const scales = readScales(weights, expansion, rows * blocks);
  const zeroPoints = readZeroPoints(weights, expansion, rows, blocks);
  const offsets = readOffsets(weights, expansion, rows * blocks);
  const decode = bits === 4 ? decodeNibbles : decodeBytes;
  writeTiles(expansion, blockSize, output, (tile, firstRow, rowCount, firstColumn, columnCount) => {
    const block = firstColumn / blockSize;
    for (let row = 0; row < rowCount; row++) {
      const index = (firstRow + row) * blocks + block;
      const to = row * columnCount;
      decode(packed, index * blockBytes, zeroPoints[index], scales[index], tile, to, columnCount);
      if (offsets) addOffset(offsets[index], tile, to, columnCount);
    }
  });
}

/**
 * @param {Uint8Array} packed
 * @param {number} from
 * @param {number} zero
 * @param {number} scale
 * @param {Float32Array} tile
 * @param {number} to
 * @param {number} count  below the block's size in a padded last block
 */
function decodeNibbles(packed, from, zero, scale, tile, to, count) {
  const pairs = count >> 1;
  for (let pair = 0; pair < pairs; pair++) {
    const byte = packed[from + pair];
    tile[to + 2 * pair] = ((byte & 15) - zero) * scale;
    tile[to + 2 * pair + 1] = ((byte >> 4) - zero) * scale;
  }
  if (count & 1) tile[to + count - 1] = ((packed[from + pairs] & 15) - zero) * scale;
}

/**
 * @param {Uint8Array} packed
 * @param {number} from
 * @param {number} zero
 * @param {number} scale
 * @param {Float32Array} tile
 * @param {number} to
 * @param {number} count
 */
function decodeBytes(packed, from, zero, scale, tile, to, count) {
  for (let index = 0; index < count; index++) tile[to + index] = (packed[from + index] - zero) * scale;
}

/**
 * @param {number} offset
 * @param {Float32Array} tile
 * @param {number} to
 * @param {number} count
 */
function addOffset(offset, tile, to, count) {
  for (let index = to; index < to + count; index++) tile[index] += offset;
}

/**
 * Walk over (rows, columns) in tiles: `fill` decodes one, then it is written to its place, transposed if need be.
 * Without the tile a transposed write would touch another cache line for every number.
 * @param {Expansion} expansion
 * @param {number} tileColumns
 * @param {Output} output
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
 * @param {Output} output
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
 * @param {Output} output
 * @param {number} rows
 * @param {number} firstRow
 * @param {number} rowCount
 * @param {number} firstColumn
 * @param {number} columnCount
 */
function writeTurned(tile, turned, output, rows, firstRow, rowCount, firstColumn, columnCount) {
  for (let column = 0; column < columnCount; column++) {
    const start = (firstColumn + column) * rows + firstRow;
    if (output instanceof Float32Array) {
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
 * @param {Output} output
 * @param {number} start
 */
function writeLine(line, count, output, start) {
  if (output instanceof Float32Array) output.set(line, start);
  else encodeHalves(line, output, count, start);
}

/**
 * @param {Uint8Array<ArrayBuffer>} weights
 * @param {Expansion} expansion
 * @param {number} count
 * @returns {Float32Array}
 */
function readScales(weights, { name, scales, scales_dtype: dtype }, count) {
  if (!scales) throw new KitError("bad-manifest", `The expansion of ${name} has no scales.`);
  return readFloats(weights, scales, dtype, count, name);
}

/**
 * @param {Uint8Array<ArrayBuffer>} weights
 * @param {Expansion} expansion
 * @param {number} count
 * @returns {Float32Array | null} what is added to each block: value = q * scale + offset
 */
function readOffsets(weights, { name, offsets, zero_points: zeroPoints, scales_dtype: dtype }, count) {
  if (!offsets) return null;
  if (zeroPoints) throw new KitError("bad-manifest", `The expansion of ${name} has both offsets and zero points.`);
  return readFloats(weights, offsets, dtype, count, name);
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
  const values = halfTable();
  return Float32Array.from(readSpan(weights, span, count, Uint16Array, name), (half) => values[half]);
}

/**
 * @param {Uint8Array<ArrayBuffer>} weights
 * @param {Expansion} expansion
 * @param {number} rows
 * @param {number} blocks
 * @returns {Uint8Array} one a block
 */
function readZeroPoints(weights, { name, bits, zero_points: span, offsets }, rows, blocks) {
  if (offsets) return new Uint8Array(rows * blocks);
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
