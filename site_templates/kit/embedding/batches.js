/**
 * Many inputs as batches. Every row of a batch is as wide as its longest, so inputs of about the same length go
 * together; and a batch is no larger than what the processor's caches hold, where more rows only cost.
 */

/**
 * Padded tokens in one batch. Plain wasm is fastest with a row or two at a time; a GPU is only busy with many.
 * @type {Record<import("../types.js").Backend, number>}
 */
export const batchTokens = { wasm: 256, webgpu: 4096 };

/**
 * @param {ArrayLike<number>} lengths  of the inputs, in tokens
 * @param {number} budget  padded tokens in one batch; an input longer than that has a batch of its own
 * @returns {number[][]} the inputs' places, longest first
 */
export function packBatches(lengths, budget) {
  const order = Array.from(lengths, (_, index) => index).sort((a, b) => lengths[b] - lengths[a] || a - b);
  /** @type {number[][]} */
  const batches = [];
  for (let start = 0; start < order.length; ) {
    const rows = Math.max(1, Math.floor(budget / Math.max(1, lengths[order[start]])));
    batches.push(order.slice(start, start + rows));
    start += rows;
  }
  return batches;
}
