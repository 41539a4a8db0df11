/**
 * The normalizers of tokenizer.json, character by character, as the `tokenizers` library does them: that is why a
 * final sigma stays a sigma, and why CJK characters beyond the basic plane get their spaces. Every character that
 * comes out knows which one of the text it comes from.
 *
 * @typedef {{chars: string[], origins: number[]}} Aligned  characters (code points), and whose each is in the text
 * @typedef {(text: Aligned) => Aligned} Step
 */

import { youngFormat, youngMark } from "./young-characters.js";

/** Control, format, private and surrogate characters, except those that are white space to everybody. */
const control = /^(?![\t\n\r])[\p{Cc}\p{Cf}\p{Co}\p{Cs}]$/u;
const whiteSpace = /^\p{White_Space}$/u;
const nonspacingMark = /^\p{Mn}$/u;
/** What the reference calls Chinese: the blocks of CJK ideographs that BERT knew. */
const ideograph =
  /^[\u{4E00}-\u{9FFF}\u{3400}-\u{4DBF}\u{20000}-\u{2A6DF}\u{2A700}-\u{2B73F}\u{2B740}-\u{2B81F}\u{2B920}-\u{2CEAF}\u{F900}-\u{FAFF}\u{2F800}-\u{2FA1F}]$/u;

/** @type {Record<string, (config: any) => Step>} */
const makers = {
  BertNormalizer: makeBert,
  Lowercase: () => mapChars((char) => char.toLowerCase()),
  StripAccents: () => mapChars((char) => (nonspacingMark.test(char) ? "" : char)),
  NFC: () => mapClusters((cluster) => cluster.normalize("NFC")),
  NFD: () => mapClusters((cluster) => cluster.normalize("NFD")),
  NFKC: () => mapClusters((cluster) => cluster.normalize("NFKC")),
  NFKD: () => mapClusters((cluster) => cluster.normalize("NFKD")),
  Replace: makeReplace,
  Prepend: makePrepend,
  Strip: makeStrip,
  Sequence: ({ normalizers }) => chain(normalizers.map(makeStep)),
};

/**
 * @param {any} config  tokenizer.json's normalizer, or null
 * @returns {boolean} whether every step of it is done here
 */
export function knowsNormalizer(config) {
  if (!config) return true;
  if (config.type === "Sequence") return config.normalizers.every(knowsNormalizer);
  if (config.type === "Replace") return typeof config.pattern?.String === "string";
  return Object.hasOwn(makers, config.type);
}

/**
 * @param {any} config  one that `knowsNormalizer`
 * @returns {(text: string) => Aligned}
 */
export function makeNormalizer(config) {
  const step = config ? makeStep(config) : (/** @type {Aligned} */ text) => text;
  return (text) => {
    const chars = Array.from(text);
    return step({ chars, origins: chars.map((_, index) => index) });
  };
}

/**
 * @param {any} config
 * @returns {Step}
 */
function makeStep(config) {
  return makers[config.type](config);
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
  return ({ chars, origins }) => {
    /** @type {Aligned} */
    const out = { chars: [], origins: [] };
    chars.forEach((char, index) => {
      for (const changed of change(char)) {
        out.chars.push(changed);
        out.origins.push(origins[index]);
      }
    });
    return out;
  };
}

/**
 * A character with the marks that follow it becomes others; they come from its beginning.
 * @param {(cluster: string) => string} change
 * @returns {Step}
 */
function mapClusters(change) {
  return (text) => {
    const normal = change(text.chars.join(""));
    if (normal === text.chars.join("")) return text;
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
 * @returns {string}
 */
function stripAccents(char) {
  return char.normalize("NFD").replace(/[\p{Mn}\u1734]/gu, (mark) => (youngMark.test(mark) ? mark : ""));
}

/**
 * @param {any} config
 * @returns {Step}
 */
function makeBert({ clean_text: clean, handle_chinese_chars: spaced, strip_accents: strip, lowercase }) {
  const steps = [
    clean && mapChars(cleanChar),
    spaced && mapChars((char) => (ideograph.test(char) ? ` ${char} ` : char)),
    (strip ?? lowercase) && mapChars(stripAccents),
    lowercase && mapChars((char) => char.toLowerCase()),
  ];
  return chain(steps.filter(Boolean));
}

/**
 * @param {any} config
 * @returns {Step}
 */
function makeReplace({ pattern, content }) {
  const wanted = Array.from(/** @type {string} */ (pattern.String));
  const given = Array.from(/** @type {string} */ (content));
  return ({ chars, origins }) => {
    /** @type {Aligned} */
    const out = { chars: [], origins: [] };
    for (let index = 0; index < chars.length; ) {
      const found = wanted.length > 0 && wanted.every((char, place) => chars[index + place] === char);
      const put = found ? given : [chars[index]];
      put.forEach((char, place) => {
        out.chars.push(char);
        out.origins.push(origins[Math.min(index + place, index + (found ? wanted.length : 1) - 1)]);
      });
      index += found ? wanted.length : 1;
    }
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
