import assert from "node:assert/strict";
import { test } from "node:test";
import { inspect } from "node:util";

import { Completions } from "../../site_templates/kit/chat/completions.js";
import { CallReader } from "../../site_templates/kit/generation/call-reader.js";
import { readRequest } from "../../site_templates/kit/chat/request.js";

/**
 * @typedef {import("../../site_templates/kit/types.js").GenerationEnd} GenerationEnd
 * @typedef {import("../../site_templates/kit/chat/completions.js").GenerateOptions} GenerateOptions
 */

const messages = [{ role: "user", content: "Hi" }];
const timings = {
  ...{ firstTokenMs: 1, tokensPerSecond: 2, promptTokens: 30 },
  ...{ cachedTokens: 20, completionTokens: 3, contextLength: 100 },
};

/** @param {GenerationEnd["finishReason"]} finishReason */
const sayHello = (finishReason) =>
  new Completions(async (_, { onPiece }) => {
    onPiece({ start: { promptTokens: 30, cachedTokens: 20 } });
    for (const text of ["Hel", "lo"]) onPiece({ text });
    return { finishReason, timings };
  }, "test-model");

/** Talks until it is told to stop. @param {AbortSignal[]} signals */
const talkOn = (signals) =>
  new Completions(async (_, { onPiece, signal }) => {
    signals.push(signal);
    onPiece({ start: { promptTokens: 1, cachedTokens: 0 } });
    while (!signal.aborted) {
      onPiece({ text: "more " });
      await new Promise((resolve) => setTimeout(resolve, 1));
    }
    throw signal.reason;
  }, "test-model");

/** @param {AsyncIterable<any>} stream */
async function collect(stream) {
  const chunks = [];
  for await (const chunk of stream) chunks.push(chunk);
  return chunks;
}

test("answers and calls have names also where the page comes without TLS, and randomUUID is missing", async (t) => {
  t.mock.method(crypto, "randomUUID", () => assert.fail("it is missing there"));
  const answers = await Promise.all([1, 2].map(() => sayHello("stop").create({ messages })));
  assert.equal(new Set(answers.map(({ id }) => id)).size, 2);
  /** @type {any[]} */
  const calls = [];
  const reader = new CallReader("", { onText: () => {}, onCall: (piece) => calls.push(piece) });
  reader.push('{"name": "f", "arguments": {}}');
  assert.match(calls[0].id, /^[a-z0-9]{9}$/);
});

test("a stream tells how much of a long prompt is read, beside its chunks", async () => {
  const chat = new Completions(async (_, { onPiece }) => {
    onPiece({ start: { promptTokens: 1200, cachedTokens: 0 } });
    await new Promise((resolve) => setTimeout(resolve, 1));
    onPiece({ done: 512, total: 1200 });
    onPiece({ text: "Hi" });
    return { finishReason: "stop", timings };
  }, "test-model");
  const stream = await chat.create({ messages, stream: true });
  /** @type {number[][]} */
  const told = [];
  stream.onRead = (...counts) => told.push(counts);
  const contents = (await collect(stream)).map(({ choices }) => choices[0].delta.content);
  assert.deepEqual([told, contents], [[[512, 1200]], ["", "Hi", undefined]]);
  assert.equal((await chat.create({ messages })).choices[0].message.content, "Hi");
});

test("a whole answer", async () => {
  const before = Math.floor(Date.now() / 1000);
  const { id, created, ...rest } = await sayHello("stop").create({ messages });
  assert.match(id, /^chatcmpl-/);
  assert.ok(created >= before && created <= Date.now() / 1000);
  assert.deepEqual(rest, {
    object: "chat.completion",
    model: "test-model",
    choices: [
      {
        index: 0,
        message: { role: "assistant", content: "Hello", refusal: null },
        logprobs: null,
        finish_reason: "stop",
      },
    ],
    usage: {
      ...{ prompt_tokens: 30, completion_tokens: 3, total_tokens: 33 },
      prompt_tokens_details: { cached_tokens: 20 },
    },
  });
});

test("calls: whole and streamed", async () => {
  const calls = new Completions(async (_, { onPiece }) => {
    onPiece({ start: { promptTokens: 30, cachedTokens: 20 } });
    onPiece({ call: { index: 0, id: "a", name: "f", arguments: "" } });
    for (const more of ['{"x"', ": 1}"]) onPiece({ call: { index: 0, arguments: more } });
    onPiece({ call: { index: 1, id: "b", name: "g", arguments: "{}" } });
    return { finishReason: "tool_calls", timings };
  }, "m");
  const { choices } = await calls.create({ messages });
  assert.deepEqual(choices[0], {
    index: 0,
    message: {
      ...{ role: "assistant", content: null, refusal: null },
      tool_calls: [
        { id: "a", type: "function", function: { name: "f", arguments: '{"x": 1}' } },
        { id: "b", type: "function", function: { name: "g", arguments: "{}" } },
      ],
    },
    logprobs: null,
    finish_reason: "tool_calls",
  });
  const chunks = await collect(await calls.create({ messages, stream: true }));
  assert.deepEqual(
    chunks.map(({ choices: [choice] }) => [choice.delta.tool_calls?.[0] ?? null, choice.finish_reason]),
    [
      [null, null],
      [{ index: 0, id: "a", type: "function", function: { name: "f", arguments: "" } }, null],
      [{ index: 0, function: { arguments: '{"x"' } }, null],
      [{ index: 0, function: { arguments: ": 1}" } }, null],
      [{ index: 1, id: "b", type: "function", function: { name: "g", arguments: "{}" } }, null],
      [null, "tool_calls"],
    ],
  );
});

