/**
 * Where the library's ids differ from those of the original `tokenizers`, its parts are replaced. tests/test_tokenization.py
 * compares the two, string by string.
 */

import { knowsNormalizer, makeNormalizer } from "./normalize.js";

/**
 * @param {import("@huggingface/tokenizers").Tokenizer} tokenizer  changed in place
 * @param {any} tokenizerJson
 */
export function mendTokenizer(tokenizer, { normalizer }) {
  if (!normalizer || !knowsNormalizer(normalizer)) return;
  const normalize = makeNormalizer(normalizer);
  /** @type {any} */ (tokenizer).normalizer = (/** @type {string} */ text) => normalize(text).chars.join("");
}
