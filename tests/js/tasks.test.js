import assert from "node:assert/strict";
import { before, test } from "node:test";

import { findTask, makeContext } from "../../site_templates/kit/task.js";
import { fromNumbers } from "../../site_templates/kit/tensors.js";
import { padBatch } from "../../site_templates/kit/text/padding.js";
import { RowEncoder } from "../../site_templates/kit/text/row-encoder.js";
import { makeManifest } from "./fixtures.js";
import { byteTokenizer, makeTokenizer } from "./tokenizers.js";

const tokenizersUrl = new URL(
  "../../site_templates/node_modules/@huggingface/tokenizers/dist/tokenizers.mjs",
  import.meta.url,
).href;
const words = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "a", "cat", "dog", "sat"];
const special = (/** @type {string} */ content) => ({
  id: words.indexOf(content),
  content,
  special: true,
  single_word: false,
  lstrip: false,
  rstrip: false,
  normalized: false,
});

/** A real WordPiece tokenizer, as tokenizer.json holds it. */
const tokenizerJson = {
  version: "1.0",
  truncation: null,
  padding: null,
  added_tokens: words.slice(0, 4).map(special),
  normalizer: {
    type: "BertNormalizer",
    clean_text: true,
    handle_chinese_chars: true,
    strip_accents: null,
    lowercase: true,
  },
  pre_tokenizer: { type: "BertPreTokenizer" },
  post_processor: {
    type: "TemplateProcessing",
    single: [
      { SpecialToken: { id: "[CLS]", type_id: 0 } },
      { Sequence: { id: "A", type_id: 0 } },
      { SpecialToken: { id: "[SEP]", type_id: 0 } },
    ],
    pair: [],
    special_tokens: Object.fromEntries(
      ["[CLS]", "[SEP]"].map((token) => [token, { id: token, ids: [words.indexOf(token)], tokens: [token] }]),
    ),
  },
  decoder: { type: "WordPiece", prefix: "##", cleanup: true },
  model: {
    type: "WordPiece",
    unk_token: "[UNK]",
    continuing_subword_prefix: "##",
    max_input_chars_per_word: 100,
    vocab: Object.fromEntries(words.map((word, index) => [word, index])),
  },
};

/** @param {string} name */
const findPlain = (name) => /** @type {import("../../site_templates/kit/task.js").PlainTask} */ (findTask(name));
const asBytes = (/** @type {unknown} */ value) => new TextEncoder().encode(JSON.stringify(value));
/** @type {import("../../site_templates/kit/task.js").TaskContext} */
let context;

before(async () => {
  const manifest = makeManifest([], { task: "feature-extraction", settings: { max_length: 5 } });
  const assets = new Map([
    ["tokenizer.json", asBytes(tokenizerJson)],
    ["tokenizer_config.json", asBytes({ pad_token: "[PAD]" })],
  ]);
  context = await makeContext(manifest, assets, tokenizersUrl);
});

test("feature-extraction: tokenized, cut to max_length with its special tokens, padded to the longest", () => {
  const { encode } = findPlain("feature-extraction");
  const { input_ids: ids, attention_mask: mask } = encode({ text: ["A cat", "a cat sat a dog sat", ""] }, context);
  assert.deepEqual([ids.dtype, ids.shape, mask.shape], ["int64", [3, 5], [3, 5]]);
  assert.deepEqual(Array.from(ids.data, Number), [2, 4, 5, 3, 0, 2, 4, 5, 7, 3, 2, 3, 0, 0, 0]);
  assert.deepEqual(Array.from(mask.data, Number), [1, 1, 1, 1, 0, 1, 1, 1, 1, 1, 1, 1, 0, 0, 0]);
});

test("feature-extraction: a batch is no wider than its longest sentence", () => {
  const { encode } = findPlain("feature-extraction");
  assert.deepEqual(encode({ text: ["cat"] }, context).input_ids.shape, [1, 3]);
});

test("feature-extraction: truncation keeps whatever specials the tokenizer sets, on either side", () => {
  /** @param {string} template @param {string} text @param {number} most */
  const cut = (template, text, most) => {
    const post = {
      type: "TemplateProcessing",
      single: template
        .split(" ")
        .map((id) => (id === "$A" ? { Sequence: { id: "A", type_id: 0 } } : { SpecialToken: { id, type_id: 0 } })),
      pair: [],
      special_tokens: { "<": { ids: [101] }, ">": { ids: [102] }, "<<": { ids: [8, 8] }, 9: { ids: [60] } },
    };
    const json = { ...byteTokenizer([], []), post_processor: post };
    return new RowEncoder(makeTokenizer(json), json, {}, most).encode(text).ids;
  };
  const [one, two, nine] = [49, 50, 57]; // the bytes of these digits
  assert.deepEqual(cut("< $A >", "12345", 4), [101, one, two, 102]);
  assert.deepEqual(cut("$A 9", "9934", 3), [nine, nine, 60]);
  assert.deepEqual(cut("<< $A", "123", 4), [8, 8, one, two]);
  assert.deepEqual(cut("< $A >", "12", 4), [101, one, two, 102]);
});

