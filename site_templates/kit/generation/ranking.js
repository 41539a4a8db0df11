/**
 * The most likely tokens one after the other. Equal logits come in the order of their ids, so that the same logits
 * always give the same ranking.
 *
 * @typedef {object} Ranked  what a token can be drawn from
 * @property {number} highest  the highest logit
 * @property {number} floor  no token that is never given has a logit above it
 * @property {number} logit  of the token that was given last
 * @property {() => number} take  the most likely token that is left; -1 when no other is known
 * @property {(temperature: number) => number} sumWeights  of all tokens, the most likely one's weight being 1
 * @property {number} sumError  by how much the last sum may be off
 */

/** Below this times the temperature under the best logit, a token has no probability that a double could tell from 0. */
const smallestExponent = 745;

/**
 * Ranks a whole row without sorting all of it: a heap is built in one pass, and most often only a few tokens are taken
 * from it. Reused for every token: nothing is allocated after the first.
 * @implements {Ranked}
 */
export class Ranking {
  highest = 0;
  floor = -Infinity;
  logit = 0;
  sumError = 0;

  /**
   * @param {number} vocabulary
   */
  constructor(vocabulary) {
    this.ids = new Int32Array(vocabulary);
    this.count = 0;
    /** @type {Float32Array} */
    this.logits = new Float32Array(0);
  }

  /**
   * @param {Float32Array} logits
   * @param {number} highest  of them
   * @param {number} temperature  above 0
   */
  start(logits, highest, temperature) {
    this.logits = logits;
    this.highest = highest;
    const lowest = highest - temperature * smallestExponent;
    let count = 0;
    for (let id = 0; id < logits.length; id++) if (logits[id] >= lowest) this.ids[count++] = id;
    this.count = count;
    for (let place = (count >> 1) - 1; place >= 0; place--) this.#sink(place);
  }

  /** @returns {number} */
  take() {
    if (!this.count) return -1;
    const id = this.ids[0];
    this.ids[0] = this.ids[--this.count];
    this.#sink(0);
    this.logit = this.logits[id];
    return id;
  }

  /**
   * @param {number} temperature
   * @returns {number}
   */
  sumWeights(temperature) {
    const { logits, highest } = this;
    let sum = 0;
    for (let id = 0; id < logits.length; id++) sum += Math.exp((logits[id] - highest) / temperature);
    return sum;
  }

  /**
   * @param {number} place
   */
  #sink(place) {
    const { ids, count } = this;
    const moving = ids[place];
    for (;;) {
      let child = 2 * place + 1;
      if (child >= count) break;
      if (child + 1 < count && this.#isBefore(ids[child + 1], ids[child])) child++;
      if (!this.#isBefore(ids[child], moving)) break;
      ids[place] = ids[child];
      place = child;
    }
    ids[place] = moving;
  }

  /**
   * @param {number} left
   * @param {number} right
   * @returns {boolean}
   */
  #isBefore(left, right) {
    const difference = this.logits[left] - this.logits[right];
    return difference > 0 || (difference === 0 && left < right);
  }
}
