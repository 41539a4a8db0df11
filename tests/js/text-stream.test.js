import assert from "node:assert/strict";
import { test } from "node:test";

import { StopStrings, TextStream } from "../../site_templates/kit/generation/text-stream.js";
import { TokenBytes } from "../../site_templates/kit/generation/token-bytes.js";
import { byteTokenizer, makeTokenizer, spelledTokenizer } from "./tokenizers.js";

const tokenizer = makeTokenizer(byteTokenizer(["<|end|>"], ["<tool>"]));
const bytes = new TokenBytes(tokenizer);
const samples = [
  "plain text, with  two spaces\n\n\ttabs",
  "Zürich, naïve, Łódź",
  "日本語の文章と한국어",
  "👍🏽 family: 👩‍👩‍👧‍👦 flag: 🇨🇭 math: 𝕏",
  "mixed é́ combining e\u0301 and \u200b zero width, BOM \ufeff inside",
  "",
];

/** @param {string} text @param {string[]} [stops] */
function streamOf(text, stops = []) {
  const stream = new TextStream(bytes, new StopStrings(stops));
  const pieces = tokenizer.encode(text, { add_special_tokens: false }).ids.map((id) => stream.push(id));
  return { stream, pieces };
}

for (const text of samples) {
  test(`every token is one byte, and the text comes whole: ${JSON.stringify(text)}`, () => {
    const { stream, pieces } = streamOf(text);
    assert.equal(pieces.length, new TextEncoder().encode(text).length, "one token a byte");
    assert.equal(pieces.join("") + stream.finish(), text);
    for (const piece of pieces) {
      assert.doesNotMatch(piece, /\p{Surrogate}/u, "no half of a surrogate pair");
      assert.ok(!piece.includes("\ufffd"), "no sign for half a character");
      assert.ok([...piece].length <= 1);
    }
  });
}

test("what ends in the middle of a character says nothing of it", () => {
  const ids = tokenizer.encode("ok 👍", { add_special_tokens: false }).ids;
  const stream = new TextStream(bytes, new StopStrings([]));
  const said = ids.slice(0, -1).map((id) => stream.push(id));
  assert.equal(said.join("") + stream.finish(), "ok ");
});

test("bytes that are no UTF-8 become one replacement character and do not swallow what follows", () => {
  const ids = [...tokenizer.encode("👍", { add_special_tokens: false }).ids.slice(0, 2), ...tokenizer.encode("ab").ids];
  const stream = new TextStream(bytes, new StopStrings([]));
  assert.equal(ids.map((id) => stream.push(id)).join(""), "\ufffdab");
});

test("special tokens say nothing, other added tokens their own name, unknown ids nothing", () => {
  const special = /** @type {number} */ (tokenizer.token_to_id("<|end|>"));
  const plain = /** @type {number} */ (tokenizer.token_to_id("<tool>"));
  const stream = new TextStream(bytes, new StopStrings([]));
  assert.equal([special, plain, 1_000_000].map((id) => stream.push(id)).join(""), "<tool>");
});

test("tokenizers that spell spaces and bytes", () => {
  const spelled = makeTokenizer(spelledTokenizer(["\u2581Hello", "\u2581", "wor", "<0xF0>", "<0x9F>", "<0x91>", "<0x8D>"]));
  const stream = new TextStream(new TokenBytes(spelled), new StopStrings([]));
  const id = (/** @type {string} */ token) => /** @type {number} */ (spelled.token_to_id(token));
  const pieces = ["\u2581Hello", "\u2581", "wor", "<0xF0>", "<0x9F>", "<0x91>", "<0x8D>", "\u2581Hello"];
  assert.deepEqual(
    pieces.map((token) => stream.push(id(token))),
    ["Hello", " ", "wor", "", "", "", "👍", " Hello"],
  );
});

test("a decoder that is neither is refused by name", () => {
  const wordPiece = { ...byteTokenizer([], []), decoder: { type: "WordPiece", prefix: "##", cleanup: true } };
  assert.throws(() => new TokenBytes(makeTokenizer(wordPiece)), { code: "bad-manifest", message: /WordPiece/ });
});

/** @type {[string[], string[], string, boolean][]} stops, pieces, what is said, whether it stopped */
const stopCases = [
  [["END"], ["some text", "E", "ND", "more"], "some text", true],
  [["END"], ["aEN", "x"], "aENx", false],
  [["END"], ["EEND"], "E", true],
  [["aab"], ["a", "a", "a", "b"], "a", true],
  [["\n\n", "User:"], ["hi\n", "Us", "er: x\n\n"], "hi\n", true],
  [["abc", "b"], ["a", "b", "c"], "a", true],
  [["x"], ["", "y", ""], "y", false],
  [[], ["a", "b"], "ab", false],
  [["👍"], ["a👍b"], "a", true],
];
for (const [stops, pieces, said, stopped] of stopCases) {
  test(`stop ${JSON.stringify(stops)} in ${JSON.stringify(pieces)}`, () => {
    const finder = new StopStrings(stops);
    const emitted = pieces.map((piece) => finder.push(piece)).join("");
    assert.equal(emitted + finder.finish(), said);
    assert.equal(finder.found, stopped);
  });
}

test("a stop string is found wherever the pieces are cut, and nothing of it is said before", () => {
  const text = "The answer is 42.\n\nQuestion: ";
  for (let first = 0; first <= text.length; first++) {
    for (let second = first; second <= text.length; second++) {
      const finder = new StopStrings(["\n\nQ", "zzz"]);
      const parts = [text.slice(0, first), text.slice(first, second), text.slice(second)];
      assert.equal(parts.map((part) => finder.push(part)).join(""), "The answer is 42.");
      assert.ok(finder.found);
    }
  }
});

test("nothing is held back longer than it must be", () => {
  const finder = new StopStrings(["STOP"]);
  assert.deepEqual(["a", "S", "T", "x", "STO"].map((piece) => finder.push(piece)), ["a", "", "", "STx", ""]);
  assert.equal(finder.finish(), "STO");
});
