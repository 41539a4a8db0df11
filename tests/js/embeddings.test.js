import assert from "node:assert/strict";
import { test } from "node:test";

import { packBatches } from "../../site_templates/kit/embedding/batches.js";
import { countTokens, embedInputs } from "../../site_templates/kit/embedding/embedder.js";
import { Embeddings } from "../../site_templates/kit/embedding/embeddings.js";
import { RowEncoder } from "../../site_templates/kit/text/row-encoder.js";
import { makeManifest } from "./fixtures.js";
import { byteTokenizer, makeTokenizer } from "./tokenizers.js";

/**
 * @typedef {import("../../site_templates/node_modules/openai/resources/embeddings").CreateEmbeddingResponse} Response
 * @typedef {import("../../site_templates/node_modules/openai/resources/embeddings").EmbeddingCreateParams} Params
 * @typedef {import("../../site_templates/kit/types.js").Tensors} Tensors
 */

const manifest = makeManifest([], { task: "feature-extraction", settings: { max_length: 20, dimensions: 2 } });
const json = byteTokenizer([], []);
const tokenizer = makeTokenizer(json);
const context = { manifest, tokenizer, rowEncoder: new RowEncoder(tokenizer, json, {}, 20), tokenizerConfig: {} };

/** A graph whose embedding is the number of tokens and their sum, so that rows cannot be mistaken for one another. */
function makeSession() {
  /** @type {number[][]} */
  const shapes = [];
  /** @param {Tensors} feeds @returns {Promise<Tensors>} */
  const run = async ({ input_ids: ids, attention_mask: mask }) => {
    const [rows, width] = ids.shape;
    shapes.push([rows, width]);
    const embedding = new Float32Array(rows * 2);
    for (let at = 0; at < rows * width; at++) {
      const kept = Number(mask.data[at]);
      embedding[Math.floor(at / width) * 2] += kept;
      embedding[Math.floor(at / width) * 2 + 1] += kept * Number(ids.data[at]);
    }
    return { embedding: { dtype: "float32", shape: [rows, 2], data: embedding } };
  };
  return { run, backend: /** @type {const} */ ("wasm"), shapes };
}

const quiet = { onProgress: () => {}, signal: new AbortController().signal };

test("batches hold inputs of about one length, every input once, and no more tokens than allowed", () => {
  const lengths = [3, 90, 5, 100, 4, 300, 95];
  const batches = packBatches(lengths, 200);
  assert.deepEqual(batches, [[5], [3, 6], [1, 2], [4, 0]]);
  assert.deepEqual(packBatches([], 10), []);
  assert.equal(packBatches([0, 0, 0], 2).flat().length, 3);
});

test("embeddings come back in the order of their inputs, however they were batched", async () => {
  const inputs = ["abc", "z".repeat(19), "", "hello there", "b"];
  const session = makeSession();
  /** @type {number[]} */
  const seen = [];
  const { embeddings, tokenCounts } = await embedInputs(session, context, { inputs, cut: true }, {
    ...quiet,
    onProgress: (done) => seen.push(done),
  });
  assert.deepEqual([...embeddings].filter((_, index) => index % 2 === 0), inputs.map((text) => text.length));
  assert.deepEqual([...tokenCounts], inputs.map((text) => text.length));
  assert.equal(seen.at(-1), inputs.length);
  const alone = await embedInputs(makeSession(), context, { inputs: ["hello there"], cut: true }, quiet);
  assert.deepEqual([...embeddings.subarray(6, 8)], [...alone.embeddings]);
});

test("an input that is too long is cut where that is asked for, else refused by its number", async () => {
  const inputs = ["a", "x".repeat(30)];
  const { tokenCounts } = await embedInputs(makeSession(), context, { inputs, cut: true }, quiet);
  assert.deepEqual([...tokenCounts], [1, 20]);
  const refused = embedInputs(makeSession(), context, { inputs, cut: false }, quiet);
  await assert.rejects(refused, { code: "context-full", message: /input\[1\] has 30 tokens.*at most 20/ });
});