test("feature-extraction: padding on the left where the tokenizer says so", () => {
  const { input_ids: ids, attention_mask: mask } = padBatch({ ids: [[1, 2, 3], [4]], padId: 7, padLeft: true });
  assert.deepEqual(Array.from(ids.data, Number), [1, 2, 3, 7, 7, 4]);
  assert.deepEqual(Array.from(mask.data, Number), [1, 1, 1, 0, 0, 1]);
});

test("feature-extraction: one embedding a sentence", () => {
  const { decode } = findPlain("feature-extraction");
  const { embeddings } = decode({ embedding: fromNumbers("float32", [2, 3], [1, 2, 3, 4, 5, 6]) }, context);
  assert.deepEqual(embeddings, [Float32Array.of(1, 2, 3), Float32Array.of(4, 5, 6)]);
});

test("feature-extraction: what is no list of sentences", () => {
  const { encode } = findPlain("feature-extraction");
  for (const input of [null, {}, { text: "one" }, { text: [] }, { text: [1] }]) {
    assert.throws(() => encode(input, context), { code: "bad-input", message: /list of one or more sentences/ });
  }
});

test("image-classification: ImageData and tensors give the same pixels", () => {
  const { encode } = findPlain("image-classification");
  const data = Uint8ClampedArray.from({ length: 24 }, (_, index) => index * 10);
  const fromCanvas = encode({ image: { width: 3, height: 2, data } }, context).image;
  assert.deepEqual(fromCanvas, { dtype: "uint8", shape: [2, 3, 4], data: Uint8Array.from(data) });
  assert.deepEqual(encode({ image: fromCanvas }, context).image, fromCanvas);
});

test("image-classification: what is no picture", () => {
  const { encode } = findPlain("image-classification");
  const cases = [
    null,
    { image: null },
    { image: fromNumbers("uint8", [2, 2, 3], Array(12).fill(0)) },
    { image: fromNumbers("float32", [1, 1, 4], [1, 2, 3, 4]) },
    { image: fromNumbers("uint8", [0, 5, 4], []) },
  ];
  for (const input of cases) assert.throws(() => encode(input, context), { code: "bad-input" });
});

test("image-classification: labels best first, ties in class order, names where there are any", () => {
  const { decode } = findPlain("image-classification");
  const manifest = makeManifest([], { settings: { labels: ["zero", "one", "two"] } });
  const { labels } = decode(
    { probabilities: fromNumbers("float32", [1, 4], [0.25, 0.125, 0.25, 0.375]) },
    { manifest },
  );
  assert.deepEqual(
    labels.map((/** @type {{label: string}} */ { label }) => label),
    ["class 3", "zero", "two", "one"],
  );
  assert.deepEqual(labels[0], { label: "class 3", index: 3, score: 0.375 });
});

test("tensor: inputs are checked against the interface by name, dtype and shape", () => {
  const { encode, decode } = findPlain("tensor");
  const inputs = [
    { name: "x", dtype: "float32", shape: ["n", 2] },
    { name: "flag", dtype: "bool", shape: [] },
  ];
  const tensorContext = { manifest: makeManifest([], { interface: { inputs, outputs: [] } }) };
  const x = fromNumbers("float32", [3, 2], [1, 2, 3, 4, 5, 6]);
  const flag = fromNumbers("bool", [], [1]);
  assert.deepEqual(encode({ inputs: { flag, x } }, tensorContext), { x, flag });
  assert.deepEqual(decode({}, tensorContext), {});
  /** @type {[any, RegExp][]} */
  const faults = [
    [undefined, /"x" \(float32 \[n, 2\]\) is missing/],
    [{ inputs: { x } }, /"flag" \(bool \[\]\) is missing/],
    [{ inputs: { x, flag, y: x } }, /has no input y. It has: x, flag/],
    [
      { inputs: { x: fromNumbers("float32", [2, 3], [1, 2, 3, 4, 5, 6]), flag } },
      /"x" must have the shape \[n, 2\], not \[2, 3\]/,
    ],
    [{ inputs: { x: fromNumbers("int32", [1, 2], [1, 2]), flag } }, /"x" must be float32, not int32/],
  ];
  for (const [input, message] of faults)
    assert.throws(() => encode(input, tensorContext), { code: "bad-input", message });
});

test("an unknown task names those that there are", () => {
  assert.throws(() => findTask("constructor"), {
    code: "bad-manifest",
    message: /Known: feature-extraction, fill-mask, image-classification, .*token-classification, zero-shot-classification/,
  });
});
