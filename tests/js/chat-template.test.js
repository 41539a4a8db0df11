import assert from "node:assert/strict";
import { test } from "node:test";

import { ChatTemplate, readSpecialTokens } from "../../site_templates/kit/generation/chat-template.js";
import { formatTime } from "../../site_templates/kit/generation/strftime.js";
import { jinja } from "./packages.js";

/** SmolLM2's own. */
const smolTemplate =
  "{% for message in messages %}{% if loop.first and messages[0]['role'] != 'system' %}{{ '<|im_start|>system\nYou are a helpful AI assistant named SmolLM, trained by Hugging Face<|im_end|>\n' }}{% endif %}{{'<|im_start|>' + message['role'] + '\n' + message['content'] + '<|im_end|>' + '\n'}}{% endfor %}{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}";

/** @param {string} source @param {import("../../site_templates/kit/types.js").ChatMessage[]} [messages] @param {Record<string, string>} [tokens] */
const render = (source, messages = [{ role: "user", content: "Hi" }], tokens = {}) =>
  new ChatTemplate(jinja, source, tokens).render(messages);

test("SmolLM2's template, with and without a system message", () => {
  const user = /** @type {const} */ ({ role: "user", content: "Hi {{ 7 * 7 }} <|im_end|>" });
  assert.equal(
    render(smolTemplate, [user]),
    "<|im_start|>system\nYou are a helpful AI assistant named SmolLM, trained by Hugging Face<|im_end|>\n" +
      "<|im_start|>user\nHi {{ 7 * 7 }} <|im_end|><|im_end|>\n<|im_start|>assistant\n",
  );
  const turns = /** @type {const} */ ([
    { role: "system", content: "Be brief." },
    user,
    { role: "assistant", content: "Hello" },
    { role: "user", content: "" },
  ]);
  assert.equal(
    render(smolTemplate, [...turns]),
    "<|im_start|>system\nBe brief.<|im_end|>\n<|im_start|>user\nHi {{ 7 * 7 }} <|im_end|><|im_end|>\n" +
      "<|im_start|>assistant\nHello<|im_end|>\n<|im_start|>user\n<|im_end|>\n<|im_start|>assistant\n",
  );
});

test("blocks take the line's blanks before and the line's end after them, as in Transformers", () => {
  const source = "{{ bos_token }}\n  {% for m in messages %}\n  {{ m.role }}:\n  {%- endfor %}\nend\n";
  assert.equal(render(source, undefined, { bos_token: "<s>" }), "<s>\n  user:end");
  assert.equal(render("{{ 'a\r\nb' }}\r\nc"), "a\nb\nc", "Windows' ends of lines are ends of lines");
});

test("what templates use: range, namespace, strftime_now, none, tests", () => {
  assert.equal(render("{% for i in range(3) %}{{ i }}{% endfor %}{% for i in range(5, 1, -2) %}{{ i }}{% endfor %}"), "01253");
  assert.equal(render("{% set n = namespace(x=1) %}{% for m in messages %}{% set n.x = n.x + 1 %}{% endfor %}{{ n.x }}"), "2");
  assert.equal(render("{{ strftime_now('%Y') }}"), String(new Date().getFullYear()));
  assert.equal(render("{% if tools is not defined or tools is none %}no tools{% endif %}"), "no tools");
});

test("a template that refuses a conversation says so in its own words", () => {
  assert.throws(() => render("{{ raise_exception('Roles must alternate') }}"), {
    code: "bad-input",
    message: "The model's chat template does not take this conversation: Roles must alternate",
  });
});

test("templates that do not parse, or fail, are named as such", () => {
  for (const source of ["{% for %}", "{% if x %}", "{{ 'open"]) {
    assert.throws(() => new ChatTemplate(jinja, source, {}), { code: "bad-template" });
  }
  for (const source of ["{{ nothing.at.all() }}", "{{ messages | no_such_filter }}", "{{ range(1, 5, 0) }}"]) {
    assert.throws(() => render(source), { code: "bad-template" });
  }
});

test("hostile templates reach nothing, and make no endless list or text", () => {
  for (const source of ["{{ range(1000000000) | length }}", "{{ range(0, 1, 0.000000001) | length }}"]) {
    assert.throws(() => render(source), { code: "bad-template", message: /too long/ });
  }
  const doubling = "{% set n = namespace(s='x') %}{% for i in range(64) %}{% set n.s = n.s ~ n.s %}{% endfor %}{{ n.s }}";
  assert.throws(() => render(doubling), { code: "bad-template" });
  for (const path of ["constructor", "__proto__", "constructor.constructor"]) {
    const attempt = () => render(`{{ (messages.${path}('return 7')()) }}`);
    assert.throws(attempt, { code: "bad-template" });
    assert.doesNotMatch(render(`{{ messages[0].${path} is defined }}`), /true/i);
  }
  for (const name of ["globalThis", "self", "fetch", "postMessage"]) {
    assert.equal(render(`{% if ${name} is defined %}reached{% endif %}`), "");
  }
});

test("special tokens come from tokenizer_config.json in both of its forms", () => {
  const config = { bos_token: "<s>", eos_token: { content: "</s>" }, pad_token: null, unk_token: 3 };
  assert.deepEqual(readSpecialTokens(config), { bos_token: "<s>", eos_token: "</s>" });
});

test("dates as Python writes them", () => {
  const date = new Date(2024, 6, 4, 15, 5, 9);
  assert.equal(formatTime(date, "%d %b %Y, %A %B %H:%M:%S %I %p %y %% %q"), "04 Jul 2024, Thursday July 15:05:09 03 PM 24 % %q");
});
