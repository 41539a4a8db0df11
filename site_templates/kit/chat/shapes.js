/**
 * The objects of OpenAI's chat completions, as its official npm package types them.
 *
 * @typedef {"stop" | "length"} FinishReason
 * @typedef {{prompt_tokens: number, completion_tokens: number, total_tokens: number, prompt_tokens_details: {cached_tokens: number}}} Usage
 * @typedef {{id: string, created: number, model: string}} Identity
 *
 * @typedef {object} Completion
 * @property {string} id
 * @property {"chat.completion"} object
 * @property {number} created  seconds since 1970
 * @property {string} model
 * @property {{index: number, message: {role: "assistant", content: string, refusal: null}, logprobs: null, finish_reason: FinishReason}[]} choices
 * @property {Usage} usage
 *
 * @typedef {object} CompletionChunk
 * @property {string} id
 * @property {"chat.completion.chunk"} object
 * @property {number} created
 * @property {string} model
 * @property {{index: number, delta: {role?: "assistant", content?: string}, logprobs: null, finish_reason: FinishReason | null}[]} choices
 * @property {Usage | null} [usage]
 */

/**
 * @param {string} model
 * @returns {Identity}
 */
export function makeIdentity(model) {
  return { id: `chatcmpl-${crypto.randomUUID()}`, created: Math.floor(Date.now() / 1000), model };
}

/**
 * @param {import("../types.js").GenerationTimings} timings
 * @returns {Usage}
 */
export function makeUsage({ promptTokens, cachedTokens, completionTokens }) {
  return {
    prompt_tokens: promptTokens,
    completion_tokens: completionTokens,
    total_tokens: promptTokens + completionTokens,
    prompt_tokens_details: { cached_tokens: cachedTokens },
  };
}

/**
 * @param {Identity} identity
 * @param {string} content
 * @param {FinishReason} reason
 * @param {Usage} usage
 * @returns {Completion}
 */
export function makeCompletion({ id, created, model }, content, reason, usage) {
  const message = { role: /** @type {const} */ ("assistant"), content, refusal: null };
  const choices = [{ index: 0, message, logprobs: null, finish_reason: reason }];
  return { id, object: "chat.completion", created, model, choices, usage };
}

/**
 * @param {Identity} identity
 * @param {{role?: "assistant", content?: string}} delta
 * @param {FinishReason | null} [reason]
 * @returns {CompletionChunk}
 */
export function makeChunk({ id, created, model }, delta, reason = null) {
  const choices = [{ index: 0, delta, logprobs: null, finish_reason: reason }];
  return { id, object: "chat.completion.chunk", created, model, choices };
}

/**
 * The last chunk of a stream that was asked for its usage.
 * @param {Identity} identity
 * @param {Usage} usage
 * @returns {CompletionChunk}
 */
export function makeUsageChunk({ id, created, model }, usage) {
  return { id, object: "chat.completion.chunk", created, model, choices: [], usage };
}
