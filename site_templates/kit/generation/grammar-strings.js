/**
 * The strings that a schema allows: by their length, by a format that has a name, or by a pattern.
 *
 * @typedef {Record<string, any>} Schema
 * @typedef {(keys: string[], what: string) => Error} Refuse  makes the error for what cannot be kept in this place
 */

import { textFormats } from "./grammar-formats.js";
import { writePattern } from "./grammar-pattern.js";
import { PatternFault } from "./grammar-characters.js";
import { describe } from "./schema-facts.js";

/** A longer text has no state of its own in the engine for every character any more, and every token becomes slow. */
const longestText = 100;

/**
 * @param {Schema} schema  of type string
 * @param {import("./grammar-rules.js").RuleBook} book
 * @param {Refuse} refuse
 * @returns {string} an expression
 */
export function writeString(schema, book, refuse) {
  const { format, pattern } = schema;
  const form = ["format", "pattern"].find((key) => schema[key] !== undefined);
  if (!form) return writeMeasured(schema, book, refuse);
  const beside = ["pattern", "minLength", "maxLength"].find((key) => key !== form && schema[key] !== undefined);
  if (beside) throw refuse([], `has ${beside} beside ${form}, which is not supported`);
  return `("\\"" ${form === "format" ? writeFormat(format, book, refuse) : readPattern(pattern, book, refuse)})`;
}

/**
 * @param {Schema} schema
 * @param {import("./grammar-rules.js").RuleBook} book
 * @param {Refuse} refuse
 * @returns {string}
 */
function writeMeasured(schema, book, refuse) {
  const least = readCount(schema, "minLength", refuse) ?? 0;
  const most = readCount(schema, "maxLength", refuse) ?? Infinity;
  if (!least && most === Infinity) return "string";
  if (least > most) throw refuse([], "allows no text at all");
  const states = most === Infinity ? least : most;
  if (states > longestText) {
    throw refuse([], `has a length of ${states}: texts can be measured up to ${longestText} characters`);
  }
  return `("\\"" ${book.addLength(least, most)})`;
}

/**
 * @param {unknown} format
 * @param {import("./grammar-rules.js").RuleBook} book
 * @param {Refuse} refuse
 * @returns {string} the rest of the string
 */
function writeFormat(format, book, refuse) {
  if (typeof format !== "string" || !Object.hasOwn(textFormats, format)) {
    throw refuse(["format"], `is ${describe(format)}; supported are ${Object.keys(textFormats).join(", ")}`);
  }
  return `${textFormats[format].map((part) => book.addChoice(part)).join(" ")} "\\""`;
}

/**
 * @param {unknown} pattern
 * @param {import("./grammar-rules.js").RuleBook} book
 * @param {Refuse} refuse
 * @returns {string} the rest of the string
 */
function readPattern(pattern, book, refuse) {
  if (typeof pattern !== "string") throw refuse(["pattern"], `must be a text, not ${describe(pattern)}`);
  try {
    return writePattern(pattern, book);
  } catch (error) {
    if (error instanceof PatternFault) throw refuse(["pattern"], `(${pattern.slice(0, 80)}) ${error.message}`);
    if (error instanceof SyntaxError) throw refuse(["pattern"], `is not a regular expression: ${error.message}`);
    throw error;
  }
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
