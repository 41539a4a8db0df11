/** The rules of a grammar that is being written. */

import { basicRules, leaveOut, writeCharacters, writeClass, writeLiteral, writePlain } from "./grammar-text.js";

/** Rules by name. */
export class RuleBook {
  /** @type {Map<string, string>} */
  rules = new Map(Object.entries(basicRules));
  /** @type {Map<string, string>} */
  #choices = new Map();

  /**
   * @param {string} hint
   * @param {string} body
   * @returns {string} the rule's name
   */
  add(hint, body) {
    const name = `${hint}_${this.rules.size}`;
    this.rules.set(name, body);
    return name;
  }

  /**
   * Texts that begin alike go on together: the engine makes mistakes with long lists of them.
   * @param {readonly string[][]} texts  each a list of the characters that may stand at one place after the other
   * @returns {string} the rule of any of these
   */
  addChoice(texts) {
    const key = [...new Set(texts.map((text) => text.join("\0")))].sort().join("\0\0");
    const known = this.#choices.get(key);
    if (known) return known;
    /** @type {Map<string, string[][]>} */
    const rests = new Map();
    for (const [first, ...rest] of texts) {
      for (const character of first ?? "") rests.set(character, [...(rests.get(character) ?? []), rest]);
    }
    /** @type {Map<string, string[]>} */
    const firsts = new Map();
    for (const [character, following] of rests) {
      const next = this.addChoice(following);
      firsts.set(next, [...(firsts.get(next) ?? []), writeLiteral(character)]);
    }
    const end = texts.some((text) => !text.length) ? ['""'] : [];
    const parts = [...end, ...[...firsts].map(([next, characters]) => `(${characters.join(" | ")}) ${next}`)];
    const choice = parts.length === 1 ? parts[0] : this.add("choice", parts.join(" | "));
    this.#choices.set(key, choice);
    return choice;
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
    const end = least ? [] : ['"\\""'];
    this.rules.set(name, "");
    const next = most ? this.addLength(Math.max(0, least - 1), most - 1) : "";
    const more = most ? [writeCharacters(next)] : [];
    this.rules.set(name, `(${[...end, ...more].join(" | ")}) (= [,}\\]: ])`);
    return name;
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
