/**
 * How likely the model finds given tokens: what the golden records and the self-test compares.
 *
 * @typedef {import("../types.js").Tensors} Tensors
 * @typedef {{token_ids: number[], scored: number, ask: import("../tensors.js").Tensor}} ScoreInput
 */

import { KitError } from "../errors.js";
import { findBest } from "./sampler.js";

/**
 * @param {import("./token-cache.js").TokenCache} cache
 * @param {ScoreInput} input  checked
 * @returns {Promise<Tensors>} top_logprobs: of the tokens asked for; top_ids: the most likely one, [scored, 1]
 */
export async function scoreTokens(cache, { token_ids: ids, scored, ask }) {
  const [, width] = ask.shape;
  const logprobs = new Float32Array(scored * width);
  const best = new Int32Array(scored);
  cache.clear();
  await cache.read(ids.slice(0, ids.length - scored + 1));
  for (let row = 0; row < scored; row++) {
    if (row) await cache.read([ids[ids.length - scored + row]]);
    const logits = await cache.decoder.readLogits();
    best[row] = findBest(logits);
    const total = measureTotal(logits, logits[best[row]]);
    for (let column = row * width; column < (row + 1) * width; column++) {
      logprobs[column] = logits[Number(ask.data[column])] - total;
    }
  }
  return {
    top_logprobs: { dtype: "float32", shape: [scored, width], data: logprobs },
    top_ids: { dtype: "int32", shape: [scored, 1], data: best },
  };
}

/**
 * @param {Float32Array} logits
 * @param {number} highest
 * @returns {number} the logarithm of the sum of exponentials
 */
function measureTotal(logits, highest) {
  let sum = 0;
  for (let id = 0; id < logits.length; id++) sum += Math.exp(logits[id] - highest);
  return highest + Math.log(sum);
}

/**
 * @param {any} input
 * @param {import("../types.js").GenerationSettings} settings
 * @returns {ScoreInput}
 */
export function checkScoreInput(input, { vocabulary, context_length: contextLength }) {
  const { token_ids: ids, scored, ask } = input ?? {};
  const isId = (/** @type {unknown} */ id) => Number.isInteger(id) && Number(id) >= 0 && Number(id) < vocabulary;
  if (!Array.isArray(ids) || !ids.length || !ids.every(isId)) {
    throw new KitError("bad-input", `token_ids must be a list of whole numbers from 0 to ${vocabulary - 1}.`);
  }
  if (ids.length > contextLength) {
    throw new KitError("context-full", `There are ${ids.length} token_ids, but the model holds ${contextLength}.`);
  }
  if (!Number.isInteger(scored) || scored < 1 || scored > ids.length) {
    throw new KitError("bad-input", `scored must be a whole number from 1 to ${ids.length}, not ${scored}.`);
  }
  const fits = ask?.dtype === "int32" && ask.shape?.length === 2 && ask.shape[0] === scored;
  if (!fits || ask.data?.length !== scored * ask.shape[1] || !Array.from(ask.data).every(isId)) {
    throw new KitError("bad-input", `ask must be int32 [${scored}, n], with token ids below ${vocabulary}.`);
  }
  return { token_ids: ids, scored, ask };
}
