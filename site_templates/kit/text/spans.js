/**
 * Where in the text each token comes from. The library gives tokens alone, so its stages are walked one by one.
 *
 * @typedef {import("./tokenizer.js").Tokenizer} Tokenizer
 * @typedef {[number, number]} Span  characters of the text (code points), the second exclusive
 * @typedef {{token: string, span: Span}} Placed
 */

import { KitError } from "../errors.js";
import { CharacterPlaces, countCharacters } from "./characters.js";

const encoder = new TextEncoder();
/** How byte-level vocabularies write a space. */
const byteSpace = "\u0120";

/** Finds the spans of one tokenizer's tokens. */
export class SpanFinder {
  #tokenizer;
  #model;
  #trimmers;

  /**
   * @param {Tokenizer} tokenizer
   * @param {any} tokenizerJson
   */
  constructor(tokenizer, tokenizerJson) {
    this.#tokenizer = tokenizer;
    const { type, unk_token, continuing_subword_prefix } = tokenizerJson.model;
    this.#model = { type, unk_token, continuing_subword_prefix };
    this.#trimmers = findTrimmers(tokenizerJson.post_processor);
  }

  /**
   * @param {string} text
   * @returns {Placed[]} one a token, without the special tokens that are put around the text
   */
  find(text) {
    /** @type {Placed[]} */
    const placed = [];
    for (const part of this.#tokenizer.walk(text)) {
      if ("added" in part) placed.push({ token: part.added.content, span: [part.start, part.end] });
      else placed.push(...this.#findIn(part));
    }
    const trim = (/** @type {Placed} */ each, /** @type {number} */ index) =>
      this.#trimmers.reduce(
        (current, { add_prefix_space: prefixed }) => trimSpan(current, prefixed && (index === 0 || current.span[0] === 0)),
        each,
      );
    return this.#trimmers.length ? placed.map(trim) : placed;
  }

  /**
   * @param {import("./tokenizer.js").PlainPart} part
   * @returns {Placed[]}
   */
  #findIn({ words, chars, origins }) {
    const places = new CharacterPlaces(chars.join(""));
    return words.flatMap((word) => {
      const char = places.find(word.at);
      return this.#placeTokens(word).map(({ token, span: [start, end] }) => {
        // What was put before the word counts as its first character's.
        const first = char + Math.max(0, start - word.added);
        const last = origins[char + Math.max(1, end - word.added) - 1] + 1;
        return { token, span: /** @type {Span} */ ([end > start ? origins[first] : last, last]) };
      });
    });
  }

  /**
   * @param {import("./pre-tokenize.js").Word} word
   * @returns {Placed[]} spans in the word, in characters; of what its bytes spell, where it is spelled in bytes
   */
  #placeTokens({ text, source }) {
    const { tokens } = this.#tokenizer.tokenizeWord(text);
    const { type, unk_token: unknown, continuing_subword_prefix: prefix } = this.#model;
    const length = countCharacters(text);
    if (tokens.length === 1 && tokens[0] === unknown) return [{ token: unknown, span: [0, countCharacters(source ?? text)] }];
    if (source !== undefined) return placeBytes(tokens, source);
    const continued = type === "WordPiece" ? countCharacters(prefix) : 0;
    const lengths = tokens.map((token, index) => countCharacters(token) - (index ? continued : 0));
    if (lengths.reduce((sum, each) => sum + each, 0) !== length) throw unsupported(`model ${type} spells tokens anew`);
    let end = 0;
    return tokens.map((token, index) => ({ token, span: [end, (end += lengths[index])] }));
  }
}

/**
 * @param {any} config  post_processor of tokenizer.json
 * @returns {{add_prefix_space: boolean}[]} the steps that take the white space around a token out of its span
 */
function findTrimmers(config) {
  if (config?.type === "Sequence") return config.processors.flatMap(findTrimmers);
  return config?.trim_offsets ? [config] : [];
}

/**
 * @param {string} what
 * @returns {KitError}
 */
function unsupported(what) {
  return new KitError("bad-manifest", `Tokens cannot be placed in the text: the tokenizer's ${what}.`);
}

/**
 * @param {string[]} tokens  in the letters that stand for bytes
 * @param {string} source
 * @returns {Placed[]} a token that ends within a character covers all of it
 */
function placeBytes(tokens, source) {
  const owners = Array.from(source).flatMap((char, index) => Array.from(encoder.encode(char), () => index));
  let at = 0;
  return tokens.map((token) => {
    const start = at;
    at += token.length;
    return { token, span: [owners[start], owners[at - 1] + 1] };
  });
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
  if (leading === 1 && keepsFirst) leading = 0;
  const from = Math.min(start + leading, end);
  return { token, span: [from, end >= trailing ? Math.max(end - trailing, from) : end] };
}
