/**
 * Which tokens the model has already read. A conversation grows at its end, so a new prompt mostly begins with what
 * the cache holds: only the rest is computed. Going back costs nothing, because the cache is one block of memory of
 * which only the first part counts.
 *
 * @typedef {object} Decoder  one model with its cache of keys and values
 * @property {(capacity: number, used: number) => void} resize  make room for `capacity` tokens, keeping the first `used`
 * @property {(ids: readonly number[], past: number) => Promise<void>} run  reads `ids` after `past` tokens; the logits
 *   of the last one stay where they are made, until the next run
 * @property {() => Promise<void>} settle  waits until what was begun is computed
 * @property {(sampler: import("./sampler.js").Sampler) => Promise<number>} pick  the next token, by those logits
 * @property {() => Promise<Float32Array>} readLogits  all of them, valid until the next run
 */

/** A longer prompt is read in parts: an abort need not wait for all of it, and attention's memory stays bounded. */
export const longestPart = 512;

/** The least room that is made, in tokens. */
const smallestCapacity = 512;

/** Keeps count of a decoder's cache. */
export class TokenCache {
  /** @type {number[]} the tokens that the cache holds */
  ids = [];
  capacity = 0;

  /**
   * @param {Decoder} decoder
   * @param {number} contextLength
   * @param {number} [partLength]  how much of a prompt is read at once
   */
  constructor(decoder, contextLength, partLength = longestPart) {
    this.decoder = decoder;
    this.contextLength = contextLength;
    this.partLength = partLength;
  }

  /**
   * Go back to what the cache and `prompt` have in common.
   * @param {readonly number[]} prompt
   * @returns {number} how many tokens of the prompt need not be read; never all, for the last one gives the logits
   */
  rollBack(prompt) {
    const length = Math.min(countCommon(this.ids, prompt), prompt.length - 1);
    this.ids.length = length;
    return length;
  }

  /** Forget everything. */
  clear() {
    this.ids.length = 0;
  }

  /**
   * @param {readonly number[]} ids  one or more
   * @param {(done: number) => Promise<void>} [betweenParts]  how many are read; may throw, to end it
   */
  async read(ids, betweenParts = async () => {}) {
    this.#makeRoom(this.ids.length + ids.length);
    for (let start = 0; ; start += this.partLength) {
      const part = ids.length > this.partLength ? ids.slice(start, start + this.partLength) : ids;
      await this.decoder.run(part, this.ids.length);
      for (const id of part) this.ids.push(id);
      if (start + this.partLength >= ids.length) return;
      await this.decoder.settle();
      await betweenParts(start + this.partLength);
    }
  }

  /**
   * @param {number} needed
   */
  #makeRoom(needed) {
    if (needed <= this.capacity) return;
    const capacity = planCapacity(needed, this.contextLength);
    try {
      this.decoder.resize(capacity, this.ids.length);
    } catch (error) {
      this.capacity = 0; // some of it may have moved and some not: begin anew
      this.clear();
      throw error;
    }
    this.capacity = capacity;
  }
}

/**
 * @param {readonly number[]} left
 * @param {readonly number[]} right
 * @returns {number} how many tokens are the same from the start
 */
export function countCommon(left, right) {
  const limit = Math.min(left.length, right.length);
  let count = 0;
  while (count < limit && left[count] === right[count]) count++;
  return count;
}

/**
 * Room doubles, so that a long answer moves its cache a few times only.
 * @param {number} needed
 * @param {number} contextLength
 * @returns {number} tokens
 */
export function planCapacity(needed, contextLength) {
  let capacity = smallestCapacity;
  while (capacity < needed) capacity *= 2;
  return Math.min(capacity, contextLength);
}
