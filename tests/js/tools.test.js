import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { test } from "node:test";
import { inspect } from "node:util";

import { Completions } from "../../site_templates/kit/chat/completions.js";
import { readRequest } from "../../site_templates/kit/chat/request.js";
import { AnswerGrammars } from "../../site_templates/kit/generation/answer-grammars.js";
import { CallReader } from "../../site_templates/kit/generation/call-reader.js";
import { ChatTemplate } from "../../site_templates/kit/generation/chat-template.js";
import { Generator } from "../../site_templates/kit/generation/generator.js";
import { Prompter } from "../../site_templates/kit/generation/prompter.js";
import { Random } from "../../site_templates/kit/generation/random.js";
import { TokenBytes } from "../../site_templates/kit/generation/token-bytes.js";
import { TokenCache } from "../../site_templates/kit/generation/token-cache.js";
import { findToolSyntax } from "../../site_templates/kit/generation/tool-syntax.js";
import { compileSchema, jinja, xgrammar } from "./packages.js";
import { byteTokenizer, makeTokenizer } from "./tokenizers.js";

const hermes = await readFile(new URL("../tool_template.jinja", import.meta.url), "utf8");
const loop = "{% for m in messages %}{{ m.role }}:{{ m.content }}{{ m.tool_calls | tojson if m.tool_calls }}\n{% endfor %}";
const templates = {
  hermes,
  mistral: `{% if tools %}[AVAILABLE_TOOLS] {{ tools | tojson }}{% endif %}${loop}{# [TOOL_CALLS] #}`,
  llama: `<|start_header_id|>{% if tools %}{{ tools | tojson }} {"name": name, "parameters": {} } "parameters": {% endif %}${loop}`,
};

/** @type {Record<string, string>} */
const openings = { hermes: "<tool_call>", mistral: "[TOOL_CALLS]", llama: "" };

/** Special tokens that open calls, tokens across the borders of a call, and a sign that is no text at all. */
const special = ["<|end|>", "<|other|>", "[TOOL_CALLS]"];
const nasty = [
  ...["<tool_call>", "</tool_call>", ">\n", '>{"', '}}\n</', '{"name": "', '", "', '"}', '":', "}}", "}]", ", {", "<tool", "call>x"],
  ...["😀", '{"', "get_", "\\u", '"arguments": {', '"parameters": {', "[{", "\n\n"],
];
const tokenizer = makeTokenizer(byteTokenizer(special, nasty));
const [end, other, opener] = special.map((token) => Number(tokenizer.token_to_id(token)));
const vocabulary = 256 + special.length + nasty.length + 5;
const closers = [...'"}]>n0'].map((letter) => letter.charCodeAt(0));

/** @type {any[]} */
const tools = [
  {
    type: "function",
    function: {
      name: "get_weather",
      description: "How it is <there>",
      parameters: {
        type: "object",
        properties: { place: { type: "string", maxLength: 8 }, days: { type: "integer", minimum: 1, maximum: 7 } },
        required: ["place", "days"],
        additionalProperties: false,
      },
    },
  },
  {
    type: "function",
    function: {
      name: "get_weather_at",
      strict: true,
      parameters: {
        type: "object",
        properties: { at: { type: "array", items: { type: "number" }, minItems: 2, maxItems: 2 }, unit: { enum: ["°C", '"}'] } },
        required: ["at", "unit"],
        additionalProperties: false,
      },
    },
  },
  { type: "function", function: { name: "now" } },
];
const schemas = new Map(tools.map((tool) => [tool.function.name, tool.function.parameters ?? { maxProperties: 0 }]));
const messages = [{ role: "user", content: "How is it?" }];

/**
 * A model that says a script, or what a seed brings, and grows tired of it.
 * @param {{seed?: number, script?: string, template?: string, contextLength?: number}} how
 */
