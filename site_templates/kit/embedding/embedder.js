/**
 * In the worker: embeddings of any number of inputs, batch by batch, in the order in which they were given.
 *
 * @typedef {import("../types.js").EmbedRequest} EmbedRequest
 * @typedef {import("../types.js").EmbedAnswer} EmbedAnswer
 * @typedef {import("../task.js").TaskContext} TaskContext
 * @typedef {import("../text/tokenizer.js").Tokenizer} Tokenizer
 *
 * @typedef {object} EmbedListener
 * @property {(done: number, total: number) => void} onProgress  inputs that are embedded by now
 * @property {AbortSignal} signal  looked at between batches
 */

import { KitError } from "../errors.js";
import { yieldToMessages } from "../generation/yield.js";
import { toFloat32 } from "../tensors.js";
import { padBatch } from "../text/padding.js";
import { needRowEncoder } from "../text/row-encoder.js";
import { batchTokens, packBatches } from "./batches.js";

/**
 * @param {Pick<import("../session.js").Session, "run" | "backend">} session
 * @param {TaskContext} context
 * @param {EmbedRequest} request
 * @param {EmbedListener} listener
 * @returns {Promise<EmbedAnswer>}
 */
export async function embedInputs(session, context, { inputs, cut }, { onProgress, signal }) {
  const startMs = performance.now();
  const tokenizer = needTokenizer(context);
  const maxLength = context.manifest.settings.max_length ?? Infinity;
  const encoder = needRowEncoder(context);
  const ids = inputs.map((input, index) =>
    typeof input === "string" && cut ? encoder.encode(input).ids : readIds(input, index, tokenizer, maxLength),
  );
  let embeddings = new Float32Array(0);
  let dimensions = 0;
  let done = 0;
  const lengths = ids.map(({ length }) => length);
  for (const batch of packBatches(lengths, batchTokens[session.backend])) {
    const { embedding } = await session.run(padBatch({ ids: batch.map((place) => ids[place]), ...encoder.padding }));
    dimensions = embedding.shape[1];
    if (!done) embeddings = new Float32Array(ids.length * dimensions);
    const rows = toFloat32(embedding);
    batch.forEach((place, row) =>
      embeddings.set(rows.subarray(row * dimensions, (row + 1) * dimensions), place * dimensions),
    );
    done += batch.length;
    onProgress(done, ids.length);
    await yieldToMessages();
    signal.throwIfAborted();
  }
  return { embeddings, dimensions, tokenCounts: Uint32Array.from(lengths), timeMs: performance.now() - startMs };
}

/**
 * How many tokens each text has, without those that the model puts around it.
 * @param {TaskContext} context
 * @param {string[]} texts
 * @returns {Uint32Array}
 */
export function countTokens(context, texts) {
  const tokenizer = needTokenizer(context);
  return Uint32Array.from(texts, (text) => tokenizer.encode(text, { add_special_tokens: false }).ids.length);
}

/**
 * @param {TaskContext} context
 * @returns {Tokenizer}
 */
function needTokenizer({ tokenizer }) {
  if (tokenizer) return tokenizer;
  throw new KitError("bad-manifest", "This model has no tokenizer.json and tokenizer_config.json.");
}

/**
 * @param {string | number[]} input  a text, or its token ids, special ones included
 * @param {number} index
 * @param {Tokenizer} tokenizer
 * @param {number} maxLength
 * @returns {number[]}
 */
function readIds(input, index, tokenizer, maxLength) {
  const ids = typeof input === "string" ? tokenizer.encode(input).ids : input;
  const unknown = typeof input === "string" ? undefined : ids.find((id) => tokenizer.id_to_token(id) === undefined);
  if (unknown !== undefined) throw new KitError("bad-input", `input[${index}]: the model has no token ${unknown}.`);
  if (ids.length <= maxLength) return ids;
  throw new KitError(
    "context-full",
    `input[${index}] has ${ids.length} tokens; this model reads at most ${maxLength}. Split it.`,
  );
}
