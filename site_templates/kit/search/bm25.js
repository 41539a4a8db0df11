/**
 * BM25: how well a passage's words fit those of a question, rare words counting more and long passages less.
 * Source: Robertson and Zaragoza, "The Probabilistic Relevance Framework: BM25 and Beyond", 2009; the inverse document
 * frequency is Lucene's, which is never negative.
 */

import { listTerms } from "./terms.js";

const k1 = 1.2;
const b = 0.75;

/** Passages by their row, in the order in which they were added. */
export class WordIndex {
  /** @type {Map<string, {rows: number[], counts: number[]}>} */
  #postings = new Map();
  /** @type {number[]} words in each passage */
  #lengths = [];
  #totalLength = 0;

  /** @param {string} text  the next passage */
  add(text) {
    const row = this.#lengths.length;
    const terms = listTerms(text);
    for (const term of terms) this.#note(term, row);
    this.#lengths.push(terms.length);
    this.#totalLength += terms.length;
  }

  /**
   * @param {string} query
   * @returns {Map<string, number>} how much each of its words tells: nearly nothing where every passage has it
   */
  weigh(query) {
    const count = this.#lengths.length;
    const rarity = (/** @type {number} */ rows) => Math.log(1 + (count - rows + 0.5) / (rows + 0.5));
    return new Map(listTerms(query).map((term) => [term, rarity(this.#postings.get(term)?.rows.length ?? 0)]));
  }

  /**
   * @param {string} query
   * @returns {{scores: Map<number, number>, wordCount: number}} the score of every passage that has a word of the query,
   *   and how many different words that has
   */
  score(query) {
    /** @type {Map<number, number>} */
    const scores = new Map();
    const mean = this.#totalLength / Math.max(1, this.#lengths.length) || 1;
    const weights = this.weigh(query);
    for (const [term, weight] of weights) {
      const found = this.#postings.get(term);
      if (!found) continue;
      found.rows.forEach((row, index) => {
        const count = found.counts[index];
        const norm = k1 * (1 - b + (b * this.#lengths[row]) / mean);
        scores.set(row, (scores.get(row) ?? 0) + (weight * count * (k1 + 1)) / (count + norm));
      });
    }
    return { scores, wordCount: weights.size };
  }

  /**
   * @param {string} term  once more in the passage that is added
   * @param {number} row
   */
  #note(term, row) {
    const found = this.#postings.get(term);
    if (!found) this.#postings.set(term, { rows: [row], counts: [1] });
    else if (found.rows[found.rows.length - 1] === row) found.counts[found.counts.length - 1]++;
    else {
      found.rows.push(row);
      found.counts.push(1);
    }
  }
}