function makeCompletions({ seed = 1, script, template = hermes, contextLength = 9000 }) {
  const settings = /** @type {any} */ ({
    ...{ vocabulary, context_length: contextLength, chat_template: template, eos_token_ids: [end], add_bos: false },
    bos_token_id: null,
  });
  const words = script === undefined ? [] : [...tokenizer.encode(script).ids, end];
  const begins = template === templates.mistral ? "[TOOL_CALLS]" : template === hermes ? "<tool_call>" : "{";
  const opens = [123, ...tokenizer.get_added_tokens_decoder().keys()].filter((id) =>
    (id === 123 ? "{" : String(tokenizer.id_to_token(id))).startsWith(begins),
  );
  const random = new Random(seed);
  /** @type {string[]} */
  const prompts = [];
  let said = -1;
  let logits = new Float32Array(vocabulary);
  const decoder = {
    resize() {},
    async settle() {},
    /** @param {readonly number[]} ids */
    async run(ids) {
      if (ids.length > 1) said = -1;
      said++;
      logits = Float32Array.from({ length: vocabulary }, (_, id) => (seed % 4 ? 8 : 0) * random.nextFraction() + (id === other ? 9 : 0));
      // Seeds that are even open a call, if they are free to.
      for (const id of opens) logits[id] += seed % 2 ? -50 : said === (template === templates.llama ? 0 : 5) ? 50 : 0;
      if (said < 8) logits[end] -= 100;
      if (said > 60) for (const id of closers) logits[id] += (said - 60) / (id === 34 ? 2 : 3);
      if (said > 80) logits[end] += 1000;
      if (words.length) logits[words[Math.min(said, words.length - 1)]] += 2000;
      return logits;
    },
    /** @param {import("../../site_templates/kit/generation/sampler.js").Sampler} sampler */
    pick: async (sampler) => sampler.pick(logits),
  };
  const tokenBytes = new TokenBytes(tokenizer);
  const chatTemplate = new ChatTemplate(jinja, template, {});
  const prompter = new Prompter(tokenizer, tokenBytes, chatTemplate, settings);
  const grammars = new AnswerGrammars(xgrammar, tokenBytes, settings);
  const cache = new TokenCache(/** @type {any} */ (decoder), contextLength);
  const generator = new Generator(cache, prompter, settings, (format) => grammars.start(format));
  const completions = new Completions(async (request, { onPiece, signal }) => {
    prompts.push(chatTemplate.render(request.messages, request.tools));
    cache.ids.length = 0;
    return generator.generate(request, {
      onAlive: () => {},
      onStart: (start) => onPiece({ start }),
      onText: (text) => onPiece({ text }),
      onCall: (call) => onPiece({ call }),
      signal,
    });
  }, "m");
  return { completions, prompts };
}

/** @param {any} choice @param {string[]} [allowed] */
function checkCalls({ message, finish_reason: reason }, allowed = [...schemas.keys()]) {
  const calls = message.tool_calls ?? [];
  for (const { id, type, function: called } of calls) {
    assert.match(id, /^[a-z0-9]{9}$/);
    assert.equal(type, "function");
    assert.ok(allowed.includes(called.name), called.name);
    assert.ok(compileSchema(schemas.get(called.name))(JSON.parse(called.arguments)), `${called.name} ${called.arguments}`);
  }
  assert.equal(new Set(calls.map((/** @type {any} */ { id }) => id)).size, calls.length);
  assert.equal(reason, calls.length ? "tool_calls" : "stop");
  if (!calls.length) assert.equal(typeof message.content, "string");
  return calls;
}

