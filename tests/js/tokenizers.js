/** Small real tokenizers, as tokenizer.json holds them. */

import { makePatternCompiler } from "../../site_templates/kit/text/pattern.js";
import { Tokenizer } from "../../site_templates/kit/text/tokenizer.js";
import { tokenizers } from "./packages.js";

/** @param {unknown} json  tokenizer.json */
export const makeTokenizer = (json) => new Tokenizer(json, {}, makePatternCompiler(tokenizers));

/** @param {string} content @param {number} id @param {boolean} special */
const added = (content, id, special) => ({
  ...{ id, content, special },
  ...{ single_word: false, lstrip: false, rstrip: false, normalized: false },
});

/** The characters that stand for the 256 bytes, by the rule in GPT-2's vocabulary. */
function alphabet() {
  let next = 256;
  const stands = (/** @type {number} */ byte) => /[!-~¡-¬®-ÿ]/.test(String.fromCharCode(byte));
  return Array.from({ length: 256 }, (_, byte) => String.fromCharCode(stands(byte) ? byte : next++));
}

/**
 * Byte-level BPE without merges: every byte is a token.
 * @param {string[]} specials
 * @param {string[]} others  added tokens that are not special
 */
export function byteTokenizer(specials, others) {
  const vocabulary = [...alphabet(), ...specials, ...others];
  const ids = [...specials, ...others].map((token) => added(token, vocabulary.indexOf(token), specials.includes(token)));
  return {
    ...{ version: "1.0", truncation: null, padding: null, normalizer: null, post_processor: null },
    added_tokens: ids,
    pre_tokenizer: { type: "ByteLevel", add_prefix_space: false, trim_offsets: true, use_regex: true },
    decoder: { type: "ByteLevel", add_prefix_space: true, trim_offsets: true, use_regex: true },
    model: {
      ...{ type: "BPE", dropout: null, unk_token: null, continuing_subword_prefix: "", end_of_word_suffix: "" },
      ...{ fuse_unk: false, byte_fallback: false, merges: [] },
      vocab: Object.fromEntries(vocabulary.map((token, id) => [token, id])),
    },
  };
}

/**
 * A tokenizer as Llama 2 has it.
 * @param {string[]} tokens
 */
export function spelledTokenizer(tokens) {
  return {
    ...byteTokenizer([], []),
    pre_tokenizer: null,
    decoder: {
      type: "Sequence",
      decoders: [
        { type: "Replace", pattern: { String: "\u2581" }, content: " " },
        { type: "ByteFallback" },
        { type: "Fuse" },
        { type: "Strip", content: " ", start: 1, stop: 0 },
      ],
    },
    model: {
      ...{ type: "BPE", dropout: null, unk_token: "<unk>", fuse_unk: true, byte_fallback: true, merges: [] },
      vocab: Object.fromEntries(["<unk>", ...tokens].map((token, id) => [token, id])),
    },
  };
}
