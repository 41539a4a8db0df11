/**
 * Byte-pair encoding: of all neighbours that may merge, those of the lowest rank do first, the leftmost before others.
 * Symbols are linked by their places and candidates wait in a heap: a word of a megabyte takes a second, not a day.
 *
 * @typedef {import("./word-models.js").Tokens} Tokens
 */

import { NumberHeap } from "./number-heap.js";
import { needUnknown } from "./word-models.js";

const encoder = new TextEncoder();
/** More than a word has symbols: a candidate is `rank * places + place`, which a double holds exactly. */
const places = 2 ** 28;

/** The model of most language models. */
export class Bpe {
  #config;
  #vocabulary;
  /** @type {string[]} */
  #tokens = [];
  /** Pairs of ids, as `left * size + right`, to ranks. @type {Map<number, number>} */
  #ranks = new Map();
  /** By rank. @type {number[]} */
  #merged = [];
  #size = 0;

  /**
   * @param {any} config  `model` of tokenizer.json
   */
  constructor({ vocab, merges, ...config }) {
    this.#config = config; // without what is megabytes, and is read here once
    this.#vocabulary = new Map(Object.entries(/** @type {Record<string, number>} */ (vocab)));
    for (const [token, id] of this.#vocabulary) {
      this.#tokens[id] = token;
      this.#size = Math.max(this.#size, id + 1);
    }
    const skipped = config.continuing_subword_prefix?.length ?? 0;
    readMerges(merges).forEach(([left, right], rank) => {
      this.#ranks.set(this.#pair(this.#need(left), this.#need(right)), rank);
      this.#merged.push(this.#need(left + right.slice(skipped)));
    });
  }

  /**
   * @param {string} word
   * @returns {Tokens}
   */
  tokenize(word) {
    const whole = this.#config.ignore_merges ? this.#vocabulary.get(word) : undefined;
    const ids = whole === undefined ? this.#merge(this.#readSymbols(word)) : [whole];
    return { ids, tokens: ids.map((id) => this.#tokens[id]) };
  }

  /**
   * @param {string} token
   * @returns {number}
   */
  #need(token) {
    return needUnknown(this.#vocabulary, token);
  }

  /**
   * @param {number} left
   * @param {number} right
   * @returns {number}
   */
  #pair(left, right) {
    return left * this.#size + right;
  }

  /**
   * A character that is not known becomes its bytes, or else the unknown token. The unknown token waits until the next
   * known character, even where bytes come before that, as it does in the reference.
   * @param {string} word
   * @returns {number[]} ids of single characters
   */
  #readSymbols(word) {
    const { continuing_subword_prefix: prefix, end_of_word_suffix: suffix, fuse_unk: fuses } = this.#config;
    /** @type {number[]} */
    const ids = [];
    let waits = false;
    let end = 0;
    for (const character of word) {
      const first = end === 0;
      end += character.length;
      const symbol = (first ? "" : (prefix ?? "")) + character + (end === word.length ? (suffix ?? "") : "");
      const id = this.#vocabulary.get(symbol);
      if (id === undefined) {
        const bytes = this.#findBytes(symbol);
        if (bytes) ids.push(...bytes);
        else if (this.#config.unk_token) {
          if (waits && !fuses) ids.push(this.#need(this.#config.unk_token));
          waits = true;
        }
        continue;
      }
      if (waits) ids.push(this.#need(this.#config.unk_token));
      waits = false;
      ids.push(id);
    }
    return waits ? [...ids, this.#need(this.#config.unk_token)] : ids;
  }

  /**
   * @param {string} symbol
   * @returns {number[] | undefined} a token for each of its bytes, where the vocabulary has them all
   */
  #findBytes(symbol) {
    if (!this.#config.byte_fallback) return undefined;
    const ids = Array.from(encoder.encode(symbol), (byte) => this.#vocabulary.get(spellByte(byte)) ?? -1);
    return ids.includes(-1) ? undefined : ids;
  }

  /**
   * @param {number[]} ids
   * @returns {number[]}
   */
  #merge(ids) {
    if (ids.length < 2) return ids;
    const previous = Int32Array.from(ids, (_, index) => index - 1);
    const next = Int32Array.from(ids, (_, index) => index + 1);
    const symbols = Int32Array.from(ids);
    const queue = new NumberHeap();
    const offer = (/** @type {number} */ place) => {
      if (place < 0 || next[place] >= ids.length) return;
      const rank = this.#ranks.get(this.#pair(symbols[place], symbols[next[place]]));
      if (rank !== undefined) queue.push(rank * places + place);
    };
    for (let place = 0; place < ids.length - 1; place++) offer(place);
    for (let top = queue.pop(); top !== undefined; top = queue.pop()) {
      const [rank, place] = [Math.floor(top / places), top % places];
      const right = next[place];
      if (symbols[place] < 0 || right >= ids.length) continue;
      // One of the two may have merged with another in the meantime.
      if (this.#ranks.get(this.#pair(symbols[place], symbols[right])) !== rank) continue;
      symbols[place] = this.#merged[rank];
      symbols[right] = -1;
      next[place] = next[right];
      if (next[place] < ids.length) previous[next[place]] = place;
      offer(previous[place]);
      offer(place);
    }
    return Array.from(symbols.filter((symbol) => symbol >= 0));
  }
}

/**
 * @param {(string | [string, string])[]} merges  in the old form ("a b") or the new one
 * @returns {[string, string][]}
 */
function readMerges(merges) {
  return /** @type {[string, string][]} */ (
    merges
      .filter((merge) => typeof merge !== "string" || !merge.startsWith("#version"))
      .map((merge) => (typeof merge === "string" ? merge.split(" ") : merge))
  );
}

/**
 * @param {number} byte
 * @returns {string} as SentencePiece's vocabularies write it: <0x0A>
 */
export function spellByte(byte) {
  return `<0x${byte.toString(16).toUpperCase().padStart(2, "0")}>`;
}
