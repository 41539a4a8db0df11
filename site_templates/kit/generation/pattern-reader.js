/**
 * Regular expressions (`pattern` in a schema: ECMAScript), read into the parts that they are made of.
 *
 * @typedef {import("./grammar-characters.js").Characters} Characters
 *
 * @typedef {{set: Characters}} Place  one character of these
 * @typedef {{all: Part[]}} Sequence
 * @typedef {{any: Part[]}} Choice
 * @typedef {{part: Part, least: number, most: number}} Repetition
 * @typedef {Place | Sequence | Choice | Repetition} Part
 * @typedef {{part: Sequence, first: boolean, last: boolean}} Branch  whether it begins and ends the text
 */

import { PatternFault, anyOfLine, classes, findPoint, negate, single, unite } from "./grammar-characters.js";

/** So many places may an expression have when its repetitions are written out: each is a state of the engine. */
const mostPlaces = 2000;
const longestRange = 256;

/**
 * @param {string} source
 * @returns {Branch[]} its alternatives; throws PatternFault, and SyntaxError where it is no expression under the flag u
 */
export function readPattern(source) {
  new RegExp(source, "u");
  return new PatternReader(source).readBranches(true);
}

/** One expression, read from left to right. */
class PatternReader {
  #at = 0;
  #places = 0;

  /** @param {string} source */
  constructor(source) {
    this.source = Array.from(source);
  }

  /**
   * @param {boolean} outermost  where alone a text's begin and end may be asked for
   * @returns {Branch[]}
   */
  readBranches(outermost) {
    const branches = [this.#readBranch(outermost)];
    while (this.#take("|")) branches.push(this.#readBranch(outermost));
    return branches;
  }

  /**
   * @param {boolean} outermost
   * @returns {Branch}
   */
  #readBranch(outermost) {
    const first = outermost && this.#take("^");
    /** @type {Part[]} */
    const all = [];
    while (this.#at < this.source.length && !"|)".includes(this.#next())) {
      const isLast = this.#at + 1 === this.source.length || this.source[this.#at + 1] === "|";
      if (outermost && isLast && this.#take("$")) return { part: { all }, first, last: true };
      all.push(this.#readRepeated());
    }
    return { part: { all }, first, last: false };
  }

  /** @returns {Part} */
  #readRepeated() {
    const before = this.#places;
    const part = this.#readAtom();
    const [least, most] = this.#readQuantifier();
    if (least === 1 && most === 1) return part;
    const times = most === Infinity ? Math.max(1, least) : most;
    this.#places = before + (this.#places - before) * times;
    if (this.#places > mostPlaces) throw new PatternFault("is too long when its repetitions are written out");
    return most === 0 ? { all: [] } : { part, least, most };
  }

  /** @returns {[number, number]} */
  #readQuantifier() {
    const bounds = this.#readBounds();
    this.#take("?"); // lazy or greedy: the same texts match
    return bounds;
  }

  /** @returns {[number, number]} */
  #readBounds() {
    if (this.#take("*")) return [0, Infinity];
    if (this.#take("+")) return [1, Infinity];
    if (this.#take("?")) return [0, 1];
    if (!this.#take("{")) return [1, 1];
    const [least, most] = this.#readTo("}").split(",");
    return [Number(least), most === undefined ? Number(least) : most ? Number(most) : Infinity];
  }

  /** @returns {Part} */
  #readAtom() {
    if (this.#take("(")) return this.#readGroup();
    if (this.#next() === "^" || this.#next() === "$") {
      throw new PatternFault(`has ${this.#next()} where it is neither at the begin nor at the end`);
    }
    this.#places++;
    const set = this.#take(".") ? anyOfLine() : this.#take("[") ? this.#readClass() : this.#readOne();
    return { set };
  }

  /** @returns {Part} */
  #readGroup() {
    if (this.#take("?") && !this.#take(":")) {
      if (!this.#take("<") || "=!".includes(this.#next())) throw new PatternFault("looks ahead or behind");
      this.#readTo(">");
    }
    const any = this.readBranches(false).map(({ part }) => part);
    this.#at++;
    return { any };
  }

  /** @returns {Characters} what stands between brackets */
  #readClass() {
    const isNegated = this.#take("^");
    /** @type {Characters[]} */
    const members = [];
    while (!this.#take("]")) {
      const from = this.#readOne();
      const isRange = this.#next() === "-" && this.source[this.#at + 1] !== "]";
      if (isRange) this.#at++;
      members.push(isRange ? this.#makeRange(from, this.#readOne()) : from);
    }
    return isNegated ? negate(unite(members)) : unite(members);
  }

  /**
   * @param {Characters} from  a single one
   * @param {Characters} to  a single one
   * @returns {Characters}
   */
  #makeRange(from, to) {
    const [low, high] = [from, to].map(findPoint);
    if (high - Math.max(low, 0x80) >= longestRange) {
      throw new PatternFault(`has a range of more than ${longestRange} characters beyond ASCII`);
    }
    return unite(Array.from({ length: high - low + 1 }, (_, index) => single(String.fromCodePoint(low + index))));
  }

  /** @returns {Characters} a character, or what an escape stands for */
  #readOne() {
    const character = this.source[this.#at++];
    if (character !== "\\") return single(character);
    const escaped = this.source[this.#at++];
    if (escaped in classes) return classes[escaped]();
    if (/[bBpPk1-9]/.test(escaped)) throw new PatternFault(`has \\${escaped}, which is not supported`);
    return single(this.#readEscape(escaped));
  }

  /**
   * @param {string} escaped  what stands after the backslash
   * @returns {string}
   */
  #readEscape(escaped) {
    const named = { t: "\t", n: "\n", r: "\r", f: "\f", v: "\v", 0: "\0" }[escaped];
    if (named) return named;
    if (escaped === "x") return String.fromCodePoint(parseInt(this.#readMany(2), 16));
    if (escaped === "c") return String.fromCodePoint((this.#readMany(1).codePointAt(0) ?? 0) % 32);
    if (escaped !== "u") return escaped;
    if (this.#take("{")) return String.fromCodePoint(parseInt(this.#readTo("}"), 16));
    const high = parseInt(this.#readMany(4), 16);
    const isHalf = high >= 0xd800 && high < 0xdc00 && this.source.slice(this.#at, this.#at + 2).join("") === "\\u";
    if (!isHalf) return String.fromCharCode(high);
    this.#at += 2;
    return String.fromCharCode(high, parseInt(this.#readMany(4), 16));
  }

  /** @returns {string} */
  #next() {
    return this.source[this.#at] ?? "";
  }

  /**
   * @param {string} character
   * @returns {boolean} whether it was there
   */
  #take(character) {
    const isThere = this.#next() === character;
    if (isThere) this.#at++;
    return isThere;
  }

  /**
   * @param {number} count
   * @returns {string}
   */
  #readMany(count) {
    this.#at += count;
    return this.source.slice(this.#at - count, this.#at).join("");
  }

  /**
   * @param {string} end
   * @returns {string} what stands before it
   */
  #readTo(end) {
    const text = this.#readMany(this.source.indexOf(end, this.#at) - this.#at);
    this.#at++;
    return text;
  }
}
