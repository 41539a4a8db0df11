import assert from "node:assert/strict";
import { test } from "node:test";

import { Grammars, writeFormat } from "../../site_templates/kit/generation/grammar.js";
import { Random } from "../../site_templates/kit/generation/random.js";
import { Sampler, SamplerBuffers, plainSampling } from "../../site_templates/kit/generation/sampler.js";
import { TextStream, StopStrings } from "../../site_templates/kit/generation/text-stream.js";
import { TokenBytes } from "../../site_templates/kit/generation/token-bytes.js";
import { compileSchema, tokenizers, xgrammar } from "./packages.js";
import { byteTokenizer } from "./tokenizers.js";

/** Tokens across the borders of a JSON text, half characters aside (every byte is a token of its own). */
const nasty = ['"}', '","', '": ', '"]', '}}', '"a":', '"\\', '\\u', '\\ud8', '00', 'ud83', '", "', '{"', '[[', 'e9', '.5', '😀', 'é"', 'null', 'true}', '-0', '1e', "\n\n", "  "];
const end = 256;
const tokenizer = new tokenizers.Tokenizer(byteTokenizer(["<|end|>", "<|other|>"], nasty), {});
const vocabulary = 258 + nasty.length + 7; // a graph may have more logits than the tokenizer has tokens
const tokenBytes = new TokenBytes(tokenizer);
const settings = /** @type {any} */ ({ vocabulary, eos_token_ids: [end] });
const grammars = new Grammars(xgrammar, tokenBytes, settings);
const closers = [...'"}],:0n'].map((letter) => letter.charCodeAt(0));
const ends = [..."}]n"].map((letter) => letter.charCodeAt(0));

/**
 * A model that wants anything but what the grammar wants, and grows tired of it.
 * @type {Record<string, (random: Random) => Float32Array>}
 */
const models = {
  random: (random) => Float32Array.from({ length: vocabulary }, () => 8 * random.nextFraction()),
  unwilling: (random) =>
    Float32Array.from({ length: vocabulary }, (_, id) => (id === end ? 90 : id > 256 ? 60 : 20 * random.nextFraction())),
  flat: () => new Float32Array(vocabulary),
};

/**
 * @param {any} format
 * @param {keyof typeof models} model
 * @param {number} seed
 * @param {number} [patience]  tokens after which it prefers what closes
 */
async function generate(format, model, seed, patience = 40) {
  const constraint = await grammars.start(writeFormat(format));
  const sampler = new Sampler({ ...plainSampling, temperature: seed % 3 ? 1 : 0, repetition_penalty: seed % 2 ? 1 : 1.1, seed }, [5], new SamplerBuffers(vocabulary));
  const random = new Random(seed);
  const stream = new TextStream(tokenBytes, new StopStrings([]));
  let text = "";
  try {
    await constraint.look();
    for (let tokens = 0; tokens < 4000; tokens++) {
      if (constraint.ended) return text + stream.finish();
      const logits = models[model](random);
      if (tokens > patience) for (const id of closers) logits[id] += (tokens - patience) / (id === 34 ? 1 : ends.includes(id) ? 2 : 4);
      if (tokens > 3 * patience) logits[end] += 1000;
      sampler.mask = constraint.mask;
      const id = sampler.pick(logits);
      if (id === end) return text + stream.finish();
      text += stream.push(id);
      await constraint.accept(id);
    }
  } finally {
    constraint.dispose();
  }
  throw new Error(`no end: ${text.slice(0, 300)}`);
}