for (const [syntax, template] of Object.entries(templates)) {
  test(`${syntax}: calls parse and validate, whatever the model wants`, async () => {
    let most = 0;
    for (let seed = 1; seed <= 8; seed++) {
      const { completions } = makeCompletions({ seed, template });
      const ask = async (/** @type {Record<string, any>} */ more) => (await completions.create({ messages, tools, seed, stream: false, ...more })).choices[0];
      const required = await ask({ tool_choice: "required" });
      const count = checkCalls(required).length;
      assert.ok(count);
      assert.equal(required.message.content, null);
      most = Math.max(most, count);
      assert.equal(checkCalls(await ask({ tool_choice: "required", parallel_tool_calls: false })).length, 1);
      const name = tools[seed % 3].function.name;
      assert.equal(checkCalls(await ask({ tool_choice: { type: "function", function: { name } } }), [name]).length, 1);
      const free = await ask({ tool_choice: "auto" });
      const opened = checkCalls(free).length;
      assert.equal(opened > 0, seed % 2 === 0, "the model opens a call, or does not");
      if (openings[syntax]) assert.ok(!free.message.content?.includes(openings[syntax]));
      else assert.ok(!opened || free.message.content === null);
      const none = await ask({ tool_choice: "none", max_tokens: 4 });
      assert.equal(none.message.tool_calls, undefined);
    }
    if (syntax !== "llama") assert.ok(most > 1, "several calls in an answer");
  });
}

/** @type {[string, keyof typeof templates, string, string | null, [string, any][]][]} */
const said = [
  ["text alone", "hermes", "It is <tool_cool> 😀 {}", "It is <tool_cool> 😀 {}", []],
  ["an opening that does not come", "hermes", "a <tool_cal", "a <tool_cal", []],
  ["a call alone", "hermes", '<tool_call>\n{"name": "now", "arguments": {}}\n</tool_call>', null, [["now", {}]]],
  [
    "text and two calls",
    "hermes",
    'Look: <tool_call>\n{"name": "get_weather", "arguments": {"place": "a\\"}{", "days": 3}}\n</tool_call>\n<tool_call>\n{"name": "now", "arguments": {}}\n</tool_call>',
    "Look: ",
    [
      ["get_weather", { place: 'a"}{', days: 3 }],
      ["now", {}],
    ],
  ],
  ["Mistral's special token", "mistral", 'Hm. [TOOL_CALLS] [{"name": "now", "arguments": {}}, {"name": "now", "arguments": {}}]', "Hm. ", [["now", {}], ["now", {}]]],
  ["Llama's JSON", "llama", '{"name": "get_weather", "parameters": {"place": "é😀", "days": 7}}', null, [["get_weather", { place: "é😀", days: 7 }]]],
  ["Llama's text with braces", "llama", ' So: {"name": "now"}', ' So: {"name": "now"}', []],
];
for (const [name, syntax, script, content, calls] of said) {
  test(`with auto the model chooses: ${name}`, async () => {
    const { completions } = makeCompletions({ script, template: templates[syntax] });
    const [choice] = (await completions.create({ messages, tools })).choices;
    assert.equal(choice.message.content, content);
    const read = checkCalls(choice).map((/** @type {any} */ { function: called }) => [called.name, JSON.parse(called.arguments)]);
    assert.deepEqual(read, calls);
  });
}

test("what a model gets wrong in a call is not said", async () => {
  const script = 'Now: <tool_call>\n{"name": "get_time", "arguments": {"place": 5}}</tool_call> Well?';
  const [choice] = (await makeCompletions({ script, seed: 5 }).completions.create({ messages, tools, parallel_tool_calls: false })).choices;
  assert.equal(checkCalls(choice).length, 1);
  assert.equal(choice.message.content, "Now: ");
});

