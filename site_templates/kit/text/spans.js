/**
 * Where in the text each token comes from. The library gives tokens alone, so its stages are walked one by one.
 *
 * @typedef {import("./tokenizer.js").Tokenizer} Tokenizer
 * @typedef {[number, number]} Span  characters of the text (code points), the second exclusive
 * @typedef {{token: string, span: Span}} Placed
 */

import { KitError } from "../errors.js";

const encoder = new TextEncoder();
/** How byte-level vocabularies write a space. */
const byteSpace = "\u0120";

/** Finds the spans of one tokenizer's tokens. */
export class SpanFinder {
  #tokenizer;
  #config;

  /**
   * @param {Tokenizer} tokenizer
   * @param {any} tokenizerJson
   */
  constructor(tokenizer, tokenizerJson) {
    this.#tokenizer = tokenizer;
    this.#config = tokenizerJson;
  }

  /**
   * @param {string} text
   * @returns {Placed[]} one a token, without the special tokens that are put around the text
   */
  find(text) {
    return [...this.#tokenizer.walk(text)].flatMap((part) =>
      "added" in part ? [{ token: part.added.content, span: [part.start, part.end] }] : this.#findIn(part),
    );
  }

  /**
   * @param {import("./tokenizer.js").PlainPart} part
   * @returns {Placed[]}
   */
  #findIn({ words, chars, origins }) {
    const tokens = words.map((word) => ({ word, tokens: this.#tokenizer.tokenizeWord(word).tokens }));
    return this.#placeTokens(tokens, chars).map(({ token, span: [start, end] }) => {
      const last = end ? origins[end - 1] + 1 : origins[0];
      return { token, span: [end > start ? origins[start] : last, last] };
    });
  }

  /**
   * @param {{word: string, tokens: string[]}[]} words
   * @param {string[]} chars  normalized
   * @returns {Placed[]} spans in `chars`
   */
  #placeTokens(words, chars) {
    const kind = this.#config.pre_tokenizer?.type;
    if (this.#config.model.type === "WordPiece") return placeWordPieces(words, chars, this.#config.model);
    if (kind === "ByteLevel") return this.#trim(placeBytes(words, chars), this.#config.pre_tokenizer.add_prefix_space);
    if (kind === "Metaspace" || !kind) return placePieces(words, chars);
    throw unsupported(`pre-tokenizer ${kind}`);
  }

  /**
   * @param {Placed[]} placed
   * @param {boolean} prefixed
   * @returns {Placed[]} without the white space around a token, where the tokenizer says so
   */
  #trim(placed, prefixed) {
    const trims = this.#config.post_processor?.trim_offsets;
    return trims ? placed.map((each, index) => trimSpan(each, index === 0 && prefixed)) : placed;
  }
}

/**
 * @param {string} what
 * @returns {KitError}
 */
function unsupported(what) {
  return new KitError("bad-manifest", `Tokens cannot be placed in the text: the tokenizer's ${what} is not supported.`);
}

/**
 * @param {{word: string, tokens: string[]}[]} words
 * @param {string[]} chars
 * @param {any} model
 * @returns {Placed[]}
 */
function placeWordPieces(words, chars, { continuing_subword_prefix: prefix, unk_token: unknown }) {
  let at = 0;
  return words.flatMap(({ word, tokens }) => {
    const letters = Array.from(word);
    while (!letters.every((letter, index) => chars[at + index] === letter)) at++;
    const end = at + letters.length;
    let start = at;
    at = end;
    return tokens.map((token, index) => {
      if (token === unknown && tokens.length === 1) return { token, span: /** @type {Span} */ ([start, end]) };
      const begin = start;
      start += Array.from(index ? token.slice(prefix.length) : token).length;
      return { token, span: /** @type {Span} */ ([begin, start]) };
    });
  });
}

/**
 * @param {{word: string, tokens: string[]}[]} words  in the letters that stand for bytes
 * @param {string[]} chars
 * @returns {Placed[]} a token that ends within a character covers all of it
 */
function placeBytes(words, chars) {
  const owners = chars.flatMap((char, index) => Array.from(encoder.encode(char), () => index));
  const total = words.reduce((sum, { word }) => sum + word.length, 0);
  let at = owners.length - total; // -1 where a space was put before the text: it counts as the first character's
  return words.flatMap(({ tokens }) =>
    tokens.map((token) => {
      const start = Math.max(at, 0);
      at += token.length;
      return { token, span: /** @type {Span} */ ([owners[start], owners[Math.max(at - 1, 0)] + 1]) };
    }),
  );
}

/**
 * @param {{word: string, tokens: string[]}[]} words
 * @param {string[]} chars
 * @returns {Placed[]}
 */
function placePieces(words, chars) {
  const total = words.reduce((sum, { word }) => sum + Array.from(word).length, 0);
  let at = chars.length - total; // -1 where a space was put before the text: it counts as the first character's
  return words.flatMap(({ tokens }) =>
    tokens.map((token) => {
      const start = Math.max(at, 0);
      at += Array.from(token).length;
      return { token, span: /** @type {Span} */ ([start, Math.max(at, 1)]) };
    }),
  );
}

/**
 * @param {Placed} placed
 * @param {boolean} keepsFirst  the first space was put there by the tokenizer: it is not in the text
 * @returns {Placed}
 */
function trimSpan({ token, span: [start, end] }, keepsFirst) {
  const letters = Array.from(token);
  const isSpace = (/** @type {string} */ letter) => letter === byteSpace || /^\p{White_Space}$/u.test(letter);
  let leading = letters.findIndex((letter) => !isSpace(letter));
  if (leading < 0) leading = letters.length;
  const trailing = letters.length - 1 - letters.findLastIndex((letter) => !isSpace(letter));
  if (leading && keepsFirst) leading--;
  const from = Math.min(start + leading, end);
  return { token, span: [from, end >= trailing ? Math.max(end - trailing, from) : end] };
}
