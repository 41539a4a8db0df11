/**
 * Rows of token ids, one under another: the shorter ones are filled up.
 *
 * @typedef {import("../types.js").Tensors} Tensors
 * @typedef {import("./tokenizer.js").Tokenizer} Tokenizer
 * @typedef {{padId: number, padLeft: boolean}} Padding
 * @typedef {{ids: number[][]} & Padding} Batch
 */

/**
 * @param {Tokenizer} tokenizer
 * @param {any} config  tokenizer_config.json
 * @returns {Padding} token 0 where the tokenizer names none: the attention mask hides it anyway
 */
export function readPadding(tokenizer, config) {
  const token = config?.pad_token?.content ?? config?.pad_token;
  return {
    padId: (typeof token === "string" && tokenizer.token_to_id(token)) || 0,
    padLeft: config?.padding_side === "left",
  };
}

/**
 * @param {Batch} batch
 * @returns {Tensors} input_ids and attention_mask, int64 [rows, the longest row]
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
