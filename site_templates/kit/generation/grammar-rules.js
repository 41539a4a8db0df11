/**
 * The rules of a grammar that is being written.
 *
 * @typedef {import("./grammar-multiples.js").Tally} Tally
 */

import { anything } from "./grammar-multiples.js";
import { basicRules, leaveOut, writeCharacters, writeClass, writeLiteral, writePlain } from "./grammar-text.js";

/** So many choices may be looked at for multiples, and so many different ones kept: the engine compiles each. */
const mostChoices = 6000;
const mostKept = 3000;

/** What would take the engine too long. */
export class TooManyRules extends Error {}

/** Up to here every character of a text has a rule of its own: the engine is fastest so. */
const longestOne = 100;
/** In characters: of longer ones the engine has more to compile, of shorter ones more to try out at their borders. */
const block = 64;

/** Rules by name. */
export class RuleBook {
  /** @type {Map<string, string>} */
  rules = new Map(Object.entries(basicRules));
  /** @type {Map<string, string>} */
  #choices = new Map();
  /** Choices by what they say. @type {Map<string, string>} */
  #shared = new Map();
  #added = 0;

  /**
   * @param {string} hint
   * @param {string} body
   * @returns {string} the rule's name
   */
  add(hint, body) {
    const name = `${hint}_${++this.#added}`;
    this.rules.set(name, body);
    return name;
  }

  /**
   * Texts that begin alike go on together: the engine makes mistakes with long lists of them.
   * @param {readonly string[][]} texts  each a list of the characters that may stand at one place after the other
   * @param {Tally} [tally]  what else decides about them
   * @returns {string} the rule of any of these; "" where none fits
   */
  addChoice(texts, tally = anything) {
    const key = [tally.key, ...new Set(texts.map((text) => text.join("\0")).sort())].join("\0\0");
    const known = this.#choices.get(key);
    if (known !== undefined) return known;
    const isTooMuch = this.#choices.size > mostChoices || this.#shared.size > mostKept;
    if (tally !== anything && isTooMuch) throw new TooManyRules();
    /** @type {Map<string, string[][]>} */
    const rests = new Map();
    for (const [first, ...rest] of texts) {
      for (const character of first ?? "") rests.set(character, [...(rests.get(character) ?? []), rest]);
    }
    /** @type {Map<string, string[]>} */
    const firsts = new Map();
    for (const [character, following] of rests) {
      const next = this.addChoice(following, tally.take(character));
      if (next) firsts.set(next, [...(firsts.get(next) ?? []), writeLiteral(character)]);
    }
    const end = tally.fits && texts.some((text) => !text.length) ? ['""'] : [];
    const parts = [...end, ...[...firsts].map(([next, characters]) => `(${characters.join(" | ")}) ${next}`)];
    const choice = parts.length > 1 ? this.#addShared(parts.join(" | ")) : (parts[0] ?? "");
    this.#choices.set(key, choice);
    return choice;
  }

  /**
   * @param {string} body
   * @returns {string} the rule that says this: one for all that say the same
   */
  #addShared(body) {
    const name = this.#shared.get(body) ?? this.add("choice", body);
    this.#shared.set(body, name);
    return name;
  }

  /**
   * @param {number} least  characters that must follow
   * @param {number} most  characters that may follow
   * @returns {string} the rule of the rest of a string; rules are shared between all strings
   */
  addLength(least, most) {
    if (!least && most === Infinity) return "rest";
    const name = `rest_${least}_${most === Infinity ? "any" : most}`;
    if (this.rules.has(name)) return name;
    this.rules.set(name, "");
    const isLong = (most === Infinity ? least : most) > longestOne;
    this.rules.set(name, isLong ? this.#writeLong(least, most) : this.#writeOne(least, most));
    return name;
  }

  /**
   * @param {number} least
   * @param {number} most
   * @returns {string} the next character and what follows it, or the end
   */
  #writeOne(least, most) {
    const end = least ? [] : ['"\\""'];
    const next = most ? this.addLength(Math.max(0, least - 1), most - 1) : "";
    const more = most ? [writeCharacters(next)] : [];
    return `(${[...end, ...more].join(" | ")}) (= [,}\\]: ])`;
  }

  /**
   * A rule for every character of a long text would take the engine seconds to compile: blocks share theirs.
   * @param {number} least
   * @param {number} most
   * @returns {string} the next block and what follows it, or an end within it
   */
  #writeLong(least, most) {
    const whole = Math.min(least || block, block);
    const next = `${this.#addExactly(whole)} ${this.addLength(Math.max(0, least - whole), most - whole)}`;
    return least ? next : `${next} | ${this.addLength(0, block - 1)}`;
  }

  /**
   * @param {number} count
   * @returns {string} the rule of so many characters
   */
  #addExactly(count) {
    const name = `exactly_${count}`;
    if (this.rules.has(name)) return name;
    this.rules.set(name, writeCharacters(count > 1 ? this.#addExactly(count - 1) : '""'));
    return name;
  }

  /**
   * Texts of which each goes on in its own way: those that begin alike share that, so that nothing is to be guessed.
   * @param {readonly {left: string[], after: string}[]} texts  what is left of each, in characters, and what stands
   *   after it; none is the beginning of another
   * @returns {string} the rule of any of these
   */
  addForks(texts) {
    const firsts = [...new Set(texts.map(({ left }) => left[0]))];
    const parts = firsts.map((first) => {
      const rest = texts.filter(({ left }) => left[0] === first);
      const [{ left, after }] = rest;
      if (rest.length === 1) return `${writeLiteral(left.join(""))} ${after}`;
      const fork = left.findIndex((character, index) => rest.some((other) => other.left[index] !== character));
      const shorter = rest.map((each) => ({ ...each, left: each.left.slice(fork) }));
      return `${writeLiteral(left.slice(0, fork).join(""))} ${this.addForks(shorter)}`;
    });
    return this.add("fork", parts.join(" | "));
  }

  /**
   * Names are written without escapes here: otherwise one that is listed could come in disguise.
   * @param {readonly string[][]} names  what is left of them, in characters
   * @returns {string} the rule of the rest of a name that is none of these
   */
  addOtherName(names) {
    const firsts = [...new Set(names.flatMap(([first]) => (first === undefined ? [] : [first])))];
    if (!this.rules.has("name_rest")) this.rules.set("name_rest", `"\\"" | ${writePlain("name_rest")}`);
    // Beyond ASCII a character is several bytes: where one is taken, none of them is free.
    const wide = firsts.some((first) => first > "\x7f");
    const ranges = leaveOut(firsts);
    const free = wide ? `${writeClass(ranges)} name_rest` : writePlain("name_rest", ranges);
    const on = firsts.map((first) => {
      const rest = names.filter((name) => name[0] === first).map((name) => name.slice(1));
      return `${writeLiteral(first)} ${this.addOtherName(rest)}`;
    });
    const end = names.some((name) => !name.length) ? [] : ['"\\""'];
    return this.add("name", [...end, free, ...on].join(" | "));
  }
}

/**
 * @param {string} name
 * @returns {boolean} whether it can be written without an escape
 */
export function isPlain(name) {
  return JSON.stringify(name) === `"${name}"`;
}
