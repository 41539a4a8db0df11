/**
 * What each token adds to the text, in bytes: one token may hold a part of a character only.
 *
 * @typedef {import("@huggingface/tokenizers").Tokenizer} Tokenizer
 */

import { KitError } from "../errors.js";

const encoder = new TextEncoder();
const nothing = new Uint8Array(0);

/**
 * GPT-2's alphabet for bytes: printable Latin-1 characters stand for themselves, the other bytes for the characters
 * from U+0100 on.
 * @returns {Map<string, number>}
 */
function makeByteAlphabet() {
  const alphabet = new Map();
  let next = 0x100;
  for (let byte = 0; byte < 256; byte++) {
    const printable = (byte >= 0x21 && byte <= 0x7e) || (byte >= 0xa1 && byte <= 0xac) || byte >= 0xae;
    alphabet.set(String.fromCharCode(printable ? byte : next++), byte);
  }
  return alphabet;
}

const byteAlphabet = makeByteAlphabet();
const byteCharacters = [...byteAlphabet].sort(([, left], [, right]) => left - right).map(([character]) => character);

/**
 * @param {Uint8Array} bytes
 * @returns {string} a character of the alphabet for each
 */
export function encodeAlphabet(bytes) {
  return Array.from(bytes, (byte) => byteCharacters[byte]).join("");
}

/** Bytes of tokens, and how many bytes a token has at most. */
export class TokenBytes {
  /**
   * @param {Tokenizer} tokenizer
   * @param {readonly string[]} [signs]  special tokens that are text all the same
   */
  constructor(tokenizer, signs = []) {
    this.tokenizer = tokenizer;
    this.signs = signs;
    this.added = tokenizer.get_added_tokens_decoder();
    /** Whether spaces are written as U+2581 and single bytes as <0x0A>, instead of in the alphabet for bytes. */
    this.spelled = isSpelled(/** @type {any} */ (tokenizer.decoder)?.config);
    this.longest = this.#measureLongest();
  }

  /**
   * @param {number} id
   * @returns {Uint8Array} nothing for tokens that are signs to the model only
   */
  read(id) {
    const added = this.added.get(id);
    if (added) return added.special && !this.signs.includes(added.content) ? nothing : encoder.encode(added.content);
    const token = this.tokenizer.id_to_token(id);
    if (token === undefined) return nothing;
    return this.spelled ? readSpelled(token) : readAlphabet(token);
  }

  /** @returns {number} */
  #measureLongest() {
    let longest = 1;
    for (const token of this.tokenizer.get_vocab().keys()) if (token) longest = Math.max(longest, token.length);
    // In the alphabet every byte is a character; elsewhere a character may be three bytes (and a pair of them four).
    return this.spelled ? 3 * longest : longest;
  }
}

/**
 * @param {any} config  the decoder of tokenizer.json
 * @returns {boolean}
 */
function isSpelled(config) {
  const types = [config, ...(config?.decoders ?? [])].map((decoder) => decoder?.type);
  if (types.includes("ByteLevel")) return false;
  if (types.includes("ByteFallback") || types.includes("Metaspace")) return true;
  throw new KitError(
    "bad-manifest",
    `Tokens cannot be turned into text: this tokenizer's decoder is ${config?.type ?? "missing"}, not byte-level and not byte-fallback.`,
  );
}

/**
 * @param {string} token
 * @returns {Uint8Array}
 */
function readAlphabet(token) {
  const bytes = Uint8Array.from(token, (character) => byteAlphabet.get(character) ?? 0);
  // A token outside the alphabet was added to the vocabulary as it is.
  return [...token].every((character) => byteAlphabet.has(character)) ? bytes : encoder.encode(token);
}

/**
 * @param {string} token
 * @returns {Uint8Array}
 */
function readSpelled(token) {
  const byte = /^<0x([0-9A-Fa-f]{2})>$/.exec(token);
  return byte ? Uint8Array.of(parseInt(byte[1], 16)) : encoder.encode(token.replaceAll("\u2581", " "));
}