test("a stream brings id and name first, then the arguments in pieces that join to the same", async () => {
  const script =
    'Hm <tool_call>{"name": "get_weather", "arguments": {"place": "é😀", "days": 2}}</tool_call><tool_call>{"name": "now", "arguments": {}}</tool_call>';
  const { completions } = makeCompletions({ script });
  const chunks = [];
  for await (const chunk of await completions.create({ messages, tools, stream: true })) chunks.push(chunk);
  const deltas = chunks.map(({ choices }) => choices[0].delta);
  assert.deepEqual(deltas[0], { role: "assistant", content: "" });
  assert.equal(deltas.map(({ content }) => content ?? "").join(""), "Hm ");
  const parts = deltas.flatMap(({ tool_calls: calls }) => calls ?? []);
  for (const [index, name, joined] of /** @type {const} */ ([[0, "get_weather", '{"place": "é😀", "days": 2}'], [1, "now", "{}"]])) {
    const [first, ...rest] = parts.filter((part) => part.index === index);
    assert.match(String(first.id), /^[a-z0-9]{9}$/);
    assert.deepEqual({ ...first, id: "" }, { index, id: "", type: "function", function: { name, arguments: "" } });
    assert.ok(rest.every((part) => !("id" in part) && !("type" in part) && !("name" in part.function)));
    assert.equal(rest.map((part) => part.function.arguments).join(""), joined);
  }
  assert.ok(parts.length > 6, "in pieces");
  assert.deepEqual(chunks.map(({ choices }) => choices[0].finish_reason).filter(Boolean), ["tool_calls"]);
});

test("a limit cuts honestly: in the name there is no call yet, in the arguments there is the begin of one", async () => {
  const script = '<tool_call>\n{"name": "get_weather", "arguments": {"place": "here", "days": 2}}\n</tool_call>';
  for (const [limit, cut] of /** @type {[number, string | null][]} */ ([[9, null], [35, '{"place":']])) {
    const [choice] = (await makeCompletions({ script }).completions.create({ messages, tools, max_tokens: limit })).choices;
    assert.equal(choice.finish_reason, "length");
    const got = choice.message.tool_calls?.[0].function.arguments ?? null;
    assert.ok(cut === null ? got === null : got?.startsWith(cut) && !got.endsWith("}"), String(got));
  }
});

/** As transformers' apply_chat_template renders it, from the same template. */
const conversation = `<|im_start|>system
Be brief.
Tools:
<tools>
{"type": "function", "function": {"name": "get_weather", "description": "How it is <there>", "parameters": {"type": "object", "properties": {"place": {"type": "string", "maxLength": 8}, "days": {"type": "integer", "minimum": 1, "maximum": 7}}, "required": ["place", "days"], "additionalProperties": false}}}
{"type": "function", "function": {"name": "now", "description": "", "parameters": {"type": "object", "properties": {}}}}
</tools>
A call: <tool_call>
{"name": name, "arguments": object}
</tool_call><|im_end|>
<|im_start|>user
How is it?<|im_end|>
<|im_start|>assistant
Look:
<tool_call>
{"name": "get_weather", "arguments": {"place": "Zürich \\"é\\"", "days": 2}}
</tool_call>
<tool_call>
{"name": "now", "arguments": {}}
</tool_call><|im_end|>
<|im_start|>user
<tool_response>
{"sun": true}
</tool_response>
<tool_response>
noon
</tool_response><|im_end|>
<|im_start|>assistant
`;

test("calls and their results go back into the prompt, as transformers writes them", async () => {
  const { completions, prompts } = makeCompletions({ script: "Fine." });
  const parts = ["no", "on"].map((text) => ({ type: "text", text }));
  const answer = await completions.create({
    messages: [
      { role: "system", content: "Be brief." },
      ...messages,
      {
        role: "assistant",
        content: "Look:",
        tool_calls: [
          { id: "a1", type: "function", function: { name: "get_weather", arguments: '{"place":"Zürich \\"é\\"","days":2}' } },
          { id: "a2", type: "function", function: { name: "now", arguments: "{}" } },
        ],
      },
      { role: "tool", tool_call_id: "a1", content: '{"sun": true}' },
      { role: "tool", tool_call_id: "a2", content: parts },
    ],
    tools: [tools[0], tools[2]],
  });
  assert.equal(prompts[0], conversation);
  assert.equal(answer.choices[0].message.content, "Fine.");
});

