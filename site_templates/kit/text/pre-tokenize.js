/**
 * The pre-tokenizers of tokenizer.json: from a normalized text to the words that the model cuts further.
 *
 * @typedef {object} Word
 * @property {string} text
 * @property {number} at  where it begins in the normalized text, in UTF-16 units
 * @property {number} added  how many units of it, at its beginning, are not in that text
 * @property {string} [source]  what `text` spells in the alphabet for bytes
 *
 * @typedef {(at: number) => boolean} BeginsText  whether what stands there comes from the very first character of all
 * @typedef {(word: Word, beginsText: BeginsText) => Word[]} Step
 * @typedef {(source: string) => RegExp} CompilePattern  from Oniguruma's syntax; with the flags g and u
 */

import { KitError } from "../errors.js";
import { spellText } from "./byte-alphabet.js";
import { escapePattern } from "./pattern.js";
import { cutRanges, findRanges } from "./split.js";
import { withOldCharacters } from "./young-characters.js";

const whiteSpace = /\p{White_Space}/gu;
/** GPT-2's words. */
const byteLevelWords =
  /'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\p{White_Space}\p{L}\p{N}]+|\p{White_Space}+(?!\P{White_Space})|\p{White_Space}+/gu;
const punctuation = /[!-/:-@[-`{-~\p{P}]/gu;
const plainWords =
  /[\p{Alphabetic}\p{M}\p{Nd}\p{Pc}\p{Join_Control}]+|[^\p{Alphabetic}\p{M}\p{Nd}\p{Pc}\p{Join_Control}\p{White_Space}]+/gu;

/** @type {Record<string, (config: any, compile: CompilePattern) => Step>} */
const makers = {
  BertPreTokenizer: () => chain([cutter(whiteSpace, "Removed"), cutter(punctuation, "Isolated", "punctuation")]),
  ByteLevel: makeByteLevel,
  CharDelimiterSplit: ({ delimiter }) => cutter(new RegExp(escapePattern(delimiter), "gu"), "Removed"),
  Digits: ({ individual_digits: alone }) => cutter(/\p{N}/gu, alone ? "Isolated" : "Contiguous"),
  FixedLength: ({ length }) => cutter(new RegExp(`[^]{1,${length}}`, "gu"), "Isolated"),
  Metaspace: makeMetaspace,
  Punctuation: ({ behavior = "Isolated" }) => cutter(punctuation, behavior, "punctuation"),
  Sequence: ({ pretokenizers: steps }, compile) =>
    chain(steps.map((/** @type {any} */ each) => makeStep(each, compile))),
  Split: makeSplit,
  Whitespace: () => cutter(plainWords, "Removed", "patterns", true),
  WhitespaceSplit: () => cutter(whiteSpace, "Removed"),
};

/**
 * @param {any} config  pre_tokenizer of tokenizer.json, or null
 * @param {CompilePattern} compile
 * @returns {(text: string, beginsText: BeginsText) => Word[]}
 */
export function makePreTokenizer(config, compile) {
  if (!config) return (text) => [{ text, at: 0, added: 0 }];
  const step = makeStep(config, compile);
  return (text, beginsText) => step({ text, at: 0, added: 0 }, beginsText);
}

/**
 * @param {any} config
 * @param {CompilePattern} compile
 * @returns {Step}
 */
function makeStep(config, compile) {
  if (Object.hasOwn(makers, config.type)) return makers[config.type](config, compile);
  throw new KitError("bad-manifest", `The tokenizer's pre-tokenizer "${config.type}" is not known.`);
}

/**
 * @param {Step[]} steps
 * @returns {Step}
 */
function chain(steps) {
  return (word, beginsText) =>
    steps.reduce((words, step) => words.flatMap((each) => step(each, beginsText)), [word]);
}

/**
 * @param {RegExp} pattern
 * @param {import("./split.js").Behavior} behavior
 * @param {import("./young-characters.js").Table} [table]  whose characters the reference knows
 * @param {boolean} [inverts]  what does not match is taken for the match
 * @returns {Step}
 */
function cutter(pattern, behavior, table, inverts = false) {
  return ({ text, at, added }) => {
    const ranges = findRanges(table ? withOldCharacters(text, table) : text, pattern);
    if (inverts) ranges.forEach((range) => (range.matched = !range.matched));
    return cutRanges(ranges, behavior).map(({ start, end }) => ({
      text: text.slice(start, end),
      at: at + Math.max(0, start - added),
      added: Math.max(0, added - start),
    }));
  };
}

/**
 * @param {string} prefix
 * @param {Word} word
 * @returns {Word}
 */
function prepend(prefix, { text, at, added }) {
  return { text: prefix + text, at, added: added + prefix.length };
}

/**
 * @param {any} config
 * @returns {Step}
 */
function makeByteLevel({ add_prefix_space: prefixed, use_regex: cuts = true }) {
  const cut = cuts ? cutter(byteLevelWords, "Isolated", "patterns") : (/** @type {Word} */ word) => [word];
  return (word, beginsText) => {
    const whole = prefixed && !word.text.startsWith(" ") ? prepend(" ", word) : word;
    return cut(whole, beginsText).map((each) => ({ ...each, text: spellText(each.text), source: each.text }));
  };
}

/**
 * @param {any} config
 * @returns {Step}
 */
function makeMetaspace({ replacement, prepend_scheme: scheme = "always", split = true }) {
  const spaces = new RegExp(escapePattern(replacement), "gu");
  const cut = split ? cutter(spaces, "MergedWithNext") : (/** @type {Word} */ word) => [word];
  return (word, beginsText) => {
    const spelled = { ...word, text: word.text.replaceAll(" ", () => replacement) };
    const prepends = scheme === "always" || (scheme === "first" && beginsText(word.at));
    return cut(prepends && !spelled.text.startsWith(replacement) ? prepend(replacement, spelled) : spelled, beginsText);
  };
}

/**
 * @param {any} config
 * @param {CompilePattern} compile
 * @returns {Step}
 */
function makeSplit({ pattern, behavior, invert }, compile) {
  const expression = pattern.String === undefined ? compile(pattern.Regex) : new RegExp(escapePattern(pattern.String), "gu");
  return cutter(expression, behavior, pattern.String === undefined ? "patterns" : undefined, invert);
}