test("a streamed answer: role, text, reason, and usage when asked for", async () => {
  const stream = await sayHello("length").create({ messages, stream: true, stream_options: { include_usage: true } });
  const chunks = await collect(stream);
  assert.deepEqual(
    chunks.map(({ choices }) => choices.map((/** @type {any} */ choice) => [choice.delta, choice.finish_reason])),
    [
      [[{ role: "assistant", content: "" }, null]],
      [[{ content: "Hel" }, null]],
      [[{ content: "lo" }, null]],
      [[{}, "length"]],
      [],
    ],
  );
  assert.equal(chunks[4].usage.total_tokens, 33);
  assert.equal(new Set(chunks.map(({ id }) => id)).size, 1);
  assert.ok(chunks.every(({ object, model }) => object === "chat.completion.chunk" && model === "test-model"));
  const plain = await collect(await sayHello("stop").create({ messages, stream: true, model: "other" }));
  assert.equal(plain.length, 4);
  assert.equal(plain[0].model, "other");
});

test("an abort ends a stream without an error, and a whole answer with one", async () => {
  /** @type {AbortSignal[]} */
  const signals = [];
  const controller = new AbortController();
  const stream = await talkOn(signals).create({ messages, stream: true, signal: controller.signal });
  let count = 0;
  for await (const { choices } of stream) if (choices[0].delta.content && ++count === 3) controller.abort();
  assert.equal(count, 3);
  assert.ok(signals[0].aborted);
  const other = new AbortController();
  const answer = talkOn(signals).create({ messages }, { signal: other.signal });
  setTimeout(() => other.abort(), 5);
  await assert.rejects(answer, { name: "AbortError" });
  await assert.rejects(talkOn(signals).create({ messages, signal: AbortSignal.abort() }), { name: "AbortError" });
  assert.equal(signals.length, 2, "what was aborted before does not begin");
});

test("leaving the loop, or the stream's own controller, ends the generation", async () => {
  /** @type {AbortSignal[]} */
  const signals = [];
  for await (const { choices } of await talkOn(signals).create({ messages, stream: true })) if (choices[0].delta.content) break;
  assert.ok(signals[0].aborted);
  const stream = await talkOn(signals).create({ messages, stream: true });
  stream.controller.abort();
  await collect(stream);
  assert.ok(signals[1].aborted);
});

test("an error before the first chunk rejects create, one after it the loop", async () => {
  const early = new Completions(async () => Promise.reject(new Error("too long")), "m");
  await assert.rejects(early.create({ messages, stream: true }), /too long/);
  await assert.rejects(early.create({ messages }), /too long/);
  const late = new Completions(async (_, { onPiece }) => {
    onPiece({ start: { promptTokens: 1, cachedTokens: 0 } });
    onPiece({ text: "so far" });
    throw new Error("the worker died");
  }, "m");
  const stream = await late.create({ messages, stream: true });
  /** @type {string[]} */
  const said = [];
  await assert.rejects(async () => {
    for await (const { choices } of stream) said.push(choices[0].delta.content ?? "");
  }, /the worker died/);
  assert.deepEqual(said, ["", "so far"]);
});

test("the request: names, defaults, both spellings of the limit", () => {
  const { sampling, stop, maxTokens } = readRequest({ messages });
  assert.deepEqual([sampling, stop, maxTokens], [{}, [], null]);
  const full = { temperature: 0, top_p: 0.5, top_k: 4, min_p: 0.1, seed: 3, repetition_penalty: 1.1 };
  const request = readRequest({ messages, ...full, stop: "x", max_tokens: 9, max_completion_tokens: 5, model: "m" });
  assert.deepEqual(request.sampling, full);
  assert.deepEqual([request.stop, request.maxTokens], [["x"], 5]);
  assert.equal(readRequest({ messages, max_tokens: 9, temperature: null, stop: null }).maxTokens, 9);
});

