/**
 * Models that look words up: WordPiece takes the longest known beginning, then the longest known continuation, and so on;
 * WordLevel knows a word or does not.
 *
 * @typedef {{ids: number[], tokens: string[]}} Tokens  of one word
 */

import { KitError } from "../errors.js";

/** WordPiece, BERT's model. */
export class WordPiece {
  #vocabulary;
  #unknown;
  #prefix;
  #mostCharacters;
  #longest;

  /**
   * @param {any} config  `model` of tokenizer.json
   */
  constructor({ vocab, unk_token: unknown, continuing_subword_prefix: prefix, max_input_chars_per_word: most }) {
    this.#vocabulary = new Map(Object.entries(/** @type {Record<string, number>} */ (vocab)));
    this.#unknown = unknown;
    this.#prefix = prefix;
    this.#mostCharacters = most;
    this.#longest = 1;
    for (const token of this.#vocabulary.keys()) this.#longest = Math.max(this.#longest, token.length);
  }

  /**
   * @param {string} word
   * @returns {Tokens}
   */
  tokenize(word) {
    if (word.length > this.#mostCharacters && Array.from(word).length > this.#mostCharacters) return this.#giveUp();
    /** @type {Tokens} */
    const found = { ids: [], tokens: [] };
    for (let start = 0; start < word.length; ) {
      const end = this.#findEnd(word, start, found);
      if (end === start) return this.#giveUp();
      start = end;
    }
    return found;
  }

  /**
   * @param {string} word
   * @param {number} start
   * @param {Tokens} found  gets the longest piece at `start`
   * @returns {number} where it ends; `start` where there is none
   */
  #findEnd(word, start, found) {
    for (let end = Math.min(word.length, start + this.#longest); end > start; end--) {
      const piece = start ? this.#prefix + word.slice(start, end) : word.slice(start, end);
      const id = this.#vocabulary.get(piece);
      if (id === undefined) continue;
      found.ids.push(id);
      found.tokens.push(piece);
      return end;
    }
    return start;
  }

  /** @returns {Tokens} */
  #giveUp() {
    return { ids: [needUnknown(this.#vocabulary, this.#unknown)], tokens: [this.#unknown] };
  }
}

/** WordLevel: every word is a token. */
export class WordLevel {
  #vocabulary;
  #unknown;

  /**
   * @param {any} config  `model` of tokenizer.json
   */
  constructor({ vocab, unk_token: unknown }) {
    this.#vocabulary = new Map(Object.entries(/** @type {Record<string, number>} */ (vocab)));
    this.#unknown = unknown;
  }

  /**
   * @param {string} word
   * @returns {Tokens}
   */
  tokenize(word) {
    const id = this.#vocabulary.get(word);
    if (id !== undefined) return { ids: [id], tokens: [word] };
    return { ids: [needUnknown(this.#vocabulary, this.#unknown)], tokens: [this.#unknown] };
  }
}

/**
 * @param {Map<string, number>} vocabulary
 * @param {string} unknown
 * @returns {number}
 */
export function needUnknown(vocabulary, unknown) {
  const id = vocabulary.get(unknown);
  if (id !== undefined) return id;
  throw new KitError("bad-manifest", `The tokenizer's token for unknown words, "${unknown}", is not in its vocabulary.`);
}
