import assert from "node:assert/strict";
import { register } from "node:module";
import { test } from "node:test";

// In a site the page stands beside the kit; here it does not.
register(`data:text/javascript,${encodeURIComponent(`export const resolve = (specifier, context, next) =>
  next(specifier.startsWith("./kit/") ? new URL("../../" + specifier.slice(2), context.parentURL).href : specifier, context);`)}`);

const { dropUnfinished, findSupport } = await import("../../site_templates/pages/rag/support.js");
const { pickQuotes } = await import("../../site_templates/pages/rag/quotes.js");
const { makeMessages } = await import("../../site_templates/pages/rag/prompt.js");
const { isRelevant, pickRelevant } = await import("../../site_templates/pages/rag/relevance.js");
const { explainForeign, isKnownLanguage } = await import("../../site_templates/pages/rag/language.js");

const { readDocument } = await import("../../site_templates/kit/documents/read.js");

/** @param {string} name @param {Uint8Array<ArrayBuffer>} bytes @param {number} [size] */
const read = (name, bytes, size = bytes.length) => readDocument({ name, size, arrayBuffer: async () => bytes.buffer });
const utf8 = (/** @type {string} */ text) => new TextEncoder().encode(text);

test("a file that is too large is refused before it is read", async () => {
  const never = () => Promise.reject(new Error("it was read"));
  const open = (/** @type {string} */ name) => readDocument({ name, size: 100_000_000, arrayBuffer: never });
  await assert.rejects(open("large.txt"), { code: "bad-input", message: /large\.txt is 100 MB large; files of up to 20 MB/ });
  await assert.rejects(open("large.pdf"), { code: "bad-input", message: /large\.pdf is 100 MB large; files of up to 80 MB/ });
});

test("texts are read with their kind, their folder, and plain line ends", async () => {
  const document = await readDocument({ name: "a.md", size: 9, arrayBuffer: async () => utf8("# A\r\nb ✓").buffer }, "folder/a.md");
  assert.deepEqual(document, { name: "folder/a.md", kind: "markdown", text: "# A\nb ✓", pages: [] });
  const wide = Uint8Array.from([0xfe, 0xff, 0x00, 0x48, 0x00, 0x69]);
  assert.equal((await read("a.txt", wide)).text, "Hi");
  await assert.rejects(read("a.txt", Uint8Array.from([72, 1, 2, 3, 4])), /is a binary file/);
});

const passages = ["Let the loaf rest for at least 1 hour. Bread keeps four days.", "Tides come twice a day."];

test("a sentence has the passage that its words stand in, and none when they are invented", () => {
  const found = findSupport("The loaf must rest for an hour. Tides come twice. The rest takes 48 hours. It is nice.", passages);
  assert.deepEqual(found.map(({ passage }) => passage), [0, 1, null, null]);
  assert.deepEqual(findSupport("The loaf should rest for at least 3 hour.", passages)[0].passage, null);
  assert.deepEqual(findSupport("", passages), []);
});

test("an answer that was cut keeps its whole sentences, and the only one it has", () => {
  const cut = ["It rests an hour. Then add 10", "It rests an hour. It is “done.” ", "Then add 10", ""].map(dropUnfinished);
  assert.deepEqual(cut, ["It rests an hour. ", "It rests an hour. It is “done.” ", "Then add 10", ""]);
});

/** @param {(number | boolean | string)[][]} rows */
const list = (rows) => rows.map(([score, hasWords, text = ""]) => /** @type {any} */ ({ score, hasWords, text }));
const pick = (/** @type {string} */ query, /** @type {any[]} */ found) => pickRelevant(query, found, countTokens);

test("passages are shown where one is near enough, those with the question's words from half as near", async () => {
  const found = list([[0.1, true], [0.3, false], [0.2, true], [0.2, false]]);
  assert.deepEqual(await pick("the cat", found), [found[1], found[2]]);
  assert.deepEqual(await pick("the cat", found.slice(2)), []);
});

