/**
 * SentencePiece's unigram model: of all ways to cut a text into known pieces, the one with the highest sum of scores.
 *
 * @typedef {import("./word-models.js").Tokens} Tokens
 */

import { KitError } from "../errors.js";
import { spellByte } from "./bpe.js";

const encoder = new TextEncoder();
/** A character that is not known scores this much less than the least likely piece. */
const unknownPenalty = 10;

/** The model of T5, XLM-RoBERTa, ALBERT and others. */
export class Unigram {
  /** @type {Map<string, number>} */
  #ids = new Map();
  /** @type {number[]} */
  #scores;
  #unknownId;
  #unknownScore;
  #byteFallback;
  /** In the order of UTF-16 units, so that what begins alike stands together. @type {string[]} */
  #sorted;
  #sortedIds;
  /** By first unit: where in `#sorted` its pieces begin and end. @type {Map<number, [number, number]>} */
  #groups = new Map();

  /**
   * @param {any} config  `model` of tokenizer.json
   */
  constructor({ vocab, unk_id: unknownId, byte_fallback: byteFallback }) {
    const pieces = /** @type {[string, number][]} */ (vocab);
    pieces.forEach(([piece], id) => this.#ids.set(piece, id));
    this.#scores = pieces.map(([, score]) => score);
    this.#unknownId = /** @type {number | null} */ (unknownId);
    this.#unknownScore = this.#scores.reduce((least, score) => Math.min(least, score), Infinity) - unknownPenalty;
    this.#byteFallback = Boolean(byteFallback);
    this.#sorted = [...this.#ids.keys()].filter(Boolean).sort();
    this.#sortedIds = Int32Array.from(this.#sorted, (piece) => this.#ids.get(piece) ?? 0);
    this.#sorted.forEach((piece, index) => {
      const first = piece.charCodeAt(0);
      this.#groups.set(first, [this.#groups.get(first)?.[0] ?? index, index + 1]);
    });
  }

  /**
   * @param {string} word
   * @returns {Tokens}
   */
  tokenize(word) {
    /** @type {Tokens} */
    const found = { ids: [], tokens: [] };
    for (const piece of this.#cut(word)) {
      const id = this.#ids.get(piece);
      for (const [each, token] of id === undefined ? this.#spell(piece) : [[id, piece]]) {
        found.ids.push(/** @type {number} */ (each));
        found.tokens.push(/** @type {string} */ (token));
      }
    }
    return found;
  }

  /**
   * @param {string} piece  not in the vocabulary
   * @returns {[number, string][]}
   */
  #spell(piece) {
    if (this.#byteFallback) {
      const bytes = Array.from(encoder.encode(piece), spellByte);
      if (bytes.every((byte) => this.#ids.has(byte))) return bytes.map((byte) => [this.#ids.get(byte) ?? 0, byte]);
    }
    return [[this.#needUnknown(), piece]];
  }

  /** @returns {number} */
  #needUnknown() {
    if (this.#unknownId !== null) return this.#unknownId;
    throw new KitError("bad-manifest", "The tokenizer has no token for characters that it does not know.");
  }

  /**
   * @param {string} word
   * @returns {string[]} unknown characters that stand together are one piece
   */
  #cut(word) {
    const { starts, ids } = this.#findBest(word);
    /** @type {string[]} */
    const pieces = [];
    let end = word.length;
    while (end > 0) {
      let start = starts[end];
      if (ids[end] === this.#unknownId) while (start > 0 && ids[start] === this.#unknownId) start = starts[start];
      pieces.push(word.slice(start, end));
      end = start;
    }
    return pieces.reverse();
  }

  /**
   * @param {string} word
   * @returns {{starts: Int32Array, ids: Int32Array}} for every place, the last piece of the best way to there
   */
  #findBest(word) {
    const scores = new Float64Array(word.length + 1);
    const starts = new Int32Array(word.length + 1).fill(-1);
    const ids = new Int32Array(word.length + 1);
    /** @type {(start: number, end: number, id: number, score?: number) => void} */
    const offer = (start, end, id, score = this.#scores[id]) => {
      const sum = scores[start] + score;
      if (starts[end] >= 0 && sum <= scores[end]) return;
      scores[end] = sum;
      starts[end] = start;
      ids[end] = id;
    };
    for (let start = 0; start < word.length; ) {
      const character = /** @type {number} */ (word.codePointAt(start)) > 0xffff ? 2 : 1;
      const alone = this.#offerPieces(word, start, character, offer);
      if (!alone) offer(start, start + character, this.#needUnknown(), this.#unknownScore);
      start += character;
    }
    return { starts, ids };
  }

  /**
   * Every piece that begins at `start`: the candidates are a range of the sorted pieces, narrowed unit by unit.
   * @param {string} word
   * @param {number} start
   * @param {number} character  length of the first one
   * @param {(start: number, end: number, id: number) => void} offer
   * @returns {boolean} whether one of them is the first character alone
   */
  #offerPieces(word, start, character, offer) {
    const group = this.#groups.get(word.charCodeAt(start));
    if (!group) return false;
    let [low, high] = group;
    let alone = false;
    for (let length = 1; low < high; length++) {
      // The shortest of the range comes first.
      if (this.#sorted[low].length === length) {
        offer(start, start + length, this.#sortedIds[low]);
        alone ||= length === character;
        low++;
      }
      if (start + length >= word.length) break;
      const unit = word.charCodeAt(start + length);
      low = this.#findFirst(low, high, length, unit);
      high = this.#findFirst(low, high, length, unit + 1);
    }
    return alone;
  }

  /**
   * @param {number} low
   * @param {number} high
   * @param {number} depth
   * @param {number} unit
   * @returns {number} the first piece from `low` on whose unit at `depth` is `unit` or greater
   */
  #findFirst(low, high, depth, unit) {
    while (low < high) {
      const middle = (low + high) >> 1;
      if (this.#sorted[middle].charCodeAt(depth) < unit) low = middle + 1;
      else high = middle;
    }
    return low;
  }
}
