/**
 * SHA-256, by the browser where it offers it. Pages served over plain http from another machine are no "secure
 * context" and have no crypto.subtle; they still get every file checked.
 */

/** @type {Promise<unknown>} */
let lastDigest = Promise.resolve();

/**
 * One at a time: the browser takes a copy of what it digests, and chunks are large.
 * @param {Uint8Array<ArrayBuffer>} bytes
 * @returns {Promise<string>} lower-case hex
 */
export async function hashBytes(bytes) {
  const subtle = globalThis.crypto?.subtle;
  if (!subtle) return hashInScript(bytes);
  const digest = lastDigest.then(() => subtle.digest("SHA-256", bytes));
  lastDigest = digest.catch(() => {}); // its caller hears of it
  return toHex(new Uint8Array(await digest));
}

/**
 * @param {Uint8Array} bytes
 * @returns {string}
 */
export function hashInScript(bytes) {
  const state = new Int32Array(initialState);
  const words = new Int32Array(64); // signed, so that the engine keeps to 32-bit integers
  const whole = bytes.length & ~63;
  for (let offset = 0; offset < whole; offset += 64) digestBlock(state, words, bytes, offset);
  const tail = padTail(bytes.subarray(whole), bytes.length);
  for (let offset = 0; offset < tail.length; offset += 64) digestBlock(state, words, tail, offset);
  return Array.from(state, (word) => (word >>> 0).toString(16).padStart(8, "0")).join("");
}

/**
 * @param {Uint8Array} rest  what is left after the last whole block
 * @param {number} totalBytes
 * @returns {Uint8Array} one or two blocks: the rest, the bit 1, zeros, the length in bits
 */
function padTail(rest, totalBytes) {
  const tail = new Uint8Array(rest.length < 56 ? 64 : 128);
  tail.set(rest);
  tail[rest.length] = 0x80;
  const view = new DataView(tail.buffer);
  view.setUint32(tail.length - 8, Math.floor(totalBytes / 0x20000000));
  view.setUint32(tail.length - 4, (totalBytes << 3) >>> 0);
  return tail;
}

/**
 * @param {Int32Array} state
 * @param {Int32Array} words  64 words of scratch
 * @param {Uint8Array} bytes
 * @param {number} offset
 */
function digestBlock(state, words, bytes, offset) {
  expandWords(words, bytes, offset);
  let a = state[0];
  let b = state[1];
  let c = state[2];
  let d = state[3];
  let e = state[4];
  let f = state[5];
  let g = state[6];
  let h = state[7];
  for (let round = 0; round < 64; round++) {
    const sum1 = ((e >>> 6) | (e << 26)) ^ ((e >>> 11) | (e << 21)) ^ ((e >>> 25) | (e << 7));
    const first = (h + sum1 + ((e & f) ^ (~e & g)) + roundConstants[round] + words[round]) | 0;
    const sum0 = ((a >>> 2) | (a << 30)) ^ ((a >>> 13) | (a << 19)) ^ ((a >>> 22) | (a << 10));
    const second = (sum0 + ((a & b) ^ (a & c) ^ (b & c))) | 0;
    h = g;
    g = f;
    f = e;
    e = (d + first) | 0;
    d = c;
    c = b;
    b = a;
    a = (first + second) | 0;
  }
  state[0] += a;
  state[1] += b;
  state[2] += c;
  state[3] += d;
  state[4] += e;
  state[5] += f;
  state[6] += g;
  state[7] += h;
}

/**
 * @param {Int32Array} words
 * @param {Uint8Array} bytes
 * @param {number} offset
 */
function expandWords(words, bytes, offset) {
  for (let index = 0; index < 16; index++, offset += 4) {
    words[index] = (bytes[offset] << 24) | (bytes[offset + 1] << 16) | (bytes[offset + 2] << 8) | bytes[offset + 3];
  }
  for (let index = 16; index < 64; index++) {
    const early = words[index - 15];
    const late = words[index - 2];
    const small0 = ((early >>> 7) | (early << 25)) ^ ((early >>> 18) | (early << 14)) ^ (early >>> 3);
    const small1 = ((late >>> 17) | (late << 15)) ^ ((late >>> 19) | (late << 13)) ^ (late >>> 10);
    words[index] = (words[index - 16] + small0 + words[index - 7] + small1) | 0;
  }
}

/**
 * @param {Uint8Array} bytes
 * @returns {string}
 */
function toHex(bytes) {
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
}

/**
 * The first `count` primes: the constants of SHA-256 are the fractions of their roots (FIPS 180-4, 4.2.2 and 5.3.3).
 * @param {number} count
 * @returns {number[]}
 */
function firstPrimes(count) {
  /** @type {number[]} */
  const primes = [];
  for (let number = 2; primes.length < count; number++) {
    if (primes.every((prime) => number % prime)) primes.push(number);
  }
  return primes;
}

/**
 * The first 32 bits of the fraction of the root, exactly: floor(root * 2^32) by integer arithmetic.
 * @param {number} prime
 * @param {bigint} degree  2 or 3
 * @returns {number}
 */
function rootFraction(prime, degree) {
  const target = BigInt(prime) << (32n * degree);
  let root = 0n;
  for (let bit = 1n << 37n; bit > 0n; bit >>= 1n) {
    if ((root | bit) ** degree <= target) root |= bit;
  }
  return Number(root & 0xffffffffn);
}

const roundConstants = Int32Array.from(firstPrimes(64), (prime) => rootFraction(prime, 3n));
const initialState = Int32Array.from(firstPrimes(8), (prime) => rootFraction(prime, 2n));
