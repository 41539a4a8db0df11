/**
 * The normalizers of tokenizer.json, character by character, as the `tokenizers` library does them: that is why a
 * final sigma stays a sigma, and why CJK characters beyond the basic plane get their spaces. Every character that
 * comes out knows which one of the text it comes from.
 *
 * @typedef {{chars: string[], origins: number[]}} Aligned  characters (code points), and whose each is in the text
 * @typedef {(text: Aligned) => Aligned} Step
 * @typedef {import("./pre-tokenize.js").CompilePattern} CompilePattern
 */

import { KitError } from "../errors.js";
import { spellText } from "./byte-alphabet.js";
import { countCharacters } from "./characters.js";
import { escapePattern } from "./pattern.js";
import { Charsmap } from "./precompiled.js";
import { findRanges } from "./split.js";
import { isCombining, normalizeOld, youngFormat, youngMark } from "./young-characters.js";

/** Control, format, private and surrogate characters, except those that are white space to everybody. */
const control = /^(?![\t\n\r])[\p{Cc}\p{Cf}\p{Co}\p{Cs}]$/u;
const whiteSpace = /^\p{White_Space}$/u;
/** What the reference calls Chinese: the blocks of CJK ideographs that BERT knew. */
const ideograph =
  /^[\u{4E00}-\u{9FFF}\u{3400}-\u{4DBF}\u{20000}-\u{2A6DF}\u{2A700}-\u{2B73F}\u{2B740}-\u{2B81F}\u{2B920}-\u{2CEAF}\u{F900}-\u{FAFF}\u{2F800}-\u{2FA1F}]$/u;

/** What SentencePiece's older normalization drops, and what it takes for a space. */
const nmtDropped = /^[\x01-\x08\x0B\x0E-\x1F\x7F\x8F\x9F]$/;
const nmtSpace = /^[\t\n\f\r\u1680\u200B-\u200F\u2028\u2029\u2581\uFEFF\uFFFD]$/;

/** @type {Record<string, (config: any, compile: CompilePattern) => Step>} */
const makers = {
  BertNormalizer: makeBert,
  ByteLevel: () => mapChars(spellText),
  Lowercase: () => mapChars((char) => char.toLowerCase()),
  StripAccents: () => mapChars((char) => (isCombining(char) ? "" : char)),
  NFC: () => mapClusters("NFC"),
  NFD: () => mapClusters("NFD"),
  NFKC: () => mapClusters("NFKC"),
  NFKD: () => mapClusters("NFKD"),
  Nmt: () => mapChars((char) => (nmtDropped.test(char) ? "" : nmtSpace.test(char) ? " " : char)),
  Precompiled: makePrecompiled,
  Replace: makeReplace,
  Prepend: makePrepend,
  Strip: makeStrip,
  Sequence: ({ normalizers }, compile) => chain(normalizers.map((/** @type {any} */ each) => makeStep(each, compile))),
};

/**
 * @param {any} config  tokenizer.json's normalizer, or null
 * @param {CompilePattern} compile
 * @returns {(text: string) => Aligned}
 */
export function makeNormalizer(config, compile) {
  const step = config ? makeStep(config, compile) : (/** @type {Aligned} */ text) => text;
  return (text) => {
    const chars = Array.from(text);
    return step({ chars, origins: chars.map((_, index) => index) });
  };
}

/**
 * @param {any} config
 * @param {CompilePattern} compile
 * @returns {Step}
 */
function makeStep(config, compile) {
  if (Object.hasOwn(makers, config.type)) return makers[config.type](config, compile);
  throw new KitError("bad-manifest", `The tokenizer's normalizer "${config.type}" is not known.`);
}

/**
 * @param {Step[]} steps
 * @returns {Step}
 */
function chain(steps) {
  return (text) => steps.reduce((aligned, step) => step(aligned), text);
}

/**
 * Each character becomes any number of them.
 * @param {(char: string) => string} change
 * @returns {Step}
 */
function mapChars(change) {
  /** @type {Map<string, string>} */
  const known = new Map();
  const look = (/** @type {string} */ char) => {
    let changed = known.get(char);
    if (changed === undefined) known.set(char, (changed = change(char)));
    return changed;
  };
  return (text) => {
    if (text.chars.every((char) => look(char) === char)) return text;
    /** @type {Aligned} */
    const out = { chars: [], origins: [] };
    text.chars.forEach((char, index) => {
      const changed = look(char);
      if (changed.length === 1) pushChar(out, changed, text.origins[index]);
      else for (const each of changed) pushChar(out, each, text.origins[index]);
    });
    return out;
  };
}

/**
 * @param {Aligned} out
 * @param {string} char
 * @param {number} origin
 */
function pushChar({ chars, origins }, char, origin) {
  chars.push(char);
  origins.push(origin);
}

