/**
 * The most likely tokens one after the other, without sorting the whole vocabulary: a heap is built in one pass, and
 * most often only a few tokens are taken from it. Equal logits come in the order of their ids, so that the same logits
 * always give the same ranking.
 */

/** Reused for every token: nothing is allocated after the first. */
export class Ranking {
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
   * @param {number} floor  tokens with a lower logit are left out
   */
  start(logits, floor) {
    this.logits = logits;
    let count = 0;
    for (let id = 0; id < logits.length; id++) if (logits[id] >= floor) this.ids[count++] = id;
    this.count = count;
    for (let place = (count >> 1) - 1; place >= 0; place--) this.#sink(place);
  }

  /** @returns {number} the most likely token that is left; -1 when none is */
  take() {
    if (!this.count) return -1;
    const id = this.ids[0];
    this.ids[0] = this.ids[--this.count];
    this.#sink(0);
    return id;
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
