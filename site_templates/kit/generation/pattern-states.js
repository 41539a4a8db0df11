/**
 * A regular expression and a length at once: what may follow is known of every place in the expression together with
 * the number of characters that are still to come.
 *
 * @typedef {import("./pattern-reader.js").Part} Part
 * @typedef {import("./pattern-reader.js").Branch} Branch
 * @typedef {import("./grammar-characters.js").Characters} Characters
 *
 * @typedef {object} State
 * @property {State[]} free  where it leads without a character
 * @property {{write: (next: string) => string, to: State} | null} step
 * @property {number} id
 */

import { PatternFault, writeSet } from "./grammar-characters.js";
import { writeCharacters } from "./grammar-text.js";

/** Each is a state of the engine, which takes some milliseconds to compile. */
const mostStates = 600;

/** One expression, as states. */
export class PatternStates {
  #count = 0;
  /** The rules of a state and a length; null where no text is that long. @type {Map<string, string | null>} */
  #rules = new Map();

  /**
   * @param {readonly Branch[]} branches
   * @param {import("./grammar-rules.js").RuleBook} book
   */
  constructor(branches, book) {
    this.book = book;
    this.end = this.#make();
    this.start = this.#make(...branches.map((branch) => this.#makeBranch(branch)));
  }

  /**
   * @param {number} least  characters
   * @param {number} most
   * @returns {string | null} the rest of a JSON string, its closing quote included; null where there is none
   */
  write(least, most) {
    return this.#add(this.start, least, most);
  }

  /**
   * @param {...State} free
   * @returns {State}
   */
  #make(...free) {
    return { free, step: null, id: this.#count++ };
  }

  /**
   * @param {(next: string) => string} write
   * @param {State} to
   * @returns {State}
   */
  #makeStep(write, to) {
    return { free: [], step: { write, to }, id: this.#count++ };
  }

  /**
   * @param {Branch} branch
   * @returns {State}
   */
  #makeBranch({ part, first, last }) {
    const after = last ? this.end : this.#makeAny(this.end);
    const begin = this.#makePart(part, after);
    return first ? begin : this.#makeAny(begin);
  }

  /**
   * @param {State} next
   * @returns {State} any number of any characters before it
   */
  #makeAny(next) {
    const loop = this.#make(next);
    loop.free.push(this.#makeStep(writeCharacters, loop));
    return loop;
  }

  /**
   * @param {Part} part
   * @param {State} next
   * @returns {State} where the part begins
   */
  #makePart(part, next) {
    if ("set" in part) {
      const set = writeSet(part.set);
      return this.#makeStep((name) => `${set} ${name}`, next);
    }
    if ("all" in part) return part.all.reduceRight((after, each) => this.#makePart(each, after), next);
    if ("any" in part) return this.#make(...part.any.map((each) => this.#makePart(each, next)));
    const { part: inner, least, most } = part;
    let state = next;
    if (most === Infinity) {
      state = this.#make(next);
      state.free.push(this.#makePart(inner, state));
    } else {
      for (let count = least; count < most; count++) state = this.#make(next, this.#makePart(inner, state));
    }
    for (let count = 0; count < least; count++) state = this.#makePart(inner, state);
    return state;
  }

  /**
   * @param {State} state
   * @param {number} least
   * @param {number} most
   * @returns {string | null} the rule of what is left
   */
  #add(state, least, most) {
    const key = `${state.id} ${least} ${most}`;
    const known = this.#rules.get(key);
    if (known !== undefined) return known;
    if (this.#rules.size >= mostStates) {
      throw new PatternFault(`and the length beside it take more than ${mostStates} states: allow for shorter texts`);
    }
    const name = this.book.add("match", "");
    this.#rules.set(key, name);
    const reached = follow(state);
    const parts = reached.has(this.end) && !least ? ['"\\""'] : [];
    for (const { step } of reached) {
      if (!step || !most) continue;
      const next = this.#add(step.to, Math.max(0, least - 1), most - 1);
      if (next) parts.push(step.write(next));
    }
    if (parts.length) this.book.rules.set(name, `(${parts.join(" | ")}) (= [,}\\]: ])`);
    else this.book.rules.delete(name);
    this.#rules.set(key, parts.length ? name : null);
    return parts.length ? name : null;
  }
}

/**
 * @param {State} state
 * @param {Set<State>} [reached]
 * @returns {Set<State>} where it leads without a character, itself included
 */
function follow(state, reached = new Set()) {
  if (reached.has(state)) return reached;
  reached.add(state);
  for (const next of state.free) follow(next, reached);
  return reached;
}

/**
 * @param {readonly Branch[]} branches
 * @returns {{least: number, most: number}} characters of the texts that match
 */
export function findLengths(branches) {
  const own = branches.map(({ part, first, last }) => {
    const { least, most } = measure(part);
    return { least, most: first && last ? most : Infinity };
  });
  return { least: Math.min(...own.map(({ least }) => least)), most: Math.max(...own.map(({ most }) => most)) };
}

/**
 * @param {Part} part
 * @returns {{least: number, most: number}}
 */
function measure(part) {
  if ("set" in part) return { least: 1, most: 1 };
  if ("part" in part) {
    const { least, most } = measure(part.part);
    return { least: least * part.least, most: most && most * part.most };
  }
  const parts = ("all" in part ? part.all : part.any).map(measure);
  const join = "all" in part ? (/** @type {number[]} */ counts) => counts.reduce((sum, count) => sum + count, 0) : null;
  const [leasts, mosts] = [parts.map(({ least }) => least), parts.map(({ most }) => most)];
  return join ? { least: join(leasts), most: join(mosts) } : { least: Math.min(...leasts), most: Math.max(...mosts) };
}
