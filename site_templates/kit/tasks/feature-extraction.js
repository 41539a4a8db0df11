/**
 * Task `feature-extraction`: sentences in, one normalized embedding each out. Tokenizing is the one thing that does
 * not happen in the graph.
 *
 * @typedef {import("../types.js").Tensors} Tensors
 * @typedef {import("../task.js").TaskContext} TaskContext
 * @typedef {import("@huggingface/tokenizers").Tokenizer} Tokenizer
 * @typedef {{ids: number[][], padId: number, padLeft: boolean}} Batch
 */

import { KitError } from "../errors.js";
import { toFloat32 } from "../tensors.js";

/**
 * @param {{text: string[]}} input
 * @param {TaskContext} context
 * @returns {Tensors}
 */
export function encode(input, { manifest, tokenizer, tokenizerConfig }) {
  const text = input?.text;
  if (!Array.isArray(text) || !text.length || !text.every((sentence) => typeof sentence === "string")) {
    throw new KitError("bad-input", "The text must be a list of one or more sentences.");
  }
  if (!tokenizer) throw new KitError("bad-manifest", "This model has no tokenizer.json and tokenizer_config.json.");
  const maxLength = manifest.settings.max_length ?? Infinity;
  const ids = text.map((sentence) => truncateIds(tokenizer, sentence, maxLength));
  return padBatch({
    ids,
    padId: findPadId(tokenizer, tokenizerConfig),
    padLeft: tokenizerConfig?.padding_side === "left",
  });
}

/**
 * Token ids of at most `maxLength`, special tokens included and kept: only the text between them is cut.
 * @param {Tokenizer} tokenizer
 * @param {string} sentence
 * @param {number} maxLength
 * @returns {number[]}
 */
export function truncateIds(tokenizer, sentence, maxLength) {
  const full = tokenizer.encode(sentence).ids;
  if (full.length <= maxLength) return full;
  const plain = tokenizer.encode(sentence, { add_special_tokens: false }).ids;
  const specials = full.length - plain.length;
  const start = full.findIndex(
    (_, index) => index <= specials && plain.every((id, place) => full[index + place] === id),
  );
  if (start < 0) return full.slice(0, maxLength);
  const kept = plain.slice(0, Math.max(0, maxLength - specials));
  return [...full.slice(0, start), ...kept, ...full.slice(start + plain.length)];
}

/**
 * @param {Tokenizer} tokenizer
 * @param {any} config  tokenizer_config.json
 * @returns {number} 0 where the tokenizer names no padding token: the attention mask hides it anyway
 */
export function findPadId(tokenizer, config) {
  const token = config?.pad_token?.content ?? config?.pad_token;
  return (typeof token === "string" && tokenizer.token_to_id(token)) || 0;
}

/**
 * @param {Batch} batch
 * @returns {Tensors} input_ids and attention_mask, int64 [batch, the longest sentence]
 */
export function padBatch({ ids, padId, padLeft }) {
  const width = Math.max(1, ...ids.map((row) => row.length));
  const shape = [ids.length, width];
  const inputIds = new BigInt64Array(ids.length * width).fill(BigInt(padId));
  const mask = new BigInt64Array(ids.length * width);
  ids.forEach((row, index) => {
    const start = index * width + (padLeft ? width - row.length : 0);
    inputIds.set(row.map(BigInt), start);
    mask.fill(1n, start, start + row.length);
  });
  return {
    input_ids: { dtype: "int64", shape, data: inputIds },
    attention_mask: { dtype: "int64", shape, data: mask },
  };
}

/**
 * @param {Tensors} outputs
 * @returns {{embeddings: Float32Array[]}} one row a sentence
 */
export function decode({ embedding }) {
  const values = toFloat32(embedding);
  const [rows, dimensions] = embedding.shape;
  return {
    embeddings: Array.from({ length: rows }, (_, row) => values.slice(row * dimensions, (row + 1) * dimensions)),
  };
}
