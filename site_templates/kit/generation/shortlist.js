/**
 * The likeliest tokens of a row of logits that stays on the GPU, and what is known of all others: a bound that none of
 * them exceeds, and their weight together. A GPU's float32 is not our arithmetic, so both come with an error that
 * WGSL's accuracy guarantees; where it could change which token is drawn, the sampler is told that it is not sure.
 *
 * @typedef {import("./penalties.js").Penalties} Penalties
 * @typedef {import("./ranking.js").Ranked} Ranked
 */

import { brokenKey, bucketShift, buckets, capacity, groups } from "./shortlist-layout.js";
import { headWords, nearBits, nearDistance } from "./shortlist-layout.js";

/** A double holds a key of 32 bits and an id of so many. */
const idRange = 2 ** 21;
/** Of the bounds between buckets: two roundings of float32, and some. */
const boundRounding = 1e-6;
/** Of a sum of float32 exponentials: (3 + 2 x) steps for each of size x, up to 30 where there is any weight. */
const weightRounding = 2e-5;
/** Of sums in doubles that were taken in another order. */
const orderRounding = 1e-11;
/** Below e^-30 weights are lost in that. */
const widestExponent = 30;

const pattern = new Uint32Array(1);
const value = new Float32Array(pattern.buffer);

/** @implements {Ranked} */
export class Shortlist {
  highest = 0;
  floor = -Infinity;
  logit = 0;
  sumError = 0;
  /** How many tokens are listed; 0 where the list is of no use. */
  count = 0;
  /** The first so many are before all tokens that are not listed. */
  certain = 0;
  #next = 0;
  /** The highest logit by the GPU's reckoning. */
  #reference = 0;
  /** The weight of what is not listed, where the reference weighs 1. */
  #rest = 0;
  #ranks = new Float64Array(capacity);
  #ids = new Int32Array(capacity);
  #logits = new Float32Array(capacity);

  /**
   * @param {ArrayBuffer} bytes  as the shader wrote them
   * @param {Penalties} penalties  that it was told of
   */
  read(bytes, penalties) {
    const words = new Uint32Array(bytes);
    const [count, highestKey, endBucket] = words;
    const fits = count <= (words.length - headWords) / 2 && highestKey !== brokenKey;
    this.penalties = penalties;
    this.count = fits ? count : 0;
    this.certain = this.#next = 0;
    if (!this.count) return;
    this.#rank(words, penalties);
    this.#bound(fromKey(highestKey), endBucket, penalties);
    this.#rest = 0;
    for (let group = headWords - groups; group < headWords; group++) this.#rest += toFloat(words[group]);
    while (this.certain < this.count && this.#logits[this.certain] >= this.floor) this.certain++;
    this.highest = this.#logits[0];
  }

  /** @returns {number} */
  take() {
    if (this.#next >= this.certain) return -1;
    this.logit = this.#logits[this.#next];
    return this.#ids[this.#next++];
  }

  /**
   * @param {number} temperature
   * @returns {number}
   */
  sumWeights(temperature) {
    const rest = this.#rest * Math.exp((this.#reference - this.highest) / temperature);
    let sum = rest;
    for (let place = 0; place < this.count; place++) {
      sum += Math.exp((this.#logits[place] - this.highest) / temperature);
    }
    const size = Math.abs(this.#reference) + widestExponent * temperature;
    const logitError = this.penalties?.boundError(size) ?? 0;
    this.sumError = rest * (weightRounding + (2 * logitError) / temperature) + orderRounding * sum;
    return sum;
  }

  /**
   * Key and id make one number, so that sorting numbers is ranking tokens.
   * @param {Uint32Array} words
   * @param {Penalties} penalties
   */
  #rank(words, penalties) {
    const { count } = this;
    for (let place = 0; place < count; place++) {
      const id = words[headWords + 2 * place];
      const logit = penalties.penalize(toFloat(words[headWords + 2 * place + 1]), id) + 0; // -0 is no lower than 0
      this.#ranks[place] = (brokenKey - toKey(logit)) * idRange + id;
    }
    this.#ranks.subarray(0, count).sort();
    for (let place = 0; place < count; place++) {
      this.#ids[place] = this.#ranks[place] % idRange;
      this.#logits[place] = fromKey(brokenKey - Math.floor(this.#ranks[place] / idRange));
    }
  }

  /**
   * @param {number} reference
   * @param {number} endBucket
   * @param {Penalties} penalties
   */
  #bound(reference, endBucket, penalties) {
    this.#reference = reference;
    this.floor = -Infinity;
    if (endBucket >= buckets) return;
    const edge = reference - (toFloat((endBucket << bucketShift) + nearBits) - nearDistance);
    const size = Math.abs(edge) + Math.abs(reference);
    this.floor = edge + boundRounding * size + penalties.boundError(size);
  }
}

/**
 * @param {number} bits
 * @returns {number}
 */
function toFloat(bits) {
  pattern[0] = bits;
  return value[0];
}

/**
 * @param {number} float
 * @returns {number} a whole number in the order of the floats
 */
function toKey(float) {
  value[0] = float;
  return (pattern[0] >>> 31 ? ~pattern[0] : pattern[0] | 0x80000000) >>> 0;
}

/**
 * @param {number} key
 * @returns {number}
 */
function fromKey(key) {
  return toFloat((key >>> 31 ? key & 0x7fffffff : ~key) >>> 0);
}
