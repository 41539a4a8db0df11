/**
 * The characters that a regular expression allows at one place. What lies beyond ASCII is kept as single characters,
 * as everything, or as nothing: where an expression is finer, less is allowed than it allows.
 *
 * @typedef {{ascii: boolean[], wide: Wide, letters: string[]}} Characters
 * @typedef {"none" | "line" | "all"} Wide  what beyond ASCII: line is all but the ends of lines
 */

import { plainRanges, wideBytes, wideLineBytes, writeClass, writeLiteral } from "./grammar-text.js";

/** Of the control characters those that JSON has short names for. */
const shortNamed = "\b\t\n\f\r";

/** What an expression has that a grammar cannot say. */
export class PatternFault extends Error {}

/** What an escape stands for that is more than one character. @type {Record<string, () => Characters>} */
export const classes = {
  d: () => matching(/\d/, "none"),
  D: () => matching(/\D/, "all"),
  w: () => matching(/\w/, "none"),
  W: () => matching(/\W/, "all"),
  s: () => matching(/\s/, "none"),
  S: () => matching(/\S/, "none"), // beyond ASCII there are blanks, too
};

/**
 * @param {RegExp} test
 * @param {Wide} wide
 * @returns {Characters}
 */
function matching(test, wide) {
  return { ascii: Array.from({ length: 128 }, (_, point) => test.test(String.fromCharCode(point))), wide, letters: [] };
}

/** @returns {Characters} all that do not end a line */
export function anyOfLine() {
  return { ...negate(unite(["\n", "\r"].map(single))), wide: "line" };
}

/**
 * @param {string} character
 * @returns {Characters}
 */
export function single(character) {
  const point = character.codePointAt(0) ?? 0;
  const none = matching(/[]/, "none");
  if (point < 128) none.ascii[point] = true;
  return { ...none, letters: point < 128 ? [] : [character] };
}

/**
 * @param {Characters} characters  a single one
 * @returns {number} its code point
 */
export function findPoint({ ascii, letters }) {
  return letters.length ? (letters[0].codePointAt(0) ?? 0) : ascii.indexOf(true);
}

/**
 * @param {readonly Characters[]} sets
 * @returns {Characters}
 */
export function unite(sets) {
  return {
    ascii: Array.from({ length: 128 }, (_, point) => sets.some(({ ascii }) => ascii[point])),
    wide: sets.some(({ wide }) => wide === "all") ? "all" : "none",
    letters: [...new Set(sets.flatMap(({ letters }) => letters))],
  };
}

/**
 * @param {Characters} characters
 * @returns {Characters}
 */
export function negate({ ascii, wide, letters }) {
  return { ascii: ascii.map((has) => !has), wide: wide === "none" && !letters.length ? "all" : "none", letters: [] };
}

/**
 * @param {Characters} characters
 * @returns {string} one of them, as it is written in a JSON string
 */
export function writeSet({ ascii, wide, letters }) {
  const has = (/** @type {number} */ point) => ascii[point];
  const ranges = plainRanges.flatMap(([low, high]) => listRuns(low, high, has));
  const escaped = Array.from(`"\\${shortNamed}`).filter((character) => has(character.charCodeAt(0)));
  const parts = [
    ...(ranges.length ? [writeClass(ranges)] : []),
    ...escaped.map((character) => writeLiteral(JSON.stringify(character).slice(1, -1))),
    ...(wide === "all" ? wideBytes : wide === "line" ? wideLineBytes : letters.map(writeLiteral)),
  ];
  if (!parts.length) throw new PatternFault("asks for a character that is not supported");
  return parts.length === 1 && ranges.length ? parts[0] : `(${parts.join(" | ")})`;
}

/**
 * @param {number} low
 * @param {number} high
 * @param {(point: number) => boolean} has
 * @returns {import("./grammar-text.js").Range[]}
 */
function listRuns(low, high, has) {
  /** @type {[number, number][]} */
  const runs = [];
  for (let point = low; point <= high; point++) {
    if (!has(point)) continue;
    const last = runs.at(-1);
    if (last && last[1] === point - 1) last[1] = point;
    else runs.push([point, point]);
  }
  return runs;
}
