/**
 * The strings that a schema allows: by their length, by a format that has a name, or by a pattern.
 *
 * @typedef {Record<string, any>} Schema
 * @typedef {{least: number, most: number}} Length  in characters
 * @typedef {(keys: string[], what: string) => Error} Refuse  makes the error for what cannot be kept in this place
 */

import { textFormats } from "./grammar-formats.js";
import { writePattern } from "./grammar-pattern.js";
import { PatternFault } from "./grammar-characters.js";
import { describe } from "./schema-facts.js";

/** No model's answer is as long as this by far. */
const longestText = 10_000;

/**
 * @param {Schema} schema  of type string
 * @param {import("./grammar-rules.js").RuleBook} book
 * @param {Refuse} refuse
 * @returns {string} an expression
 */
export function writeString(schema, book, refuse) {
  const { format, pattern } = schema;
  if (format !== undefined && pattern !== undefined) throw refuse([], "has pattern beside format, which is not supported");
  const length = readLength(schema, refuse);
  if (format !== undefined) return `("\\"" ${writeFormat(format, length, book, refuse)})`;
  if (pattern !== undefined) return `("\\"" ${writeMatching(pattern, length, book, refuse)})`;
  const rest = book.addLength(length.least, length.most);
  return rest === "rest" ? "string" : `("\\"" ${rest})`;
}

/**
 * @param {Schema} schema
 * @param {Refuse} refuse
 * @returns {Length}
 */
function readLength(schema, refuse) {
  const least = readCount(schema, "minLength", refuse) ?? 0;
  const most = readCount(schema, "maxLength", refuse) ?? Infinity;
  if (least > most) throw refuse([], "allows no text at all");
  const counted = most === Infinity ? least : most;
  if (counted <= longestText) return { least, most };
  throw refuse([], `has a length of ${counted}: texts can be measured up to ${longestText} characters`);
}

/**
 * @param {unknown} format
 * @param {Length} length
 * @param {import("./grammar-rules.js").RuleBook} book
 * @param {Refuse} refuse
 * @returns {string} the rest of the string
 */
function writeFormat(format, { least, most }, book, refuse) {
  if (typeof format !== "string" || !Object.hasOwn(textFormats, format)) {
    throw refuse(["format"], `is ${describe(format)}; supported are ${Object.keys(textFormats).join(", ")}`);
  }
  const lengths = textFormats[format].map((part) => part.map(({ length }) => length));
  const shortest = lengths.reduce((sum, each) => sum + Math.min(...each), 0);
  const longest = lengths.reduce((sum, each) => sum + Math.max(...each), 0);
  if (shortest < least || longest > most) {
    const words = shortest === longest ? longest : `${shortest} to ${longest}`;
    throw refuse([], `has a length beside the format ${format}, whose texts have ${words} characters`);
  }
  return `${textFormats[format].map((part) => book.addChoice(part)).join(" ")} "\\""`;
}

/**
 * @param {unknown} pattern
 * @param {Length} length
 * @param {import("./grammar-rules.js").RuleBook} book
 * @param {Refuse} refuse
 * @returns {string} the rest of the string
 */
function writeMatching(pattern, length, book, refuse) {
  if (typeof pattern !== "string") throw refuse(["pattern"], `must be a text, not ${describe(pattern)}`);
  try {
    const rest = writePattern(pattern, book, length);
    if (rest !== null) return rest;
  } catch (error) {
    if (error instanceof PatternFault) throw refuse(["pattern"], `(${pattern.slice(0, 80)}) ${error.message}`);
    if (error instanceof SyntaxError) throw refuse(["pattern"], `is not a regular expression: ${error.message}`);
    throw error;
  }
  throw refuse([], "has a pattern that no text of its length matches");
}

/**
 * @param {Schema} schema
 * @param {string} key
 * @param {Refuse} refuse
 * @returns {number | null} none where the schema does not say
 */
export function readCount(schema, key, refuse) {
  const count = schema[key] ?? null;
  if (count === null || (Number.isInteger(count) && count >= 0)) return count;
  throw refuse([key], `must be a whole number, not ${describe(count)}`);
}
