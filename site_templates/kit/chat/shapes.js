/**
 * The objects of OpenAI's chat completions, as its official npm package types them.
 *
 * @typedef {"stop" | "length" | "tool_calls"} FinishReason
 * @typedef {{prompt_tokens: number, completion_tokens: number, total_tokens: number, prompt_tokens_details: {cached_tokens: number}}} Usage
 * @typedef {{id: string, created: number, model: string}} Identity
 *
 * @typedef {{id: string, type: "function", function: {name: string, arguments: string}}} ToolCall
 * @typedef {{index: number, id?: string, type?: "function", function: {name?: string, arguments: string}}} ToolCallDelta
 * @typedef {{role?: "assistant", content?: string | null, tool_calls?: ToolCallDelta[]}} Delta
 *
 * @typedef {object} Message
 * @property {"assistant"} role
 * @property {string | null} content
 * @property {null} refusal
 * @property {ToolCall[]} [tool_calls]
 *
 * @typedef {object} Completion
 * @property {string} id
 * @property {"chat.completion"} object
 * @property {number} created  seconds since 1970
 * @property {string} model
 * @property {{index: number, message: Message, logprobs: null, finish_reason: FinishReason}[]} choices
 * @property {Usage} usage
 *
 * @typedef {object} CompletionChunk
 * @property {string} id
 * @property {"chat.completion.chunk"} object
 * @property {number} created
 * @property {string} model
 * @property {{index: number, delta: Delta, logprobs: null, finish_reason: FinishReason | null}[]} choices
 * @property {Usage | null} [usage]
 */

import { makeRandomId } from "../random-id.js";

/**
 * @param {string} model
 * @returns {Identity}
 */
export function makeIdentity(model) {
  return { id: `chatcmpl-${makeRandomId(29)}`, created: Math.floor(Date.now() / 1000), model };
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
 * @param {readonly import("../protocol.js").Piece[]} pieces
 * @returns {Message}
 */
export function makeMessage(pieces) {
  const text = pieces.map((piece) => ("text" in piece ? piece.text : "")).join("");
  /** @type {ToolCall[]} */
  const calls = [];
  for (const piece of pieces) {
    if (!("call" in piece)) continue;
    const { index, id = "", name = "", arguments: more } = piece.call;
    calls[index] ??= { id, type: "function", function: { name, arguments: "" } };
    calls[index].function.arguments += more;
  }
  const message = { role: /** @type {const} */ ("assistant"), content: text, refusal: null };
  return calls.length ? { ...message, content: text || null, tool_calls: calls } : message;
}

/**
 * @param {import("../types.js").CallPiece} piece
 * @returns {Delta}
 */
export function makeCallDelta({ index, id, name, arguments: more }) {
  const first = id === undefined ? {} : { id, type: /** @type {const} */ ("function") };
  return { tool_calls: [{ index, ...first, function: { ...(name === undefined ? {} : { name }), arguments: more } }] };
}

/**
 * @param {Identity} identity
 * @param {Message} message
 * @param {FinishReason} reason
 * @param {Usage} usage
 * @returns {Completion}
 */
export function makeCompletion({ id, created, model }, message, reason, usage) {
  const choices = [{ index: 0, message, logprobs: null, finish_reason: reason }];
  return { id, object: "chat.completion", created, model, choices, usage };
}

/**
 * @param {Identity} identity
 * @param {Delta} delta
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