test("what one turn gives can be given to the next", async () => {
  const { completions, prompts } = makeCompletions({ seed: 3 });
  const first = (await completions.create({ messages, tools, tool_choice: "required" })).choices[0].message;
  const results = (first.tool_calls ?? []).map(({ id }) => ({ role: "tool", tool_call_id: id, content: "done" }));
  await completions.create({ messages: [...messages, first, ...results], tools });
  assert.equal(prompts[1].split("<tool_response>\ndone\n").length - 1, results.length);
});

test("a template without tools is named, and so is a way out", async () => {
  const plain = "{% for m in messages %}{{ m.content }}{% endfor %}";
  const { completions } = makeCompletions({ template: plain });
  const lacking = { code: "unsupported", param: "tools", message: /no place for tools.*json_schema/ };
  await assert.rejects(completions.create({ messages, tools }), lacking);
  await assert.rejects(completions.create({ messages, tools, stream: true }), lacking);
  const call = { id: "a", type: "function", function: { name: "now", arguments: "{}" } };
  const turns = [...messages, { role: "assistant", tool_calls: [call] }, { role: "tool", tool_call_id: "a", content: "x" }];
  await assert.rejects(completions.create({ messages: turns }), { code: "unsupported", param: "messages[1]" });
  assert.ok(await completions.create({ messages, tools, tool_choice: "none", max_tokens: 2 }));
});

test("syntaxes that are not known are refused", () => {
  for (const template of ["tools", "tools <tool_call></tool_call> <function= arguments", "tools [TOOL_CALLS]name[ARGS]"]) {
    assert.throws(() => findToolSyntax(template), { code: "unsupported", message: /in a way that this page cannot read/ });
  }
});

test("a schema that cannot be kept is refused by the name of its function", async () => {
  const parameters = { type: "object", properties: { a: { type: "array", uniqueItems: true } } };
  const odd = { type: "function", function: { name: "odd", parameters } };
  await assert.rejects(makeCompletions({}).completions.create({ messages, tools: [tools[2], odd] }), {
    code: "bad-input",
    param: "tools[1].function.parameters",
    message: /tools\[1\]\.function\.parameters\.properties\.a has uniqueItems, which is kept to only/,
  });
});

test("tools that fill the context are told so", async () => {
  const { completions } = makeCompletions({ contextLength: 300 });
  await assert.rejects(completions.create({ messages, tools }), { code: "context-full" });
});

test("a special token that opens calls is text there, and a sign elsewhere", () => {
  assert.equal(new TokenBytes(tokenizer).read(opener).length, 0);
  assert.equal(new TextDecoder().decode(new TokenBytes(tokenizer, ["[TOOL_CALLS]"]).read(opener)), "[TOOL_CALLS]");
  assert.equal(new TokenBytes(tokenizer, ["[TOOL_CALLS]"]).read(other).length, 0);
});

test("the reader takes any cut of the answer", () => {
  const whole = 'a<b <tool_call>{"name": "x", "arguments": {"a": ["}\\\\", {"b\\"{": 1}]}}</tool_call>\n<tool_call>{"name":"y","arguments":{}}</tool_call>';
  for (let size = 1; size < 30; size++) {
    let text = "";
    /** @type {string[][]} */
    const calls = [];
    const reader = new CallReader("<tool_call>", {
      onText: (piece) => (text += piece),
      onCall: ({ index, name, arguments: more }) => {
        calls[index] ??= [String(name), ""];
        calls[index][1] += more;
      },
    });
    for (let place = 0; place < whole.length; place += size) reader.push(whole.slice(place, place + size));
    reader.finish();
    assert.equal(text, "a<b ");
    assert.deepEqual(calls, [["x", '{"a": ["}\\\\", {"b\\"{": 1}]}'], ["y", "{}"]]);
  }
});

