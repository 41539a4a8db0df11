/** float16 <-> float32, on raw 16-bit values: not every browser has Float16Array yet. */

const bitsOf = new Uint32Array(1);
const floatOf = new Float32Array(bitsOf.buffer);

/** @type {Float32Array | null} */
let halfValues = null;

/**
 * All 65,536 float16 values as float32: one look-up decodes one number.
 * @returns {Float32Array}
 */
export function halfTable() {
  halfValues ??= Float32Array.from({ length: 65536 }, (_, half) => halfToFloat(half));
  return halfValues;
}

/**
 * All 65,536 bfloat16 values as float32: they are its upper halves.
 * @returns {Float32Array}
 */
export function bfloatTable() {
  return new Float32Array(Uint32Array.from({ length: 65536 }, (_, half) => half << 16).buffer);
}

/**
 * @param {number} half  raw float16 bits
 * @returns {number}
 */
export function halfToFloat(half) {
  const sign = half & 0x8000 ? -1 : 1;
  const exponent = (half >> 10) & 0x1f;
  const fraction = half & 0x3ff;
  if (exponent === 0) return sign * fraction * 2 ** -24;
  if (exponent === 31) return fraction ? NaN : sign * Infinity;
  return sign * (1 + fraction / 1024) * 2 ** (exponent - 15);
}

/**
 * Encode `count` floats, rounding to nearest even; too large becomes infinity.
 * @param {Float32Array} from
 * @param {Uint16Array} to  raw float16 bits
 * @param {number} [count]
 * @param {number} [start]  where in `to` the first one goes
 */
export function encodeHalves(from, to, count = from.length, start = 0) {
  const bits = new Uint32Array(from.buffer, from.byteOffset, from.length);
  for (let index = 0; index < count; index++) {
    const sign = (bits[index] >>> 16) & 0x8000;
    const magnitude = bits[index] & 0x7fffffff;
    if (magnitude >= 0x38800000 && magnitude < 0x47800000) {
      // A normal float16: rebias the exponent by 15 - 127 and round; a carry may run over into infinity, as it should.
      to[start + index] = sign | ((magnitude - 0x38000000 + 0xfff + ((magnitude >>> 13) & 1)) >>> 13);
    } else {
      to[start + index] = sign | encodeSpecial(magnitude);
    }
  }
}

/**
 * @param {number} magnitude  float32 bits without the sign: not in the range of normal float16 numbers
 * @returns {number}
 */
function encodeSpecial(magnitude) {
  if (magnitude > 0x7f800000) return 0x7e00;
  if (magnitude >= 0x47800000) return 0x7c00;
  // Adding 0.5 leaves exactly the subnormal's bits at the bottom of the fraction, rounded by the addition itself.
  bitsOf[0] = magnitude;
  floatOf[0] += 0.5;
  return bitsOf[0] - 0x3f000000;
}
