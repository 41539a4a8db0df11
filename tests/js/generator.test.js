import assert from "node:assert/strict";
import { test } from "node:test";

import { ChatTemplate } from "../../site_templates/kit/generation/chat-template.js";
import { Generator } from "../../site_templates/kit/generation/generator.js";
import { Prompter } from "../../site_templates/kit/generation/prompter.js";
import { checkScoreInput, scoreTokens } from "../../site_templates/kit/generation/score.js";
import { readGenerationSettings } from "../../site_templates/kit/generation/settings.js";
import { TokenBytes } from "../../site_templates/kit/generation/token-bytes.js";
import { TokenCache } from "../../site_templates/kit/generation/token-cache.js";
import { fromNumbers } from "../../site_templates/kit/tensors.js";
import { makeManifest } from "./fixtures.js";
import { jinja } from "./packages.js";
import { byteTokenizer, makeTokenizer } from "./tokenizers.js";

const tokenizer = makeTokenizer(byteTokenizer(["<|end|>"], []));
const end = 256;
const vocabulary = 257;
const generation = {
  ...{ layers: 1, kv_heads: 1, head_size: 1, vocabulary, context_length: 200, bos_token_id: end, eos_token_ids: [end] },
  ...{ add_bos: false, chat_template: "{% for m in messages %}{{ m.content }}|{% endfor %}", cache_dtype: "float32" },
};

/**
 * A model that always says the same: after n tokens of answer, token n of its script.
 * @param {string} script
 * @param {Partial<typeof generation> & {defaults?: any}} [changes]
 */
function makeGenerator(script, changes = {}) {
  const settings = readGenerationSettings(makeManifest([], { settings: { generation: { ...generation, ...changes } } }));
  const words = [...tokenizer.encode(script).ids, end];
  /** @type {number[][]} */
  const runs = [];
  let prompt = 0;
  let logits = new Float32Array(vocabulary);
  const decoder = {
    resize() {},
    async settle() {},
    readLogits: async () => logits,
    /** @param {import("../../site_templates/kit/generation/sampler.js").Sampler} sampler */
    pick: async (sampler) => sampler.pick(logits),
    /** @param {readonly number[]} ids @param {number} past */
    async run(ids, past) {
      runs.push([...ids]);
      if (ids.length > 1 || ids[0] === tokenizer.token_to_id("|")) prompt = past + ids.length;
      const next = words[Math.min(past + ids.length - prompt, words.length - 1)];
      logits = new Float32Array(vocabulary).fill(0).with(next, 20);
    },
  };
  const cache = new TokenCache(decoder, settings.context_length);
  const template = new ChatTemplate(jinja, settings.chat_template, {});
  const generator = new Generator(cache, new Prompter(tokenizer, new TokenBytes(tokenizer), template, settings), settings);
  return { generator, runs, cache };
}

/**
 * @param {Generator} generator
 * @param {string} content
 * @param {Partial<import("../../site_templates/kit/types.js").GenerationRequest>} [request]
 * @param {(said: string, controller: AbortController) => void} [onSaid]
 */
async function say(generator, content, request = {}, onSaid = () => {}) {
  const controller = new AbortController();
  let text = "";
  /** @type {any} */
  let start = null;
  const messages = [{ role: /** @type {const} */ ("user"), content }];
  const sampling = { temperature: 0, ...request.sampling };
  const result = await generator.generate(
    { messages, stop: [], maxTokens: null, ...request, sampling },
    {
      ...{ onAlive: () => {}, signal: controller.signal, onStart: (given) => (start = given) },
      onText: (piece) => {
        text += piece;
        onSaid(text, controller);
      },
    },
  );
  return { text, start, ...result };
}

test("until the end token, with emoji whole", async () => {
  const { generator } = makeGenerator("Hi 👍🏽!");
  const { text, finishReason, timings } = await say(generator, "a", {}, (said) => assert.doesNotMatch(said, /\p{Surrogate}/u));
  assert.deepEqual([text, finishReason], ["Hi 👍🏽!", "stop"]);
  assert.equal(timings.completionTokens, new TextEncoder().encode("Hi 👍🏽!").length + 1);
  assert.deepEqual([timings.promptTokens, timings.cachedTokens, timings.contextLength], [2, 0, 200]);
});

test("until the limit, also in the middle of a character", async () => {
  const { generator } = makeGenerator("abc👍");
  assert.deepEqual(await pick(say(generator, "a", { maxTokens: 2 })), ["ab", "length"]);
  assert.deepEqual(await pick(say(generator, "a", { maxTokens: 5 })), ["abc", "length"]);
  const limited = makeGenerator("abcdef", { defaults: { max_tokens: 3 } }).generator;
  assert.deepEqual(await pick(say(limited, "a")), ["abc", "length"]);
  assert.deepEqual(await pick(say(limited, "a", { maxTokens: 4 })), ["abcd", "length"]);
});

