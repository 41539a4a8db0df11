/**
 * The decoders of tokenizer.json: from tokens back to text.
 *
 * @typedef {(tokens: string[]) => string[]} Step
 * @typedef {import("./pre-tokenize.js").CompilePattern} CompilePattern
 */

import { KitError } from "../errors.js";
import { readSpelling } from "./byte-alphabet.js";

const lossy = new TextDecoder("utf-8", { ignoreBOM: true });
const strict = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

/** What is tidied up in English text, in this order: all but one lose the space before them. */
const spaced = [" .", " ?", " !", " ,", " ' ", " n't", " 'm", " do not", " 's", " 've", " 're"];

/** @type {Record<string, (config: any, compile: CompilePattern) => Step>} */
const makers = {
  BPEDecoder: ({ suffix }) => (tokens) =>
    tokens.map((token, index) => token.replaceAll(suffix, index === tokens.length - 1 ? "" : " ")),
  ByteFallback: () => fuseBytes,
  ByteLevel: () => (tokens) => [lossy.decode(joinBytes(tokens.map(readSpelling)))],
  CTC: makeCtc,
  Fuse: () => (tokens) => [tokens.join("")],
  Metaspace: makeMetaspace,
  Replace: makeReplace,
  Sequence: ({ decoders }, compile) => {
    const steps = /** @type {Step[]} */ (decoders.map((/** @type {any} */ each) => makeStep(each, compile)));
    return (tokens) => steps.reduce((current, step) => step(current), tokens);
  },
  Strip: ({ content, start, stop }) => (tokens) => tokens.map((token) => strip(token, content, start, stop)),
  WordPiece: makeWordPiece,
};

/**
 * @param {any} config  decoder of tokenizer.json, or null
 * @param {CompilePattern} compile
 * @returns {(tokens: string[]) => string}
 */
export function makeDecoder(config, compile) {
  if (!config) return (tokens) => tokens.join(" ");
  const step = makeStep(config, compile);
  return (tokens) => step(tokens).join("");
}

/**
 * @param {any} config
 * @param {CompilePattern} compile
 * @returns {Step}
 */
function makeStep(config, compile) {
  if (Object.hasOwn(makers, config.type)) return makers[config.type](config, compile);
  throw new KitError("bad-manifest", `The tokenizer's decoder "${config.type}" is not known.`);
}

/**
 * @param {Uint8Array[]} parts
 * @returns {Uint8Array}
 */
function joinBytes(parts) {
  const whole = new Uint8Array(parts.reduce((sum, { length }) => sum + length, 0));
  let start = 0;
  for (const part of parts) {
    whole.set(part, start);
    start += part.length;
  }
  return whole;
}

/** @type {Step} bytes that stand together become text; where they are none, each becomes a replacement character */
function fuseBytes(tokens) {
  /** @type {string[]} */
  const fused = [];
  /** @type {number[]} */
  let bytes = [];
  const flush = () => {
    if (!bytes.length) return;
    const text = decodeStrictly(Uint8Array.from(bytes));
    if (text === undefined) fused.push(...bytes.map(() => "\uFFFD"));
    else fused.push(text);
    bytes = [];
  };
  for (const token of tokens) {
    const byte = readByte(token);
    if (byte === undefined) {
      flush();
      fused.push(token);
    } else bytes.push(byte);
  }
  flush();
  return fused;
}

/**
 * @param {string} token
 * @returns {number | undefined} the byte that a token such as <0x0A> stands for
 */
export function readByte(token) {
  const digits = /^<0x([0-9A-Fa-f]{2}|\+[0-9A-Fa-f])>$/.exec(token)?.[1];
  return digits === undefined ? undefined : parseInt(digits, 16);
}

/**
 * @param {Uint8Array} bytes
 * @returns {string | undefined}
 */
function decodeStrictly(bytes) {
  try {
    return strict.decode(bytes);
  } catch (error) {
    if (error instanceof TypeError) return undefined; // no UTF-8
    throw error;
  }
}

/**
 * @param {any} config
 * @returns {Step}
 */
function makeCtc({ pad_token: pad, word_delimiter_token: delimiter, cleanup }) {
  return (tokens) =>
    tokens
      .filter((token, index) => token !== tokens[index - 1])
      .map((token) => token.replaceAll(pad, ""))
      .map((token) => (cleanup ? tidySpaces(token, true).replaceAll(delimiter, " ") : token))
      .filter(Boolean);
}

/**
 * @param {any} config
 * @returns {Step}
 */
function makeMetaspace({ replacement, prepend_scheme: scheme = "always" }) {
  return (tokens) =>
    tokens.map((token, index) => token.replaceAll(replacement, index === 0 && scheme !== "never" ? "" : " "));
}

/**
 * @param {any} config
 * @param {CompilePattern} compile
 * @returns {Step}
 */
function makeReplace({ pattern, content }, compile) {
  const wanted = pattern.String ?? compile(pattern.Regex);
  if (wanted === "") return (tokens) => tokens;
  return (tokens) => tokens.map((token) => token.replaceAll(wanted, () => content));
}

/**
 * @param {any} config
 * @returns {Step}
 */
function makeWordPiece({ prefix, cleanup }) {
  const join = (/** @type {string} */ token) => (token.startsWith(prefix) ? token.slice(prefix.length) : ` ${token}`);
  return (tokens) => {
    const joined = tokens.map((token, index) => (index ? join(token) : token));
    return cleanup ? joined.map((token) => tidySpaces(token, true)) : joined;
  };
}

/**
 * @param {string} text
 * @param {boolean} [contracts]  "do not" too, as WordPiece's decoder does
 * @returns {string}
 */
export function tidySpaces(text, contracts = false) {
  return spaced.reduce((current, found) => {
    if (found === " do not") return contracts ? current.replaceAll(found, " don't") : current;
    return current.replaceAll(found, found.trim());
  }, text);
}

/**
 * @param {string} token
 * @param {string} content  one character
 * @param {number} start  at most so many of it are taken away at the beginning
 * @param {number} stop  and at the end
 * @returns {string}
 */
function strip(token, content, start, stop) {
  let [from, to] = [0, token.length];
  for (let count = 0; count < start && token.startsWith(content, from); count++) from += content.length;
  for (let count = 0; count < stop && to > from && token.endsWith(content, to); count++) to -= content.length;
  return token.slice(from, to);
}
