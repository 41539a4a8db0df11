/**
 * The official client's types fit ours: this file is for the type checker, which fails when they do not. Node runs it
 * too, so that it cannot be forgotten.
 *
 * @typedef {import("../../site_templates/node_modules/openai").OpenAI} OpenAI
 * @typedef {import("../../site_templates/node_modules/openai/resources/chat/completions").ChatCompletion} ChatCompletion
 * @typedef {import("../../site_templates/node_modules/openai/resources/chat/completions").ChatCompletionChunk} ChatCompletionChunk
 * @typedef {import("../../site_templates/node_modules/openai/resources/chat/completions").ChatCompletionMessageParam} ChatCompletionMessageParam
 * @typedef {import("../../site_templates/node_modules/openai/resources/chat/completions").ChatCompletionCreateParamsNonStreaming} NonStreamingParams
 * @typedef {import("../../site_templates/node_modules/openai/resources/chat/completions").ChatCompletionCreateParamsStreaming} StreamingParams
 */

import assert from "node:assert/strict";
import { test } from "node:test";

import { Completions } from "../../site_templates/kit/chat/completions.js";

const end = /** @type {const} */ ({
  finishReason: "stop",
  timings: {
    ...{ firstTokenMs: 1, tokensPerSecond: 1, promptTokens: 1 },
    ...{ cachedTokens: 0, completionTokens: 1, contextLength: 9 },
  },
});
const completions = new Completions(async (_, { onPiece }) => {
  onPiece({ start: { promptTokens: 1, cachedTokens: 0 } });
  onPiece({ text: "Hi" });
  return end;
}, "m");

test("what the official client sends is taken, and what it expects is given", async () => {
  /** @type {ChatCompletionMessageParam[]} */
  const messages = [
    { role: "system", content: "Be brief." },
    { role: "user", content: [{ type: "text", text: "Hi" }] },
    { role: "assistant", tool_calls: [{ id: "a", type: "function", function: { name: "f", arguments: "{}" } }] },
    { role: "tool", tool_call_id: "a", content: "1" },
  ];
  /** @type {NonStreamingParams["response_format"]} */
  const response_format = { type: "json_schema", json_schema: { name: "n", schema: { type: "object" }, strict: true } };
  /** @type {NonStreamingParams} */
  const plain = { model: "m", messages, temperature: 0, max_completion_tokens: 3, stop: ["a"], seed: 1, response_format };
  /** @type {NonStreamingParams} */
  const calling = {
    ...{ model: "m", messages, parallel_tool_calls: false },
    tools: [{ type: "function", function: { name: "f", parameters: { type: "object" }, strict: true } }],
    tool_choice: { type: "function", function: { name: "f" } },
  };
  /** @type {ChatCompletion} */
  const called = await completions.create(calling);
  assert.equal(called.choices[0].message.tool_calls?.[0].id, undefined);
  /** @type {StreamingParams} */
  const streaming = { ...plain, stream: true, stream_options: { include_usage: true } };
  /** @type {ChatCompletion} */
  const answer = await completions.create(plain);
  /** @type {AsyncIterable<ChatCompletionChunk> & {controller: AbortController}} */
  const stream = await completions.create(streaming);
  /** @type {ChatCompletionChunk[]} */
  const chunks = [];
  for await (const chunk of stream) chunks.push(chunk);
  assert.equal(answer.choices[0].message.content, "Hi");
  assert.equal(chunks.map(({ choices }) => choices[0]?.delta.content ?? "").join(""), "Hi");
});

test("our stream is no narrower than the official one where programs use it", async () => {
  /** @param {Pick<OpenAI, "chat">["chat"]["completions"] | typeof completions} either */
  const firstWord = async (either) => {
    const stream = await /** @type {typeof completions} */ (either).create({ messages: [], model: "m", stream: true });
    for await (const chunk of stream) return chunk.id;
  };
  await assert.rejects(firstWord(completions), { code: "bad-input" });
});