/** @param {ReturnType<typeof say>} answer */
const pick = async (answer) => [(await answer).text, (await answer).finishReason];

test("until a stop string, across tokens; what only looked like one is said", async () => {
  const { generator } = makeGenerator("one. two. three");
  assert.deepEqual(await pick(say(generator, "a", { stop: ["two"] })), ["one. ", "stop"]);
  assert.deepEqual(await pick(say(generator, "a", { stop: ["threee"] })), ["one. two. three", "stop"]);
  assert.deepEqual(await pick(say(generator, "a", { stop: ["one. twx"], maxTokens: 7 })), ["one. tw", "length"]);
});

test("until the context is full, never beyond it", async () => {
  const { generator, cache } = makeGenerator("x".repeat(500));
  const { text, finishReason } = await say(generator, "a".repeat(149));
  assert.deepEqual([text.length, finishReason], [50, "length"]);
  assert.ok(cache.ids.length <= 200);
});

test("a prompt that does not fit is refused before anything is computed", async () => {
  const { generator, runs } = makeGenerator("x");
  for (const length of [200, 10_000_000]) {
    await assert.rejects(say(generator, "a".repeat(length)), { code: "context-full", message: /holds 200 tokens/ });
  }
  assert.deepEqual(runs, []);
  await assert.rejects(say(makeGenerator("x", { chat_template: "" }).generator, "a"), { code: "bad-input" });
});

test("an abort ends it after the token at hand, and the next generation is whole", async () => {
  const { generator } = makeGenerator("a long story");
  const stop = await say(generator, "a", {}, (said, controller) => said === "a lo" && controller.abort());
  assert.deepEqual([stop.text, stop.finishReason], ["a lo", "aborted"]);
  assert.deepEqual(await pick(say(generator, "a")), ["a long story", "stop"]);
});

test("the second turn reads only what is new", async () => {
  const { generator, runs } = makeGenerator("yes");
  const first = await say(generator, "a");
  runs.length = 0;
  const messages = ["a", `${first.text}`, "b"].map((content) => ({ role: /** @type {const} */ ("user"), content }));
  const { start } = await say(generator, "", { messages });
  assert.equal(start.cachedTokens, 5, "a | y e s");
  assert.deepEqual(runs[0], tokenizer.encode("|b|").ids);
});

test("the model's first token where it is told to put one", () => {
  const { generator } = makeGenerator("x", { add_bos: true });
  assert.deepEqual(generator.prompter.makePrompt([{ role: "user", content: "a" }])[0], end);
});

test("scores: the log-probabilities of what is asked, position by position", async () => {
  const { cache } = makeGenerator("abc");
  const ids = [...tokenizer.encode("q|ab").ids];
  const ask = fromNumbers("int32", [3, 2], ["a", "b", "b", "c", "c", "a"].map((letter) => Number(tokenizer.token_to_id(letter))));
  const settings = /** @type {any} */ (generation);
  const { top_logprobs: logprobs, top_ids: best } = await scoreTokens(cache, checkScoreInput({ token_ids: ids, scored: 3, ask }, settings));
  const total = Math.log(Math.exp(20) + vocabulary - 1);
  [20, 0, 20, 0, 20, 0].forEach((logit, index) => assert.ok(Math.abs(Number(logprobs.data[index]) - (logit - total)) < 1e-6));
  assert.deepEqual([...best.data], ["a", "b", "c"].map((letter) => tokenizer.token_to_id(letter)));
  assert.deepEqual([logprobs.shape, best.shape, best.dtype], [[3, 2], [3, 1], "int32"]);
});

test("scores: what cannot be scored is refused", () => {
  const settings = /** @type {any} */ (generation);
  const ask = fromNumbers("int32", [1, 1], [5]);
  for (const input of [
    null,
    { token_ids: [], scored: 1, ask },
    { token_ids: [1, 999], scored: 1, ask },
    { token_ids: [1], scored: 2, ask },
    { token_ids: [1], scored: 0, ask },
    { token_ids: [1], scored: 1, ask: fromNumbers("int64", [1, 1], [5]) },
    { token_ids: [1], scored: 1, ask: fromNumbers("int32", [1, 1], [257]) },
    { token_ids: [1, 2], scored: 2, ask },
  ]) {
    assert.throws(() => checkScoreInput(input, settings), { code: "bad-input" });
  }
  assert.throws(() => checkScoreInput({ token_ids: Array(201).fill(1), scored: 1, ask }, settings), { code: "context-full" });
});

test("settings that do not hold together are named", () => {
  const broken = { ...generation, layers: 0, cache_dtype: "int8" };
  assert.throws(() => readGenerationSettings(makeManifest([], { settings: { generation: broken } })), {
    code: "bad-manifest",
    message: /layers is 0, cache_dtype is "int8"/,
  });
  assert.throws(() => readGenerationSettings(makeManifest([])), { code: "bad-manifest" });
});
