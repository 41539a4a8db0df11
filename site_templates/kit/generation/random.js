/**
 * Random numbers that a seed repeats: xoshiro128** (Blackman and Vigna), its state filled by SplitMix32. The browser's
 * own Math.random cannot be seeded.
 */

/** One stream of random numbers. */
export class Random {
  /**
   * @param {number} seed  any whole number that a double holds exactly
   */
  constructor(seed) {
    const halves = [seed >>> 0, Math.floor(seed / 2 ** 32) >>> 0]; // two words each: no two seeds give the same state
    /** @type {Uint32Array} */
    this.state = Uint32Array.from({ length: 4 }, (_, index) => {
      const mixed = (halves[index >> 1] + Math.imul(index + 1, 0x9e3779b9)) >>> 0;
      let word = Math.imul(mixed ^ (mixed >>> 16), 0x21f0aaad);
      word = Math.imul(word ^ (word >>> 15), 0x735a2d97);
      return (word ^ (word >>> 15)) >>> 0;
    });
    this.state[0] |= this.state.some((word) => word) ? 0 : 1; // the one state that never leaves itself is all zeros
  }

  /** @returns {number} 32 random bits */
  nextWord() {
    const { state } = this;
    const scrambled = Math.imul(rotateLeft(Math.imul(state[1], 5), 7), 9) >>> 0;
    const shifted = state[1] << 9;
    state[2] ^= state[0];
    state[3] ^= state[1];
    state[1] ^= state[2];
    state[0] ^= state[3];
    state[2] ^= shifted;
    state[3] = rotateLeft(state[3], 11);
    return scrambled;
  }

  /** @returns {number} in [0, 1), with 53 random bits */
  nextFraction() {
    return ((this.nextWord() >>> 5) * 2 ** 26 + (this.nextWord() >>> 6)) / 2 ** 53;
  }
}

/** @returns {number} a seed that nobody chose */
export function drawSeed() {
  return crypto.getRandomValues(new Uint32Array(1))[0];
}

/**
 * @param {number} word
 * @param {number} bits
 * @returns {number}
 */
function rotateLeft(word, bits) {
  return (word << bits) | (word >>> (32 - bits));
}