test("an abort ends the work between two batches", async () => {
  const controller = new AbortController();
  const session = makeSession();
  const inputs = Array.from({ length: 200 }, () => "x".repeat(19));
  const listener = { onProgress: () => controller.abort(), signal: controller.signal };
  await assert.rejects(embedInputs(session, context, { inputs, cut: false }, listener), { name: "AbortError" });
  assert.equal(session.shapes.length, 1);
});

test("tokens are counted without what the model puts around them", () => {
  assert.deepEqual([...countTokens(context, ["", "abc"])], [0, 3]);
});

const embeddings = new Embeddings((request) => embedInputs(makeSession(), context, request, quiet), manifest);

test("what the official client sends is taken, and what it expects is given", async () => {
  /** @type {Params} */
  const params = { model: "m", input: ["ab", "c"], encoding_format: "float", dimensions: 2, user: "u" };
  /** @type {Response} */
  const answer = await embeddings.create(params);
  assert.deepEqual(answer.data[0], { object: "embedding", index: 0, embedding: [2, 97 + 98] });
  assert.deepEqual([answer.object, answer.model, answer.data.length], ["list", "m", 2]);
  assert.deepEqual(answer.usage, { prompt_tokens: 3, total_tokens: 3 });
  assert.equal((await embeddings.create({ input: "abc" })).data.length, 1);
  assert.equal((await embeddings.create({ input: "abc" })).model, "test");
});

test("tokens say the same as their text, and base64 the same as numbers", async () => {
  const plain = (await embeddings.create({ input: "hi" })).data[0].embedding;
  const ids = [...context.tokenizer.encode("hi").ids];
  assert.deepEqual((await embeddings.create({ input: ids })).data[0].embedding, plain);
  assert.deepEqual((await embeddings.create({ input: [ids] })).data[0].embedding, plain);
  const packed = (await embeddings.create({ input: "hi", encoding_format: "base64" })).data[0].embedding;
  const bytes = Buffer.from(/** @type {string} */ (/** @type {unknown} */ (packed)), "base64");
  assert.deepEqual([0, 4].map((at) => bytes.readFloatLE(at)), plain);
});

/** @type {[any, string, RegExp][]} */
const refused = [
  [{ input: "" }, "bad-input", /input is an empty text/],
  [{ input: ["a", ""] }, "bad-input", /input\[1\] is empty/],
  [{ input: [] }, "bad-input", /must be a text/],
  [{}, "bad-input", /must be a text/],
  [{ input: ["a", 3] }, "bad-input", /input\[1\] is 3/],
  [{ input: [[1], []] }, "bad-input", /input\[1\] is \[\]/],
  [{ input: [1, 2, 3.5] }, "bad-input", /input\[2\] is 3\.5: a token is a whole number/],
  [{ input: [1, "a"] }, "bad-input", /input\[1\] is "a": a token/],
  [{ input: [[1], [-1]] }, "bad-input", /input\[1\] is \[-1\]/],
  [{ input: null }, "bad-input", /not null/],
  [{ input: Array(2049).fill("a") }, "bad-input", /2049 entries/],
  [{ input: "a", encoding_format: "int8" }, "bad-input", /encoding_format/],
  [{ input: "a", dimensions: 1 }, "unsupported", /2 dimensions and mean nothing with 1\./],
  [{ input: "a", dimensions: "2" }, "bad-input", /dimensions must be a whole number from 1 on, not "2"/],
  [{ input: "a", dimensions: 0 }, "bad-input", /not 0/],
  [{ input: "a", stream: true }, "bad-input", /no parameter "stream"/],
  [{ input: [99_999] }, "bad-input", /no token 99999/],
  [{ input: "x".repeat(21) }, "context-full", /at most 20/],
];

for (const [options, code, message] of refused) {
  test(`${JSON.stringify(options).slice(0, 60)} is refused`, async () => {
    await assert.rejects(embeddings.create(options), { code, message });
  });
}

test("an error has OpenAI's shape", async () => {
  const [error] = await Promise.all([embeddings.create({ input: "a", dimensions: 1 }).catch((each) => each)]);
  assert.deepEqual([error.error.type, error.error.param], ["invalid_request_error", "dimensions"]);
});
