import assert from "node:assert/strict";
import { isIPv4 } from "node:net";
import { test } from "node:test";

import { Grammars, writeFormat } from "../../site_templates/kit/generation/grammar.js";
import { Random } from "../../site_templates/kit/generation/random.js";
import { Sampler, SamplerBuffers, plainSampling } from "../../site_templates/kit/generation/sampler.js";
import { TextStream, StopStrings } from "../../site_templates/kit/generation/text-stream.js";
import { TokenBytes } from "../../site_templates/kit/generation/token-bytes.js";
import { compileSchema, xgrammar } from "./packages.js";
import { byteTokenizer, makeTokenizer, spelledTokenizer } from "./tokenizers.js";

/** Tokens across the borders of a JSON text, half characters aside (every byte is a token of its own). */
const nasty = [
  '"}',
  '","',
  '": ',
  '"]',
  "}}",
  '"a":',
  '"\\',
  "\\u",
  "\\ud8",
  "00",
  "ud83",
  '", "',
  '{"',
  "[[",
  "e9",
  ".5",
  "😀",
  'é"',
  "null",
  "true}",
  "-0",
  "1e",
  "\n\n",
  "  ",
];
const end = 256;
const tokenizer = makeTokenizer(byteTokenizer(["<|end|>", "<|other|>"], nasty));
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
    Float32Array.from({ length: vocabulary }, (_, id) =>
      id === end ? 90 : id > 256 ? 60 : 20 * random.nextFraction(),
    ),
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
  const sampler = new Sampler(
    { ...plainSampling, temperature: seed % 3 ? 1 : 0, repetition_penalty: seed % 2 ? 1 : 1.1, seed },
    [5],
    new SamplerBuffers(vocabulary),
  );
  const random = new Random(seed);
  const stream = new TextStream(tokenBytes, new StopStrings([]));
  let text = "";
  try {
    await constraint.look();
    for (let tokens = 0; tokens < 4000; tokens++) {
      if (constraint.ended) return text + stream.finish();
      const logits = models[model](random);
      if (tokens > patience)
        for (const id of closers) logits[id] += (tokens - patience) / (id === 34 ? 1 : ends.includes(id) ? 2 : 4);
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
  properties: {
    name: { type: "string" },
    age: { type: "integer", minimum: 0, maximum: 130 },
    tags: { type: "array", items: { enum: ['a"b', "é😀", "\\"] } },
  },
  required: ["name", "age"],
  additionalProperties: false,
};
const tree = {
  $ref: "#/$defs/node",
  $defs: {
    node: {
      type: "object",
      properties: { value: { type: "number" }, next: { anyOf: [{ $ref: "#/$defs/node" }, { type: "null" }] } },
      required: ["value", "next"],
      additionalProperties: false,
    },
  },
};
/** @type {Record<string, any>} */
const schemas = {
  person,
  tree,
  "any object": { type: "object" },
  anything: {},
  nested: {
    type: "object",
    properties: { list: { type: "array", items: person, minItems: 1, maxItems: 2 } },
    required: ["list"],
  },
  optional: { type: "object", properties: { a: { type: "string" }, b: { type: "boolean" }, c: { type: "null" } } },
  "optional and required": {
    type: "object",
    properties: { a: { type: "boolean" }, b: { const: 5 }, c: { type: "null" } },
    required: ["b"],
  },
  "other keys": {
    type: "object",
    properties: { a: { type: "string" }, ab: { type: "string" }, é: { type: "string" } },
    required: ["ab"],
    additionalProperties: { type: "integer" },
  },
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
  "150 to 170 characters": { type: "string", minLength: 150, maxLength: 170 },
  "130 or more characters": { type: "string", minLength: 130 },
  "120 to 135 items": { type: "array", items: { type: "boolean" }, minItems: 120, maxItems: 135 },
  "up to 1000 items": { type: "array", items: { type: "integer", minimum: 0, maximum: 9 }, maxItems: 1000 },
  "multiples of 7": { type: "integer", multipleOf: 7 },
  "multiples of 60 in a day": { type: "integer", multipleOf: 60, minimum: -100, maximum: 86_400 },
  "multiples of 1000": { type: "integer", multipleOf: 1000, exclusiveMinimum: 0 },
  "multiples of 36, of a number": { type: "number", multipleOf: 36 },
  "multiples of a quarter": { type: "number", multipleOf: 0.25, minimum: -3, maximum: 4.125 },
  "whole multiples of 2.5": { type: "integer", multipleOf: 2.5 },
  "different values": { type: "array", items: { enum: ["a", "ab", 1, 12, "é😀", { b: 1, a: [2] }] }, uniqueItems: true },
  "two or three different values": {
    type: "array",
    items: { $ref: "#/$defs/tag" },
    uniqueItems: true,
    minItems: 2,
    maxItems: 3,
    $defs: { tag: { type: "string", enum: Array.from({ length: 16 }, (_, index) => `tag ${index}`) } },
  },
  "a ranking": { type: "array", items: { enum: ["x", "y", "z"] }, uniqueItems: true, minItems: 3 },
  "different booleans": { type: "array", items: { type: ["boolean", "null"] }, uniqueItems: true },
  "one item is always different": { type: "array", items: { type: "string", maxLength: 2 }, uniqueItems: true, maxItems: 1 },
  ...Object.fromEntries(
    /** @type {[string, any][]} */ ([
      ["^[a-z][a-z0-9_-]*$", { maxLength: 12 }],
      ["^[A-Z]{3}$", { minLength: 3, maxLength: 3 }],
      ["b+c", { minLength: 4, maxLength: 7 }],
      ["^(ab|c)*$", { minLength: 3, maxLength: 6 }],
      ["^x|[}n]+$", { minLength: 5, maxLength: 50 }],
      ["^(a{2,4}b?|\\d{3}){0,3}$", { minLength: 5, maxLength: 8 }],
      ["^.+@.+$", { maxLength: 9 }],
    ]).map(([pattern, length]) => [`pattern ${pattern} with a length`, { type: "string", pattern, ...length }]),
  ),
  "a format with a length": { type: "string", format: "uuid", minLength: 36, maxLength: 40 },
  "text or null": { type: ["string", "null"], maxLength: 4 },
  enum: { enum: [1, "two", null, { three: [3.5, "\n\u0007\ud800"] }, "emoji 👩‍👩‍👧"] },
  "enum of a type": { type: "string", enum: ["a", "b"] },
  tuple: {
    type: "array",
    prefixItems: [{ type: "integer" }, { type: "string" }],
    items: { type: "boolean" },
    minItems: 3,
    maxItems: 4,
  },
  "fixed tuple": { type: "array", prefixItems: [{ type: "integer" }, { type: "null" }], items: false },
  "2 to 4 items": { type: "array", items: { type: "boolean" }, minItems: 2, maxItems: 4 },
  "no items": { type: "array", maxItems: 0 },
  union: {
    anyOf: [
      { type: "object", properties: { kind: { const: "a" }, x: { type: "number" } }, required: ["kind", "x"] },
      { type: "string" },
    ],
  },
  discriminated: {
    oneOf: [
      { type: "object", properties: { kind: { const: "a" } }, required: ["kind"] },
      { type: "object", properties: { kind: { const: "b" } }, required: ["kind"] },
    ],
  },
  "all of one": { allOf: [{ $ref: "#/definitions/x" }], title: "T", definitions: { x: { type: "boolean" } } },
  "names to escape": {
    type: "object",
    properties: {
      'a"b\\': { type: "null" },
      "\n": { type: "null" },
      "ключ 🔑": { type: "null" },
      __proto__x: { type: "null" },
    },
    required: ['a"b\\', "\n", "ключ 🔑"],
  },
  formats: {
    type: "object",
    properties: Object.fromEntries(
      ["date", "time", "date-time", "ipv4", "uuid"].map((format) => [format, { type: "string", format }]),
    ),
    required: ["date", "time", "date-time", "ipv4", "uuid"],
  },
  ...Object.fromEntries(
    [
      "^[A-Z]{2}-\\d{3,5}$",
      "\\]n*|^x?$",
      "^(?:\\+49|0)[1-9](?<rest>[\\d /-]*?)$",
      "^[^\\s@\"]{1,5}@[^\\s@.]{1,5}(\\.\\w{2,})+$",
      '^.{2,4}$|^"\\\\\\/\\t\\u00e9\\u{1F511}[à-ÿ€-]$',
      "^\\S\\W\\D[^é]\\x41\\u0042[\\]\\^a-]$",
      "",
      "[\\s\\S]$",
      "^((a|bc){2}|d{0}){3}$",
    ].map((pattern) => [`pattern ${pattern}`, { type: "string", pattern }]),
  ),
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

/** @type {[string, any, RegExp][]} */
const refused = [
  [
    "a keyword that cannot be kept",
    { type: "object", properties: { a: { type: "array", uniqueItems: true, items: { type: "string" } } } },
    /schema\.properties\.a has uniqueItems, which is kept to only where items have a const, an enum/,
  ],
  ["different items of a tuple", { prefixItems: [{}, {}], uniqueItems: true }, /has uniqueItems, which is kept to only/],
  [
    "different items with a keyword that cannot be kept",
    { items: { enum: ["a", "b"], minLength: 1 }, uniqueItems: true },
    /items has minLength beside enum/,
  ],
  [
    "more different items than there are",
    { items: { enum: [1, 1, { a: 1, b: 2 }, { b: 2, a: 1 }] }, minItems: 3, uniqueItems: true },
    /no list at all: there are only 2 different items/,
  ],
  [
    "very many different items",
    { items: { enum: Array.from({ length: 12 }, (_, index) => index) }, uniqueItems: true },
    /uniqueItems, for which 12 different items are too many/,
  ],
  [
    "two of very many different items",
    { items: { enum: Array.from({ length: 200 }, (_, index) => index) }, maxItems: 2, uniqueItems: true },
    /uniqueItems, for which 200 different items are too many/,
  ],
  ["a list too long to count", { type: "array", maxItems: 20_000 }, /has more than 10000 items/],
  ["multiples of nothing", { type: "integer", multipleOf: 0 }, /multipleOf must be more than 0, not 0/],
  ["multiples of hundredths", { type: "number", multipleOf: 0.01 }, /multipleOf is 0.01, which binary fractions cannot/],
  ["multiples of very much", { type: "integer", multipleOf: 1e12 }, /multipleOf is 1000000000000, which is too large/],
  ["multiples that take many rules", { type: "integer", multipleOf: 9973 }, /multipleOf takes too many rules/],
  ["no multiple within the bounds", { type: "integer", multipleOf: 7, minimum: 8, maximum: 13 }, /no number at all/],
  [
    "an unknown keyword",
    { type: "string", contentEncoding: "base64" },
    /the keyword contentEncoding, which is not supported here/,
  ],
  ["if", { if: {}, then: {} }, /the keyword if, which is not supported without a type/],
  ["a keyword beside anyOf", { type: "object", anyOf: [{ required: ["a"] }] }, /has type beside anyOf/],
  ["several schemas at once", { allOf: [{ type: "string" }, { type: "string" }] }, /allOf with more than one schema/],
  ["oneOf that overlaps", { oneOf: [{ type: "integer" }, { type: "number" }] }, /oneOf is supported only where/],
  ["a type that is none", { type: "text" }, /schema\.type is "text", which is not a type/],
  ["a part that is no schema", { type: "array", items: 5 }, /schema\.items must be an object, not 5/],
  ["false", { type: "object", properties: { a: false } }, /schema\.properties\.a must be an object, not false/],
  ["a reference to nothing", { $ref: "#/$defs/none" }, /names "#\/\$defs\/none", which is not in this schema/],
  ["a reference to elsewhere", { $ref: "other.json" }, /names "other.json"/],
  ["a reference to itself", { $ref: "#" }, /leads back to itself/],
  ["a branch that is itself", { anyOf: [{ $ref: "#" }, { type: "string" }] }, /leads back to itself/],
  [
    "recursion without an end",
    { type: "object", properties: { next: { $ref: "#" } }, required: ["next"] },
    /leads back to itself without an end/,
  ],
  ["an empty range", { type: "integer", minimum: 3, maximum: 2 }, /allows no number at all/],
  ["a range without whole numbers", { type: "integer", minimum: 0.2, maximum: 0.8 }, /allows no number at all/],
  ["a bound that is no number", { type: "integer", minimum: "3" }, /minimum must be a number, not "3"/],
  ["a bound too fine", { type: "number", minimum: 1e-12 }, /minimum has 12 decimals/],
  ["a text too long to count", { type: "string", maxLength: 50_000 }, /a length of 50000/],
  ["a format", { type: "string", format: "iri" }, /format is "iri"; supported are date, /],
  ["a pattern that is none", { pattern: "(" }, /schema\.pattern is not a regular expression/],
  ["a pattern that looks ahead", { pattern: "^(?!a)" }, /schema\.pattern \(\^\(\?!a\)\) looks ahead or behind/],
  ["a pattern that repeats a text", { pattern: "(a)\\1" }, /has \\1, which is not supported/],
  ["a pattern with an end in the middle", { pattern: "(a$|b)" }, /has \$ where it is neither/],
  ["a pattern that grows", { pattern: "((ab){90}){90}" }, /too long when its repetitions/],
  ["a pattern of control characters", { pattern: "\\u0000" }, /a character that is not supported/],
  ["a pattern with half of China", { pattern: "[一-龠]" }, /a range of more than 256 characters/],
  ["a length that no match has", { pattern: "^a{2,3}$", minLength: 4 }, /a pattern that no text of its length matches/],
  ["a length between those of matches", { pattern: "^(aa)*$", minLength: 3, maxLength: 3 }, /no text of its length/],
  ["a pattern with a great length", { pattern: "^[ab]+$", maxLength: 5000 }, /and the length beside it take more than 600/],
  ["a pattern beside a format", { pattern: "a", format: "date" }, /has pattern beside format/],
  ["a format of another length", { format: "ipv4", maxLength: 10 }, /the format ipv4, whose texts have 7 to 15/],
  ["an empty enum", { enum: [] }, /enum must be a list that is not empty/],
  ["an enum of another type", { type: "string", enum: [1] }, /has no value of its type "string"/],
  [
    "a required name that may not be",
    { type: "object", properties: {}, required: ["a"], additionalProperties: false },
    /required names "a"/,
  ],
  [
    "counted properties",
    { type: "object", properties: { a: {} }, minProperties: 1 },
    /minProperties that cannot be kept/,
  ],
  [
    "very many parts",
    {
      enum: undefined,
      type: "object",
      properties: Object.fromEntries(Array.from({ length: 3000 }, (_, key) => [key, {}])),
    },
    /more than 2000 parts/,
  ],
  [
    "very deep",
    Array.from({ length: 100 }).reduce((inner) => ({ type: "array", items: inner }), {}),
    /nested more than 64 deep/,
  ],
];
for (const [name, schema, message] of refused) {
  test(`refused by name: ${name}`, () => {
    assert.throws(() => writeFormat({ type: "json_schema", schema }), {
      code: "bad-input",
      param: "response_format.json_schema.schema",
      message,
    });
  });
}

test("an endless recursion that need not be followed is followed as far as the model likes", async () => {
  const schema = { type: "object", properties: { child: { $ref: "#" } }, additionalProperties: false };
  assert.ok(compileSchema(schema)(JSON.parse(await generate({ type: "json_schema", schema }, "random", 1))));
});

test("formats are kept to", async () => {
  for (let seed = 1; seed <= 12; seed++) {
    const value = JSON.parse(await generate({ type: "json_schema", schema: schemas.formats }, "random", seed));
    for (const moment of [`${value.date}T00:00:00Z`, `2024-01-01T${value.time}`, value["date-time"]]) {
      assert.equal(new Date(moment).toISOString().replace(".000", ""), moment, "a day of the calendar");
    }
    assert.ok(isIPv4(value.ipv4), value.ipv4);
    assert.match(value.uuid, /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/);
  }
});

test("a pattern lets through what it matches", async () => {
  const cases = {
    "^[A-Z]{2}-\\d{3,5}$": ["AB-123", "ZZ-00000"],
    "^(red|green|blue)( (red|green|blue))*$": ["red", "green blue red"],
    "b+c|^x?$": ["", "x", "abbc ключ"],
    "^.+$": ["“quoted” – 10 €", "漢字 🔑", 'a"b\\c'],
    "^[^,]{1,3}$": ["é–🔑", "  "],
    "^\\W[à-ÿ]$": ["€é"],
  };
  for (const [pattern, texts] of Object.entries(cases)) {
    for (const text of texts) {
      assert.match(text, new RegExp(pattern, "u"));
      const constraint = await grammars.start(writeFormat({ type: "json_schema", schema: { type: "string", pattern } }));
      await constraint.look();
      for (const byte of Buffer.from(JSON.stringify(text))) await constraint.accept(byte);
      assert.ok((Number(constraint.mask?.[end >> 5]) >>> (end & 31)) & 1, `${pattern} ends after ${text}`);
      constraint.dispose();
    }
  }
});

/**
 * @param {any} schema
 * @param {unknown} value
 * @returns {Promise<boolean>} whether the grammar lets it through
 */
async function takes(schema, value) {
  const constraint = await grammars.start(writeFormat({ type: "json_schema", schema }));
  try {
    await constraint.look();
    for (const byte of Buffer.from(JSON.stringify(value))) {
      if (!((Number(constraint.mask?.[byte >> 5]) >>> (byte & 31)) & 1)) return false;
      await constraint.accept(byte);
    }
    return constraint.ended || Boolean((Number(constraint.mask?.[end >> 5]) >>> (end & 31)) & 1);
  } finally {
    constraint.dispose();
  }
}

test("what fits is let through, up to the bound and no further", async () => {
  const long = { type: "string", minLength: 130, maxLength: 300 };
  const list = { type: "array", items: { type: "integer" }, minItems: 150, maxItems: 250 };
  const free = { type: "array", items: { enum: ["a", "ab", 1, 12] }, uniqueItems: true };
  const slug = { type: "string", pattern: "^[a-z]+(-[a-z]+)*$", minLength: 3, maxLength: 9 };
  /** @type {[any, unknown[], unknown[]][]} */
  const cases = [
    [long, ["é".repeat(130), "x".repeat(300), "😀".repeat(200)], ["x".repeat(129), "é".repeat(301)]],
    [list, [Array(150).fill(7), Array(250).fill(7)], [Array(149).fill(7), Array(251).fill(7)]],
    [free, [[], [12, "ab", 1, "a"], ["ab", "a"]], [[1, 1], ["a", "ab", "a"], [2]]],
    [slug, ["abc", "ab-cd-ef", "abcdefghi"], ["ab", "ab-", "abcdefghij"]],
    [{ type: "integer", multipleOf: 12 }, [0, 12, -144, 999_999_999_996], [1, 6, 18, -145]],
    [{ type: "number", multipleOf: 0.5, maximum: 9 }, [3, 0, -7], [0.25, 9.5]],
  ];
  for (const [schema, right, wrong] of cases) {
    for (const value of right) assert.ok(await takes(schema, value), `${JSON.stringify(value).slice(0, 50)} fits`);
    for (const value of wrong) assert.ok(!(await takes(schema, value)), `${JSON.stringify(value).slice(0, 50)} is wrong`);
  }
});

test("json_object gives an object", async () => {
  for (let seed = 1; seed <= 5; seed++) {
    const value = JSON.parse(await generate({ type: "json_object" }, "random", seed));
    assert.ok(value && typeof value === "object" && !Array.isArray(value));
  }
});

test("the same grammar is compiled once, and many are not kept for ever", async () => {
  const engine = { ...xgrammar, GrammarCompiler: { createGrammarCompiler: countCompiles } };
  let compiles = 0;
  /** @param {any} info @param {boolean} cache */
  async function countCompiles(info, cache) {
    const compiler = await xgrammar.GrammarCompiler.createGrammarCompiler(info, cache);
    return { compileGrammar: (/** @type {string} */ text) => (compiles++, compiler.compileGrammar(text)) };
  }
  const fresh = new Grammars(engine, tokenBytes, settings);
  const write = (/** @type {number} */ value) => writeFormat({ type: "json_schema", schema: { const: value } });
  for (const value of [1, 1, 2, 1]) (await fresh.start(write(value))).dispose();
  assert.equal(compiles, 2);
  for (let value = 100; value < 140; value++) (await fresh.start(write(value))).dispose();
  (await fresh.start(write(1))).dispose();
  assert.equal(compiles, 43, "the oldest had been given up");
});

test("a tokenizer of spelled bytes", async () => {
  const spelled = makeTokenizer(
    spelledTokenizer([
      '{"',
      '"',
      "}",
      "\u2581",
      "a",
      ":",
      "1",
      "\u2581{",
      ...Array.from({ length: 128 }, (_, byte) => `<0x${byte.toString(16).toUpperCase().padStart(2, "0")}>`),
      "</s>",
    ]),
  );
  const last = 137;
  const own = new Grammars(
    xgrammar,
    new TokenBytes(spelled),
    /** @type {any} */ ({ vocabulary: 140, eos_token_ids: [last] }),
  );
  const constraint = await own.start(
    writeFormat({ type: "json_schema", schema: { type: "object", properties: { a: { const: 1 } }, required: ["a"] } }),
  );
  const take = async (/** @type {string} */ token) =>
    constraint.accept(/** @type {number} */ (spelled.token_to_id(token)));
  await constraint.look();
  for (const token of ['{"', "a", "<0x22>", ":", "\u2581", "1", "}"]) await take(token);
  assert.ok(constraint.ended);
  constraint.dispose();
});

test("a tokenizer that cannot write the answer is an error, not an end", async () => {
  const poor = makeTokenizer(spelledTokenizer(["{", "</s>"]));
  const own = new Grammars(xgrammar, new TokenBytes(poor), /** @type {any} */ ({ vocabulary: 3, eos_token_ids: [2] }));
  const constraint = await own.start(writeFormat({ type: "json_object" }));
  await constraint.look();
  await assert.rejects(constraint.accept(1), { code: "run", message: /cannot write/ });
});
