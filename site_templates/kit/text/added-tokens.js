/**
 * The tokens that were added to a vocabulary: they are cut out of the text before anything else is done to it, or, where
 * they are `normalized`, once it is; always the longest of those that begin at a place.
 *
 * @typedef {object} AddedToken  of tokenizer.json
 * @property {number} id
 * @property {string} content
 * @property {boolean} single_word  only where no letter or digit stands beside it
 * @property {boolean} lstrip  takes the white space before it along
 * @property {boolean} rstrip
 * @property {boolean} normalized
 * @property {boolean} special
 *
 * @typedef {{start: number, end: number, token?: AddedToken}} Section  of a text, in UTF-16 units
 */

import { withOldCharacters } from "./young-characters.js";

const wordBefore = /[\p{Alphabetic}\p{M}\p{Nd}\p{Pc}\p{Join_Control}]$/u;
const wordAfter = /^[\p{Alphabetic}\p{M}\p{Nd}\p{Pc}\p{Join_Control}]/u;
const whiteSpace = /\p{White_Space}/u;

/** Finds one kind of them: those that stand in the text as it is, or those in the normalized text. */
export class AddedTokenFinder {
  /** By content. @type {Map<string, AddedToken>} */
  #tokens = new Map();
  /** By first unit: the lengths that there are, the longest first. @type {Map<number, number[]>} */
  #lengths = new Map();

  /**
   * @param {{content: string, token: AddedToken}[]} entries  `content` as it stands in the text
   */
  constructor(entries) {
    for (const { content, token } of entries) {
      this.#tokens.set(content, token);
      const first = content.charCodeAt(0);
      const lengths = new Set(this.#lengths.get(first)).add(content.length);
      this.#lengths.set(first, [...lengths].sort((left, right) => right - left));
    }
  }

  /**
   * @param {string} text
   * @returns {Section[]} that cover the text
   */
  split(text) {
    if (!this.#tokens.size) return text ? [{ start: 0, end: text.length }] : [];
    /** @type {Section[]} */
    const sections = [];
    let done = 0;
    for (let index = 0; index < text.length; ) {
      const content = this.#findAt(text, index);
      const token = this.#tokens.get(content);
      const place = token && placeToken(text, index, index + content.length, token, done);
      if (place) {
        if (done < place.start) sections.push({ start: done, end: place.start });
        sections.push({ ...place, token });
        done = place.end;
      }
      index += content.length || 1;
    }
    if (done < text.length) sections.push({ start: done, end: text.length });
    return sections;
  }

  /**
   * @param {string} text
   * @param {number} index
   * @returns {string} the longest token there, or nothing
   */
  #findAt(text, index) {
    for (const length of this.#lengths.get(text.charCodeAt(index)) ?? []) {
      const content = text.slice(index, index + length);
      if (this.#tokens.has(content)) return content;
    }
    return "";
  }
}

/**
 * @param {string} text
 * @param {number} start
 * @param {number} end
 * @param {AddedToken} token
 * @param {number} done  what stands before it is taken
 * @returns {Section | undefined} where it stands with its white space; nothing where it may not stand
 */
function placeToken(text, start, end, { single_word: alone, lstrip, rstrip }, done) {
  if (alone && touchesWord(text, start, end)) return undefined;
  let [from, to] = [start, end];
  if (lstrip) {
    while (from > 0 && whiteSpace.test(text[from - 1])) from--;
    from = Math.max(from, done);
  }
  if (rstrip) while (to < text.length && whiteSpace.test(text[to])) to++;
  return { start: from, end: to };
}

/**
 * @param {string} text
 * @param {number} start
 * @param {number} end
 * @returns {boolean} whether a letter, a digit or the like stands right before or behind
 */
function touchesWord(text, start, end) {
  const before = withOldCharacters(text.slice(Math.max(0, start - 2), start), "patterns");
  return wordBefore.test(before) || wordAfter.test(withOldCharacters(text.slice(end, end + 2), "patterns"));
}
