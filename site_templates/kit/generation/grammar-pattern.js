/**
 * Regular expressions (`pattern` in a schema: not anchored) as expressions of a grammar of JSON texts.
 *
 * @typedef {import("./pattern-reader.js").Part} Part
 * @typedef {import("./grammar-rules.js").RuleBook} RuleBook
 */

import { writeSet } from "./grammar-characters.js";
import { writeCharacters } from "./grammar-text.js";
import { PatternStates, findLengths } from "./pattern-states.js";
import { readPattern } from "./pattern-reader.js";

/**
 * @param {string} source
 * @param {RuleBook} book
 * @param {{least: number, most: number}} length  in characters
 * @returns {string | null} the rest of a JSON string that matches, its closing quote included; null where no text of
 *   this length does; throws PatternFault, and SyntaxError where the source is no expression
 */
export function writePattern(source, book, { least, most }) {
  const branches = readPattern(source);
  const own = findLengths(branches);
  if (own.least > most || own.most < least) return null;
  if (own.least < least || own.most > most) return new PatternStates(branches, book).write(least, most);
  const parts = branches.map(({ part, first, last }) => {
    const rest = `${writePart(part)} ${last ? '"\\""' : "rest"}`;
    if (first) return rest;
    const name = book.add("lead", "");
    book.rules.set(name, `${rest} | ${writeCharacters(name)}`);
    return name;
  });
  return `(${parts.join(" | ")})`;
}

/**
 * @param {Part} part
 * @returns {string}
 */
function writePart(part) {
  if ("set" in part) return writeSet(part.set);
  if ("all" in part) return part.all.map(writePart).join(" ") || '""';
  if ("any" in part) return `(${part.any.map(writePart).join(" | ")})`;
  return `${writePart(part.part)}{${part.least},${part.most === Infinity ? "" : part.most}}`;
}
