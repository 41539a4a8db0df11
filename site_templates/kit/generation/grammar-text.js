/**
 * The notation that the grammar engine reads (EBNF): literals, classes of characters, and the characters of a JSON text.
 *
 * @typedef {readonly [number, number]} Range  of ASCII characters, both ends included
 */

/** What of ASCII may stand in a JSON string as it is: no quote, no backslash, no control character. @type {readonly Range[]} */
export const plainRanges = [
  [0x20, 0x21],
  [0x23, 0x5b],
  [0x5d, 0x7e],
];

// The engine takes a class of characters from U+0080 to U+00FF for single bytes, as long as the class has two or more
// members; larger characters it reads wrongly. So the characters beyond ASCII are written as the bytes of UTF-8.
const later = "[\\u0080-\\u00bf]";
/** All characters beyond ASCII. */
export const wideBytes = [
  `[\\u00c2-\\u00df] ${later}`,
  `[\\u00e0-\\u00ec] [\\u00a0-\\u00bf] ${later}`,
  `[\\u00e1-\\u00ed] [\\u0080-\\u009f] ${later}`,
  `[\\u00ee-\\u00ef] ${later} ${later}`,
  `[\\u00f0-\\u00f3] [\\u0090-\\u00bf] ${later} ${later}`,
  `[\\u00f1-\\u00f4] [\\u0080-\\u008f] ${later} ${later}`,
];

/** All but the two that end a line (U+2028, U+2029), which are among the alternatives of the third sequence above. */
export const wideLineBytes = [
  ...wideBytes.filter((_, index) => index !== 2),
  `[\\u00e1\\u00e4-\\u00ed] [\\u0080-\\u009f] ${later}`,
  `[\\u00e2-\\u00e3] [\\u0081-\\u009f] ${later}`,
  `[\\u00e2-\\u00e3] [\\u0080-\\u0081] [\\u0080-\\u00a7]`,
  `[\\u00e2-\\u00e3] [\\u0080-\\u0081] [\\u00aa-\\u00bf]`,
];

/** The rules that every grammar of JSON texts may name. */
export const basicRules = Object.freeze({
  space: '" "?',
  hex: "[0-9a-fA-F]",
  // What \\u spells must be a character, or both halves of one.
  escape:
    '["\\\\/bfnrt] | "u" ([0-9a-cA-CefEF] hex hex hex | [dD] [0-7] hex hex | [dD] [89abAB] hex hex "\\\\u" [dD] [c-fC-F] hex hex)',
  // A rule that calls itself last, with what may follow it, lets the engine judge most tokens ahead of time.
  rest: `("\\"" | ${writeCharacters("rest")}) (= [,}\\]: ])`,
  string: '"\\"" rest',
  // Fifteen digits are exact in a double, and no number grows into infinity.
  integer: '"0" | "-"? [1-9] [0-9]{0,14}',
  number: '"-"? ("0" | [1-9] [0-9]{0,14}) ("." [0-9]{1,15})? ([eE] [+-]? [0-9]{1,2})?',
  boolean: '"true" | "false"',
  value: 'string | number | object | array | boolean | "null"',
  pair: 'string ":" space value',
  object: '"{" (pair ("," space pair)*)? "}"',
  array: '"[" (value ("," space value)*)? "]"',
});

/**
 * @param {string} text
 * @returns {string} that very text
 */
export function writeLiteral(text) {
  return `"${text.replace(/[\\"]/g, "\\$&").replace(/[\n\r\t]/g, (blank) => ({ "\n": "\\n", "\r": "\\r" })[blank] ?? "\\t")}"`;
}

/**
 * @param {readonly Range[]} ranges  not empty
 * @returns {string} one character of them
 */
export function writeClass(ranges) {
  return `[${ranges.map((range) => range.map(writePoint).join("-")).join("")}]`;
}

/**
 * @param {number} point
 * @returns {string}
 */
function writePoint(point) {
  return `\\u${point.toString(16).padStart(4, "0")}`;
}

/**
 * @param {string} next  what follows it
 * @param {readonly Range[]} [ranges]  of ASCII
 * @returns {string} one character of a JSON string that needs no escape
 */
export function writePlain(next, ranges = plainRanges) {
  return [writeClass(ranges), ...wideBytes].map((character) => `${character} ${next}`).join(" | ");
}

/**
 * @param {string} next  what follows it
 * @returns {string} one character of a JSON string, escaped or not
 */
export function writeCharacters(next) {
  return `${writePlain(next)} | "\\\\" escape ${next}`;
}

/**
 * @param {readonly string[]} characters
 * @returns {Range[]} the plain ones without these
 */
export function leaveOut(characters) {
  const points = [...new Set(characters.map((character) => character.codePointAt(0) ?? 0))].sort(
    (left, right) => left - right,
  );
  return points.reduce(
    (ranges, point) =>
      ranges.flatMap(([from, to]) => {
        if (point < from || point > to) return [/** @type {Range} */ ([from, to])];
        const around = /** @type {Range[]} */ ([
          [from, point - 1],
          [point + 1, to],
        ]);
        return around.filter(([low, high]) => low <= high);
      }),
    [...plainRanges],
  );
}

/**
 * @param {number} most
 * @returns {string}
 */
export function writeMost(most) {
  return most === Infinity ? "" : String(most);
}

/**
 * @param {string | null} pair
 * @param {{least: number, most: number}} limits
 * @returns {string} an object whose names are free
 */
export function writeMap(pair, { least, most }) {
  if (!pair || most === 0) return '"{}"';
  return `"{" ${pair} ("," space ${pair}){0,${writeMost(most - 1)}} "}"${least ? "" : ' | "{}"'}`;
}