test("where no meaning is near, a passage is shown for a word of the question that the model has no token for", async () => {
  const found = list([[0.1, true, "Fault XK47: the pump."], [0.2, true, "The tides come."], [0.2, true, "Of xk-47."]]);
  assert.deepEqual(await pick("Come XK47 every day?", found), [found[0]]);
  assert.deepEqual(await pick("xk47", found), [found[0]]);
  assert.deepEqual(await pick("the day", found), []);
  assert.deepEqual(await pick("tides, the", found), [found[1]], "it has every word of the question");
  assert.deepEqual(await pick("?!", found), []);
  const foreign = "Wie schwer wird eigentlich eine ausgewachsene Katze?";
  assert.deepEqual(await pick(foreign, list([[0.1, true, "Eine Katze wird alt."]])), []);
});

test("quotes are the sentences closest to the question, each once and no headings", async () => {
  const found = ["# Head\nRed thing. Blue thing.", "Blue thing. Green thing."].map((text) => /** @type {any} */ ({ text }));
  /** @type {string[]} */
  let asked = [];
  const embed = async (/** @type {{inputs: string[]}} */ { inputs }) => {
    asked = inputs;
    return { embeddings: Float32Array.from(inputs.flatMap((text) => (text.startsWith("Green") ? [1, 0] : [0, 1]))), dimensions: 2 };
  };
  const embedder = /** @type {any} */ ({ embed });
  const vector = Float32Array.of(1, 0.5);
  const quotes = await pickQuotes(found, { text: "", vector, weights: new Map() }, embedder);
  assert.deepEqual(asked, ["Red thing.", "Blue thing.", "Green thing."]);
  assert.deepEqual([quotes[0].text, quotes[0].passage], ["Green thing.", 1]);
  assert.match(makeMessages("Which?", quotes)[1].content, /^Text: Red thing\. Blue thing\. Green thing\.\n\nQuestion: Which\?$/);
  const [best] = await pickQuotes(found, { text: "", vector: Float32Array.of(1, 0.99), weights: new Map([["blue", 3]]) }, embedder);
  assert.equal(best.text, "Blue thing.", "of sentences about as close, the one with the word");
  assert.deepEqual(await pickQuotes([], { text: "", vector, weights: new Map() }, embedder), []);
});

test("what is far from every passage is not relevant", () => {
  const at = (/** @type {number} */ score) => [/** @type {any} */ ({ score })];
  assert.deepEqual([isRelevant(at(0.26)), isRelevant(at(0.28)), isRelevant([])], [false, true, false]);
});

/** A token for each known word, else one for each letter; of Thai words, one for all of it. */
const countTokens = async (/** @type {string[]} */ texts) =>
  texts.map((text) => {
    const words = text.split(" ").filter(Boolean);
    return words.reduce((sum, word) => sum + (/^(the|tides|come|twice|every|day|[\u0e00-\u0e7f]+)$/i.test(word) ? 1 : word.length), 0);
  });

test("a language of whole words is known, one of single letters is not", async () => {
  const known = (/** @type {string} */ text) => isKnownLanguage(text, countTokens);
  assert.ok(await known("The tides come twice every day."));
  assert.ok(!(await known("Die Flut kommt zweimal am Tag.")));
  assert.ok(!(await known("кошка")), "one word of another script is enough");
  assert.ok(!(await known("น้ำขึ้นน้ำลงวันละสองครั้ง")), "all of it is one unknown token");
  assert.ok(await known("kubectl apply"), "two words say nothing");
  assert.ok(await known("The tides come to Okonkwo every day"), "one rare word is no other language");
  assert.ok(await known("The tides come every get_value2 parseFile day"), "code is none either");
  assert.ok(await known("12 + 30 = 42"));
  assert.ok(await known(""));
  assert.deepEqual([[], ["a"], ["a", "b"], ["a", "b", "c"]].map((names) => explainForeign(names).split(" in a ")[0]), [
    ...["", "a is", "a and one other are", "a and 2 others are"],
  ]);
});
