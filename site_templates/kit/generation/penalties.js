/**
 * Penalties on tokens that the text has already. What they depend on is one word a token, in an array that a GPU can
 * take as it is: the highest bit says that prompt or answer has the token, the others how often the answer has it.
 *
 * @typedef {import("./sampler.js").Sampling} Sampling
 */

/** The bit of a token that prompt or answer has. */
export const seenBit = 0x80000000;

/** A GPU computes in float32 and rounds on its own: by how much of the numbers at hand its penalties may be off. */
const gpuRounding = 1e-6;

/** The penalties of one generation. */
export class Penalties {
  /** How often `add` was called. */
  additions = 0;
  /** The token that was added last. */
  latest = -1;
  #largestCount = 0;

  /**
   * @param {Sampling} sampling
   * @param {readonly number[]} prompt
   * @param {Uint32Array<ArrayBuffer>} words  one a token; taken over
   */
  constructor(sampling, prompt, words) {
    this.repetition = sampling.repetition_penalty;
    this.frequency = sampling.frequency_penalty;
    this.presence = sampling.presence_penalty;
    this.active = this.repetition !== 1 || this.frequency !== 0 || this.presence !== 0;
    this.words = words.fill(0);
    /** Those whose word is not 0. @type {number[]} */
    this.touched = [];
    if (this.repetition !== 1) for (const id of prompt) this.#touch(id, seenBit);
  }

  /**
   * @param {number} id  that the answer has got
   */
  add(id) {
    this.additions++;
    this.latest = id;
    if (!this.active) return;
    this.#touch(id, seenBit);
    const count = (++this.words[id] & ~seenBit) >>> 0;
    this.#largestCount = Math.max(this.#largestCount, count);
  }

  /**
   * @param {Float32Array} logits  one a token; changed in place
   */
  apply(logits) {
    for (const id of this.touched) logits[id] = this.penalize(logits[id], id);
  }

  /**
   * @param {number} logit
   * @param {number} id
   * @returns {number} a float32
   */
  penalize(logit, id) {
    const word = this.words[id];
    if (!word) return logit;
    let left = logit;
    if (this.repetition !== 1) left = Math.fround(left > 0 ? left / this.repetition : left * this.repetition);
    const count = (word & ~seenBit) >>> 0;
    return count ? Math.fround(left - (this.frequency * count + this.presence)) : left;
  }

  /**
   * @param {number} size  of the penalized logits in question
   * @returns {number} how far a GPU's penalized logit can be from ours
   */
  boundError(size) {
    if (!this.active) return 0;
    const shift = Math.abs(this.frequency) * this.#largestCount + Math.abs(this.presence);
    return gpuRounding * (size + 2 * shift);
  }

  /**
   * @param {number} id
   * @param {number} bit
   */
  #touch(id, bit) {
    if (!this.words[id]) this.touched.push(id);
    this.words[id] |= bit;
  }
}