const person = {
  type: "object",
  properties: { name: { type: "string" }, age: { type: "integer", minimum: 0, maximum: 130 }, tags: { type: "array", items: { enum: ["a\"b", "é😀", "\\"] } } },
  required: ["name", "age"],
  additionalProperties: false,
};
const tree = {
  $ref: "#/$defs/node",
  $defs: { node: { type: "object", properties: { value: { type: "number" }, next: { anyOf: [{ $ref: "#/$defs/node" }, { type: "null" }] } }, required: ["value", "next"], additionalProperties: false } },
};
/** @type {Record<string, any>} */
const schemas = {
  person,
  tree,
  "any object": { type: "object" },
  anything: {},
  nested: { type: "object", properties: { list: { type: "array", items: person, minItems: 1, maxItems: 2 } }, required: ["list"] },
  optional: { type: "object", properties: { a: { type: "string" }, b: { type: "boolean" }, c: { type: "null" } } },
  "optional and required": { type: "object", properties: { a: { type: "boolean" }, b: { const: 5 }, c: { type: "null" } }, required: ["b"] },
  "other keys": { type: "object", properties: { a: { type: "string" }, ab: { type: "string" }, "é": { type: "string" } }, required: ["ab"], additionalProperties: { type: "integer" } },
  "a key that is needed but not listed": { type: "object", required: ["x"], additionalProperties: { type: "boolean" } },
  map: { type: "object", additionalProperties: { type: "number", minimum: 0 }, minProperties: 1, maxProperties: 3 },
  integer: { type: "integer" },
  number: { type: "number" },
  "from 6": { type: "integer", minimum: 6 },
  "6 to 1234": { type: "integer", minimum: 6, maximum: 1234 },
  "-17 to -3": { type: "integer", exclusiveMinimum: -18, maximum: -3 },
  "-5 to 123": { type: "integer", minimum: -5.5, exclusiveMaximum: 124 },
  "0.5 to 3.25": { type: "number", minimum: 0.5, maximum: 3.25 },
  "above 0": { type: "number", exclusiveMinimum: 0 },
  "-0.3 to 1e3": { type: "number", minimum: -0.3, exclusiveMaximum: 1e3 },
  "up to -1.005": { type: "number", maximum: -1.005 },
  "3 to 5 characters": { type: "string", minLength: 3, maxLength: 5 },
  "7 or more characters": { type: "string", minLength: 7 },
  "at most 3 characters": { type: "string", maxLength: 3 },
  "text or null": { type: ["string", "null"], maxLength: 4 },
  enum: { enum: [1, "two", null, { three: [3.5, "\n\u0007\ud800"] }, "emoji 👩‍👩‍👧"] },
  "enum of a type": { type: "string", enum: ["a", "b"] },
  tuple: { type: "array", prefixItems: [{ type: "integer" }, { type: "string" }], items: { type: "boolean" }, minItems: 3, maxItems: 4 },
  "fixed tuple": { type: "array", prefixItems: [{ type: "integer" }, { type: "null" }], items: false },
  "2 to 4 items": { type: "array", items: { type: "boolean" }, minItems: 2, maxItems: 4 },
  "no items": { type: "array", maxItems: 0 },
  union: { anyOf: [{ type: "object", properties: { kind: { const: "a" }, x: { type: "number" } }, required: ["kind", "x"] }, { type: "string" }] },
  discriminated: { oneOf: [{ type: "object", properties: { kind: { const: "a" } }, required: ["kind"] }, { type: "object", properties: { kind: { const: "b" } }, required: ["kind"] }] },
  "all of one": { allOf: [{ $ref: "#/definitions/x" }], title: "T", definitions: { x: { type: "boolean" } } },
  "names to escape": { type: "object", properties: { 'a"b\\': { type: "null" }, "\n": { type: "null" }, "ключ 🔑": { type: "null" }, __proto__x: { type: "null" } }, required: ['a"b\\', "\n", "ключ 🔑"] },
  "a reference with escapes": { $ref: "#/$defs/a~1b%20c", $defs: { "a/b c": { type: "boolean" } } },
};

/** @param {string} text */
function parse(text) {
  try {
    return JSON.parse(text);
  } catch (error) {
    throw new Error(`does not parse: ${text}`, { cause: error });
  }
}

for (const [name, schema] of Object.entries(schemas)) {
  test(`always parses and validates: ${name}`, async () => {
    const validate = compileSchema(schema);
    for (const model of /** @type {(keyof typeof models)[]} */ (Object.keys(models))) {
      for (let seed = 1; seed <= 6; seed++) {
        const text = await generate({ type: "json_schema", schema }, model, seed);
        const value = parse(text);
        assert.ok(validate(value), `${model} ${seed}: ${text}`);
        assert.doesNotMatch(text, /\ufffd/, "whole characters");
      }
    }
  });
}
