/**
 * SentencePiece's own normalization table, as T5 and XLM-RoBERTa carry it: a double-array trie of what is replaced, and
 * the replacements one after another, each ended by a zero byte.
 */

const encoder = new TextEncoder();
const decoder = new TextDecoder("utf-8", { ignoreBOM: true });
const graphemes = new Intl.Segmenter("en", { granularity: "grapheme" });
/** Clusters of this many bytes and more are looked up character by character. */
const longCluster = 6;

/** One such table. */
export class Charsmap {
  #units;
  #replacements;
  /** Answers by what was asked; null where nothing is replaced. @type {Map<string, string | null>} */
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
   * What a short cluster of characters becomes; characters of long ones, and of those unknown, are asked for one by one.
   * @param {string} text
   * @returns {{chars: string[], from: number}[]} replacements, each for `from` characters
   */
  replace(text) {
    /** @type {{chars: string[], from: number}[]} */
    const parts = [];
    const ask = (/** @type {string} */ chars) => {
      const found = this.#find(chars);
      if (found !== null) parts.push({ chars: Array.from(found), from: Array.from(chars).length });
      return found !== null;
    };
    for (const cluster of findClusters(text)) {
      if (isShort(cluster) && ask(cluster)) continue;
      for (const char of cluster) if (!ask(char)) parts.push({ chars: [char], from: 1 });
    }
    return parts;
  }

  /**
   * @param {string} text
   * @returns {string | null}
   */
  #find(text) {
    let found = this.#known.get(text);
    if (found === undefined) {
      found = this.#lookUp(encoder.encode(text));
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
  for (const { segment } of graphemes.segment(text)) yield segment;
}

/**
 * @param {string} cluster
 * @returns {boolean}
 */
function isShort(cluster) {
  return cluster.length < longCluster && encoder.encode(cluster).length < longCluster;
}