test("the messages: developer is system, parts of text are joined, an empty message is a message", () => {
  const given = [
    { role: "developer", content: "d" },
    { role: "user", content: [{ type: "text", text: "a" }, { type: "text", text: "b" }] },
    { role: "assistant", content: null },
    { role: "user", content: "" },
  ];
  assert.deepEqual(readRequest({ messages: given }).messages, [
    { role: "system", content: "d" },
    { role: "user", content: "ab" },
    { role: "assistant", content: "" },
    { role: "user", content: "" },
  ]);
});

/** @type {any} */
const circle = { type: "object" };
circle.properties = { self: circle };

/** @type {[any, string | null, string][]} what is given, the parameter at fault, OpenAI's code */
const faults = [
  [{ messages: [] }, "messages", "bad_input"],
  [{ messages: "Hi" }, "messages", "bad_input"],
  [{ messages: [null] }, "messages[0].role", "bad_input"],
  [{ messages: [{ role: "user" }] }, "messages[0].content", "bad_input"],
  [{ messages: [{ role: "user", content: 5 }] }, "messages[0].content", "bad_input"],
  [{ messages: [{ role: "user", content: [{ type: "image_url" }] }] }, "messages[0].content", "unsupported"],
  [{ messages: [{ role: "function", content: "" }] }, "messages[0].role", "bad_input"],
  [{ messages, temperature: -1 }, "temperature", "bad_input"],
  [{ messages, temperature: "1" }, "temperature", "bad_input"],
  [{ messages, top_p: NaN }, "top_p", "bad_input"],
  [{ messages, top_k: 1.5 }, "top_k", "bad_input"],
  [{ messages, seed: 2 ** 53 }, "seed", "bad_input"],
  [{ messages, max_tokens: 0 }, "max_tokens", "bad_input"],
  [{ messages, stop: ["a", ""] }, "stop", "bad_input"],
  [{ messages, temprature: 1 }, "temprature", "bad_input"],
  [{ messages, n: 2 }, "n", "unsupported"],
  [{ messages, n: 0 }, "n", "unsupported"],
  [{ messages, logprobs: true }, "logprobs", "unsupported"],
  [{ messages, reasoning_effort: "high" }, "reasoning_effort", "unsupported"],
  [{ messages, functions: [{ name: "f" }] }, "functions", "unsupported"],
  [{ messages, max_tokens: -1 }, "max_tokens", "bad_input"],
  [{ messages, temperature: 5 }, "temperature", "bad_input"],
  [{ messages, stream: "yes" }, "stream", "bad_input"],
  [{ messages, stream_options: { include_usage: true } }, "stream_options", "bad_input"],
  [{ messages, signal: 5 }, "signal", "bad_input"],
  [{ messages, model: 5 }, "model", "bad_input"],
  [undefined, "messages", "bad_input"],
  [{}, "messages", "bad_input"],
  [{ messages, response_format: { type: "json_schema" } }, "response_format.json_schema.name", "bad_input"],
  [{ messages, response_format: { type: "xml" } }, "response_format.type", "bad_input"],
  [{ messages, response_format: { type: "json_schema", json_schema: { name: "a b", schema: {} } } }, "response_format.json_schema.name", "bad_input"],
  [{ messages, response_format: { type: "json_schema", json_schema: { name: "a", schema: [] } } }, "response_format.json_schema.schema", "bad_input"],
  [{ messages, response_format: { type: "json_schema", json_schema: { name: "a", schema: { description: "x".repeat(200_001) } } } }, "response_format.json_schema.schema", "bad_input"],
  [{ messages, response_format: { type: "json_schema", json_schema: { name: "a", schema: circle } } }, "response_format.json_schema.schema", "bad_input"],
];
for (const [given, param, code] of faults) {
  test(`refused: ${inspect(given, { breakLength: Infinity }).slice(0, 120)}`, () => {
    assert.throws(
      () => readRequest(given),
      (/** @type {any} */ { message, error, status }) => {
        assert.deepEqual(error, { message, type: "invalid_request_error", code, param });
        assert.equal(status, 400);
        return true;
      },
    );
  });
}

test("an error says what was given", () => {
  const image = [{ type: "text", text: "What is this?" }, { type: "image_url", image_url: { url: "data:" } }];
  assert.throws(() => readRequest({ messages: [{ role: "user", content: image }] }), /text only, but .*content\[1\] is "image_url"/);
  assert.throws(() => readRequest({ messages: [{ role: "user", content: null }] }), /must be a text, not null/);
  assert.throws(() => readRequest({ messages, top_p: NaN }), /top_p must be a number from 0 to 1, not NaN/);
  assert.throws(() => readRequest(/** @type {any} */ ({ messages, n: 2 })), /n cannot be 2 here: one answer is made at a time/);
});

test("what asks for nothing is taken", () => {
  const harmless = { n: 1, tools: [], response_format: { type: "text" }, logprobs: false, tool_choice: "auto", parallel_tool_calls: true, user: "u", metadata: {} };
  assert.ok(readRequest(/** @type {any} */ ({ messages, ...harmless })));
});