/**
 * A character with the marks that follow it becomes others; they come from its beginning.
 * @param {"NFC" | "NFD" | "NFKC" | "NFKD"} form
 * @returns {Step}
 */
function mapClusters(form) {
  const change = (/** @type {string} */ text) => normalizeOld(text, (old) => old.normalize(form));
  return (text) => {
    const whole = text.chars.join("");
    if (change(whole) === whole) return text;
    /** @type {Aligned} */
    const out = { chars: [], origins: [] };
    for (let start = 0; start < text.chars.length; ) {
      let end = start + 1;
      while (end < text.chars.length && !isBoundary(text.chars, start, end, change)) end++;
      const changed = Array.from(change(text.chars.slice(start, end).join("")));
      changed.forEach((char, index) => {
        out.chars.push(char);
        out.origins.push(text.origins[Math.min(start + index, end - 1)]);
      });
      start = end;
    }
    return out;
  };
}

/**
 * Whether what stands before `end` is not changed by what follows.
 * @param {string[]} chars
 * @param {number} start
 * @param {number} end
 * @param {(cluster: string) => string} change
 * @returns {boolean}
 */
function isBoundary(chars, start, end, change) {
  if (chars[end] < "\u0300") return true; // nothing older combines with what stands before it
  const before = chars.slice(start, end).join("");
  return change(before + chars[end]) === change(before) + change(chars[end]) && !/^\p{M}/u.test(chars[end]);
}

/**
 * @param {string} char
 * @returns {string}
 */
function cleanChar(char) {
  if (/[\0\uFFFD]/.test(char) || (control.test(char) && !youngFormat.test(char))) return "";
  return whiteSpace.test(char) ? " " : char;
}

/**
 * @param {string} char
 * @returns {string} nothing for an accent
 */
function dropAccent(char) {
  return /^[\p{Mn}\u1734\u{1171E}]$/u.test(char) && !youngMark.test(char) ? "" : char;
}

/**
 * @param {any} config
 * @returns {Step}
 */
function makeBert({ clean_text: clean, handle_chinese_chars: spaced, strip_accents: strip, lowercase }) {
  const steps = [
    clean && mapChars(cleanChar),
    spaced && mapChars((char) => (ideograph.test(char) ? ` ${char} ` : char)),
    (strip ?? lowercase) && chain([mapClusters("NFD"), mapChars(dropAccent)]),
    lowercase && mapChars((char) => char.toLowerCase()),
  ];
  return chain(steps.filter(Boolean));
}

/**
 * @param {any} config
 * @param {CompilePattern} compile
 * @returns {Step}
 */
function makeReplace({ pattern, content }, compile) {
  const given = Array.from(/** @type {string} */ (content));
  const plain = pattern.String;
  const expression = plain === undefined ? compile(pattern.Regex) : new RegExp(escapePattern(plain), "gu");
  return (text) => {
    const whole = text.chars.join("");
    const ranges = findRanges(whole, expression);
    if (!ranges.some(({ matched }) => matched)) return text;
    /** @type {Aligned} */
    const out = { chars: [], origins: [] };
    let at = 0;
    for (const { start, end, matched } of ranges) {
      const next = at + countCharacters(whole.slice(start, end));
      // All that is put there comes from the last character of what it replaces.
      if (matched) for (const char of given) pushChar(out, char, text.origins[Math.max(0, next - 1)]);
      else for (; at < next; at++) pushChar(out, text.chars[at], text.origins[at]);
      at = next;
    }
    return out;
  };
}

/**
 * @param {any} config
 * @returns {Step}
 */
function makePrecompiled({ precompiled_charsmap: base64 }) {
  const charsmap = new Charsmap(base64);
  return (text) => {
    /** @type {Aligned} */
    const out = { chars: [], origins: [] };
    let at = 0;
    charsmap.replace(text.chars.join(""), (chars, from) => {
      chars.forEach((char, place) => pushChar(out, char, text.origins[at + Math.min(place, from - 1)]));
      at += from;
    });
    return out;
  };
}

/**
 * @param {any} config
 * @returns {Step} nothing is put before an empty text
 */
function makePrepend({ prepend }) {
  const first = Array.from(/** @type {string} */ (prepend));
  return ({ chars, origins }) =>
    chars.length
      ? { chars: [...first, ...chars], origins: [...first.map(() => origins[0]), ...origins] }
      : { chars, origins };
}

/**
 * @param {any} config
 * @returns {Step}
 */
function makeStrip({ strip_left: left, strip_right: right }) {
  return ({ chars, origins }) => {
    let [start, end] = [0, chars.length];
    while (left && start < end && whiteSpace.test(chars[start])) start++;
    while (right && end > start && whiteSpace.test(chars[end - 1])) end--;
    return { chars: chars.slice(start, end), origins: origins.slice(start, end) };
  };
}
