/** Blocks of packed integers to numbers, one block of one row at a time. */

/**
 * @param {Uint8Array} packed
 * @param {number} from
 * @param {number} zero
 * @param {number} scale
 * @param {Float32Array} tile
 * @param {number} to
 * @param {number} count  below the block's size in a padded last block
 */
export function decodeNibbles(packed, from, zero, scale, tile, to, count) {
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
export function decodeBytes(packed, from, zero, scale, tile, to, count) {
  for (let index = 0; index < count; index++) tile[to + index] = (packed[from + index] - zero) * scale;
}

/**
 * Integers of any width up to 8 bits, as a stream of bits with the lowest first, each looked up in a table.
 * @template {Float32Array | Uint16Array | Uint8Array} T
 * @param {Uint8Array} packed
 * @param {number} from
 * @param {number} bits
 * @param {Float32Array | Uint8Array} table  2 ** bits long
 * @param {T} output
 * @param {number} to
 * @param {number} count
 */
export function decodeCodes(packed, from, bits, table, output, to, count) {
  const mask = 2 ** bits - 1;
  let word = 0;
  let waiting = 0;
  for (let index = to; index < to + count; index++) {
    if (waiting < bits) {
      word |= packed[from++] << waiting;
      waiting += 8;
    }
    output[index] = table[word & mask];
    word >>= bits;
    waiting -= bits;
  }
}

/**
 * @param {number} offset
 * @param {Float32Array} tile
 * @param {number} to
 * @param {number} count
 */
export function addOffset(offset, tile, to, count) {
  for (let index = to; index < to + count; index++) tile[index] += offset;
}

/**
 * Values in `tile` from `to` on become integers, one for each of `factors`: value * factor / step + zero, rounded
 * with halves up and held to 0..255.
 * @param {Float32Array} factors
 * @param {number} step
 * @param {number} zero
 * @param {Float32Array} tile
 * @param {number} to
 */
export function roundValues(factors, step, zero, tile, to) {
  for (let index = 0; index < factors.length; index++) {
    const level = Math.floor((tile[to + index] * factors[index]) / step + 0.5) + zero;
    tile[to + index] = level < 0 ? 0 : level > 255 ? 255 : level;
  }
}
