/**
 * Documents that can be searched, in memory: their texts, the vectors of their passages, and the words in them.
 *
 * @typedef {import("./split.js").Span} Span
 *
 * @typedef {object} IndexedDocument
 * @property {string} id
 * @property {string} name  with its folder, where it came with one
 * @property {"text" | "markdown" | "html" | "pdf"} kind
 * @property {string} text
 * @property {number[]} pages  where each page begins in the text; empty where there are none
 * @property {Span[]} passages
 *
 * @typedef {object} Entry
 * @property {IndexedDocument} document
 * @property {Float32Array<ArrayBuffer>} vectors  a row for each passage
 *
 * @typedef {object} Found
 * @property {string} documentId
 * @property {string} name
 * @property {number} passage  its place among the document's passages
 * @property {number} start
 * @property {number} end
 * @property {number | null} page  from 1
 * @property {string} text
 * @property {number} score  cosine of question and passage
 * @property {boolean} hasWords  whether a word of the question stands in it
 */

import { WordIndex } from "./bm25.js";
import { fuseScores } from "./fusion.js";
import { VectorTable, pickBest } from "./vectors.js";

/** What a collection holds at one time. */
export class Collection {
  /** @type {Map<string, Entry>} */
  #entries = new Map();
  /** @type {{documentId: string, passage: number}[]} */
  #rows = [];
  #vectors;
  #words = new WordIndex();

  /** @param {number} dimensions */
  constructor(dimensions) {
    this.dimensions = dimensions;
    this.#vectors = new VectorTable(dimensions);
  }

  get passageCount() {
    return this.#rows.length;
  }

  /** @returns {Entry[]} */
  get entries() {
    return [...this.#entries.values()];
  }

  /** @param {Entry} entry  in place of the one with the same id */
  add(entry) {
    const { document, vectors } = entry;
    if (vectors.length !== document.passages.length * this.dimensions) {
      throw new RangeError(`${document.name} has ${document.passages.length} passages and ${vectors.length} numbers.`);
    }
    if (this.#entries.has(document.id)) this.remove(document.id);
    this.#entries.set(document.id, entry);
    this.#index(entry);
  }

  /** @param {string} id */
  remove(id) {
    if (!this.#entries.delete(id)) return;
    this.#rows = [];
    this.#vectors.clear();
    this.#words = new WordIndex();
    for (const entry of this.#entries.values()) this.#index(entry);
  }

  /**
   * @param {string} id
   * @returns {IndexedDocument | null}
   */
  read(id) {
    return this.#entries.get(id)?.document ?? null;
  }

  /**
   * @param {Float32Array} vector  of the question
   * @param {string} query
   * @param {number} count
   * @returns {Found[]} best first
   */
  search(vector, query, count) {
    const cosines = this.#vectors.score(vector);
    const { scores: words, wordCount } = this.#words.score(query);
    return pickBest(fuseScores(cosines, words, wordCount), count).map((row) =>
      this.#describe(row, cosines[row], words.has(row)),
    );
  }

  /** @param {string} query @returns {Map<string, number>} how much each of its words tells here */
  weigh(query) {
    return this.#words.weigh(query);
  }

  /** @param {Entry} entry */
  #index({ document, vectors }) {
    this.#vectors.add(vectors);
    document.passages.forEach(({ start, end }, passage) => {
      this.#rows.push({ documentId: document.id, passage });
      this.#words.add(document.text.slice(start, end));
    });
  }

  /**
   * @param {number} row
   * @param {number} score
   * @param {boolean} hasWords
   * @returns {Found}
   */
  #describe(row, score, hasWords) {
    const { documentId, passage } = this.#rows[row];
    const { name, text, passages, pages } = /** @type {Entry} */ (this.#entries.get(documentId)).document;
    const { start, end } = passages[passage];
    const page = pages.length ? pages.findLastIndex((first) => first <= start) + 1 : null;
    return { documentId, name, passage, start, end, page, text: text.slice(start, end), score, hasWords };
  }
}
