/**
 * What each token adds to the text, in bytes: one token may hold a part of a character only.
 *
 * @typedef {import("../text/tokenizer.js").Tokenizer} Tokenizer
 */

import { KitError } from "../errors.js";
import { readSpelling } from "../text/byte-alphabet.js";
import { readByte } from "../text/decode-tokens.js";

const encoder = new TextEncoder();
const nothing = new Uint8Array(0);
const space = 0x20;

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
    this.spelled = isSpelled(tokenizer.decoderConfig);
    /** What becomes of spaces before the first word: one is put there when text is made into tokens. */
    this.opening = readOpening(tokenizer.decoderConfig);
    this.longest = this.#measureLongest();
  }

  /**
   * @param {number} id
   * @returns {Uint8Array} nothing for tokens that are signs to the model only
   */
  read(id) {
    const added = this.added.get(id);
    if (added?.special) return this.signs.includes(added.content) ? encoder.encode(added.content) : nothing;
    const token = this.tokenizer.id_to_token(id);
    if (token === undefined) return nothing;
    return this.spelled ? readSpelled(token) : readSpelling(token);
  }

  /**
   * @param {number} id
   * @returns {Uint8Array} as the first token of a text: without the space that the tokenizer puts before it
   */
  readFirst(id) {
    const token = this.tokenizer.id_to_token(id) ?? "";
    if (this.opening === "drop") return readSpelled(token.replaceAll("\u2581", ""));
    const bytes = this.read(id);
    return this.opening === "strip" && bytes[0] === space ? bytes.subarray(1) : bytes;
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
 * @param {any} config  the decoder of tokenizer.json
 * @returns {"keep" | "strip" | "drop"}  all, all but one, or none of the first token's
 */
function readOpening(config) {
  const steps = [config, ...(config?.decoders ?? [])];
  const metaspace = steps.find((step) => step?.type === "Metaspace");
  if (metaspace) return metaspace.prepend_scheme === "never" ? "keep" : "drop";
  return steps.some((step) => step?.type === "Strip" && step.start > 0) ? "strip" : "keep";
}

/**
 * @param {string} token
 * @returns {Uint8Array}
 */
function readSpelled(token) {
  const byte = readByte(token);
  return byte !== undefined ? Uint8Array.of(byte) : encoder.encode(token.replaceAll("\u2581", " "));
}
