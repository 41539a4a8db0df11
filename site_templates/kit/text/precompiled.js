/**
 * SentencePiece's own normalization table, as T5 and XLM-RoBERTa carry it: a double-array trie of what is replaced, and
 * the replacements one after another, each ended by a zero byte.
 */

import { countCharacters } from "./characters.js";

const encoder = new TextEncoder();
const decoder = new TextDecoder("utf-8", { ignoreBOM: true });
const graphemes = new Intl.Segmenter("en", { granularity: "grapheme" });
/** Characters of scripts that everybody writes in, which are never one with their like. */
const plain =
  "\\t -~\\xA0-\\xAC\\xAE-\\u02FF\\u0370-\\u0482\\u048A-\\u052F\\u2010-\\u2027\\u3000-\\u3029" +
  "\\u3041-\\u3096\\u30A1-\\u30FA\\u4E00-\\u9FFF";
/** Characters that take in the one behind them. */
const prepended =
  "\\u0600-\\u0605\\u06DD\\u070F\\u0890\\u0891\\u08E2\\u0D4E\\u{110BD}\\u{110CD}\\u{111C2}\\u{111C3}\\u{113D1}" +
  "\\u{1193F}\\u{11941}\\u{11A3A}\\u{11A84}-\\u{11A89}\\u{11D46}\\u{11F02}";
/** The segmenter's time grows with the square of the text's length, so it gets as little as can be a cluster. */
const runs = new RegExp(
  `[${plain}](?![^${plain}])|[${plain}]?[^${plain}]+(?:(?<=[${prepended}])[${plain}][^${plain}]*)*`,
  "gu",
);
/** Clusters of this many bytes and more are looked up character by character. */
const longCluster = 6;

/** One such table. */
export class Charsmap {
  #units;
  #replacements;
  /** Answers by what was asked; null where nothing is replaced. @type {Map<string, string[] | null>} */
  #known = new Map();

  /**
   * @param {string} base64  precompiled_charsmap of tokenizer.json
   */
  constructor(base64) {
    const bytes = Uint8Array.from(atob(base64), (character) => character.charCodeAt(0));
    const trieBytes = new DataView(bytes.buffer).getUint32(0, true);
    this.#units = new Uint32Array(bytes.slice(4, 4 + trieBytes).buffer);
    this.#replacements = bytes.subarray(4 + trieBytes);
  }

  /**
   * Short clusters of characters are replaced as one; the characters of long ones, and of those unknown, one by one.
   * @param {string} text
   * @param {(chars: string[], from: number) => void} put  gets what stands for the next `from` characters
   */
  replace(text, put) {
    for (const cluster of findClusters(text)) {
      const found = isShort(cluster) ? this.#find(cluster) : null;
      if (found) put(found, countCharacters(cluster));
      else for (const char of cluster) put(this.#find(char) ?? [char], 1);
    }
  }

  /**
   * @param {string} text
   * @returns {string[] | null} characters
   */
  #find(text) {
    let found = this.#known.get(text);
    if (found === undefined) {
      const replacement = this.#lookUp(encoder.encode(text));
      found = replacement === null ? null : Array.from(replacement);
      this.#known.set(text, found);
    }
    return found;
  }

  /**
   * The reference takes the first, that is the shortest, beginning of the text that is in the trie.
   * @param {Uint8Array} bytes
   * @returns {string | null}
   */
  #lookUp(bytes) {
    let place = readOffset(this.#units[0]);
    for (const byte of bytes) {
      if (byte === 0) return null;
      place ^= byte;
      const unit = this.#units[place];
      if (unit === undefined || (unit & 0x800000ff) >>> 0 !== byte) return null;
      place ^= readOffset(unit);
      if ((unit >>> 8) & 1) return this.#readReplacement(this.#units[place] & 0x7fffffff);
    }
    return null;
  }

  /**
   * @param {number} start
   * @returns {string}
   */
  #readReplacement(start) {
    const end = this.#replacements.indexOf(0, start);
    return decoder.decode(this.#replacements.subarray(start, end < 0 ? undefined : end));
  }
}

/**
 * @param {number} unit
 * @returns {number}
 */
function readOffset(unit) {
  return (unit >>> 10) << ((unit & 0x200) >>> 6);
}

/**
 * @param {string} text
 * @returns {Iterable<string>} what is one character to the reader
 */
function* findClusters(text) {
  for (const [run] of text.matchAll(runs)) {
    if (run.length === 1) yield run;
    else for (const { segment } of graphemes.segment(run)) yield segment;
  }
}

/**
 * @param {string} cluster
 * @returns {boolean}
 */
function isShort(cluster) {
  return cluster.length === 1 || (cluster.length < longCluster && encoder.encode(cluster).length < longCluster);
}