const weather = tools[0];
const call = { id: "a", type: "function", function: { name: "now", arguments: "{}" } };
const result = { role: "tool", tool_call_id: "a", content: "x" };
/** @param {any} changes */
const define = (changes) => [{ type: "function", function: { name: "f", ...changes } }];
/** @param {any} changes */
const turn = (changes) => [{ role: "assistant", tool_calls: [{ ...call, ...changes }] }];
/** @type {[any, string, string][]} */
const faults = [
  [{ tools: {} }, "tools", "bad_input"],
  [{ tools: Array(129).fill(weather) }, "tools", "bad_input"],
  [{ tools: [null] }, "tools[0].type", "bad_input"],
  [{ tools: [{ type: "custom", custom: {} }] }, "tools[0].type", "unsupported"],
  [{ tools: [{ type: "function" }] }, "tools[0].function.name", "bad_input"],
  [{ tools: define({ name: "a b" }) }, "tools[0].function.name", "bad_input"],
  [{ tools: define({ description: 5 }) }, "tools[0].function.description", "bad_input"],
  [{ tools: [weather, weather] }, "tools[1].function.name", "bad_input"],
  [{ tools: define({ parameters: [] }) }, "tools[0].function.parameters", "bad_input"],
  [{ tools: define({ parameters: null }) }, "tools[0].function.parameters", "bad_input"],
  [{ tools: define({ parameters: { type: "string" } }) }, "tools[0].function.parameters", "bad_input"],
  [{ tools: define({ parameters: { type: "object", description: "x".repeat(200_001) } }) }, "tools[0].function.parameters", "bad_input"],
  [{ tools, tool_choice: "any" }, "tool_choice", "bad_input"],
  [{ tools, tool_choice: { type: "function", function: { name: "none" } } }, "tool_choice", "bad_input"],
  [{ tools, tool_choice: { type: "allowed_tools" } }, "tool_choice", "bad_input"],
  [{ tool_choice: "required" }, "tool_choice", "bad_input"],
  [{ tools, parallel_tool_calls: 1 }, "parallel_tool_calls", "bad_input"],
  [{ tools, response_format: { type: "json_object" } }, "response_format", "unsupported"],
  [{ tools, stop: "x" }, "stop", "unsupported"],
  [{ messages: [{ role: "tool", content: "x" }] }, "messages[0].tool_call_id", "bad_input"],
  [{ messages: [result] }, "messages[0].tool_call_id", "bad_input"],
  [{ messages: [result, ...turn({})] }, "messages[0].tool_call_id", "bad_input"],
  [{ messages: [...turn({ id: "b" }), result] }, "messages[1].tool_call_id", "bad_input"],
  [{ messages: [...turn({}), { ...result, content: null }] }, "messages[1].content", "bad_input"],
  [{ messages: [{ role: "user", content: "", tool_calls: [call] }] }, "messages[0].tool_calls", "bad_input"],
  [{ messages: [{ role: "assistant", tool_calls: {} }] }, "messages[0].tool_calls", "bad_input"],
  [{ messages: turn({ type: "custom" }) }, "messages[0].tool_calls[0].type", "bad_input"],
  [{ messages: turn({ id: "" }) }, "messages[0].tool_calls[0].id", "bad_input"],
  [{ messages: turn({ function: {} }) }, "messages[0].tool_calls[0].function.name", "bad_input"],
  [{ messages: turn({ function: { name: "now", arguments: "{" } }) }, "messages[0].tool_calls[0].function.arguments", "bad_input"],
  [{ messages: turn({ function: { name: "now", arguments: {} } }) }, "messages[0].tool_calls[0].function.arguments", "bad_input"],
  [{ messages: turn({ function: { name: "now", arguments: "[]" } }) }, "messages[0].tool_calls[0].function.arguments", "bad_input"],
];
for (const [given, param, code] of faults) {
  test(`refused: ${inspect(given, { breakLength: Infinity }).slice(0, 120)}`, () => {
    assert.throws(
      () => readRequest({ messages, ...given }),
      (/** @type {any} */ { message, error }) => {
        assert.deepEqual(error, { message, type: "invalid_request_error", code, param });
        return true;
      },
    );
  });
}
