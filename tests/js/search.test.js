import assert from "node:assert/strict";
import { test } from "node:test";

import { WordIndex } from "../../site_templates/kit/search/bm25.js";
import { Collection } from "../../site_templates/kit/search/collection.js";
import { fuseScores } from "../../site_templates/kit/search/fusion.js";
import { decodeIndex, encodeIndex } from "../../site_templates/kit/search/index-file.js";
import { SearchService } from "../../site_templates/kit/search/service.js";
import { findSentences, splitText } from "../../site_templates/kit/search/split.js";
import { listTerms } from "../../site_templates/kit/search/terms.js";
import { VectorTable, pickBest } from "../../site_templates/kit/search/vectors.js";

/** @typedef {import("../../site_templates/kit/search/collection.js").Entry} Entry */

const countWords = async (/** @type {string[]} */ texts) => texts.map((text) => text.split(/\s+/).filter(Boolean).length);
const cut = (/** @type {string} */ text, /** @type {{start: number, end: number}[]} */ spans) =>
  spans.map(({ start, end }) => text.slice(start, end));

test("sentences end at their marks, at blank lines, and around headings and items", () => {
  const text = '# What? A title\nOne here. Two "there." Three, e.g. this!\n\nFour\n- five\n- six\n终于。下一句！好';
  assert.deepEqual(cut(text, findSentences(text)), [
    ...["# What? A title", "One here.", 'Two "there."', "Three, e.g. this!", "Four", "- five", "- six\n终于。", "下一句！", "好"],
  ]);
  assert.deepEqual(findSentences(" \n\n "), []);
});

test("passages are whole sentences within the budget, and overlap", async () => {
  const text = Array.from({ length: 20 }, (_, index) => `This is sentence number ${index} here.`).join(" ");
  const spans = await splitText(text, countWords, { budget: 20, overlap: 7 });
  for (const passage of cut(text, spans)) {
    assert.match(passage, /^This.*here\.$/);
    assert.ok(passage.split(" ").length <= 20, passage);
  }
  assert.ok(spans.every(({ start }, index) => !index || start < spans[index - 1].end), "each begins in the one before");
  assert.equal(spans.at(-1)?.end, text.length);
});

test("every word of a document is in a passage, also without any sentence marks", async () => {
  for (const text of ["word ".repeat(500).trim(), "x".repeat(999), "🍕".repeat(300), "# A\n# B\ntext", "a. b. ".repeat(200).trim()]) {
    const count = async (/** @type {string[]} */ texts) => texts.map((each) => Math.ceil(each.length / 4));
    const spans = await splitText(text, count, { budget: 30, overlap: 8 });
    let reached = 0;
    for (const { start, end } of spans) {
      assert.equal(text.slice(reached, start).trim(), "");
      assert.ok(end > reached, "every passage says something new");
      assert.doesNotThrow(() => encodeURIComponent(text.slice(start, end)), "no emoji is cut");
      reached = end;
    }
    assert.equal(reached, text.length);
  }
});

test("a long document is split in steps that leave the page time for other things", async () => {
  const text = "One two three. ".repeat(20_000);
  /** @type {number[]} */
  const steps = [];
  const count = async (/** @type {string[]} */ texts) => {
    steps.push(texts.length);
    return texts.map(() => 3);
  };
  const spans = await splitText(text, count, { budget: 20, overlap: 7 });
  assert.ok(Math.max(...steps) <= 256 && steps.length > 75);
  assert.deepEqual(spans, await splitText(text, countWords, { budget: 20, overlap: 7 }));
  const stopped = splitText(text, count, { signal: AbortSignal.abort(new Error("enough")) });
  await assert.rejects(stopped, /enough/);
});

test("a heading begins a passage", async () => {
  const text = "One two. Three four.\n\n## Next part\nFive six.";
  assert.deepEqual(cut(text, await splitText(text, countWords)), ["One two. Three four.", "## Next part\nFive six."]);
});

test("terms are compared without case and accents, and signs stand alone", () => {
  assert.deepEqual(listTerms("Où est l'ÉCOLE? 日本 x2"), ["ou", "est", "l", "ecole", "日", "本", "x2"]);
});

test("BM25 gives what its formula says", () => {
  const index = new WordIndex();
  for (const text of ["the cat sat", "the dog sat on the mat", "a bird"]) index.add(text);
  const { scores, wordCount } = index.score("CAT cat bird unknown");
  assert.equal(wordCount, 3);
  const weigh = (/** @type {number} */ length) => (Math.log(1 + 2.5 / 1.5) * 2.2) / (1 + 1.2 * (0.25 + (0.75 * length) / (11 / 3)));
  assert.deepEqual([...scores.keys()].sort(), [0, 2]);
  assert.deepEqual(index.weigh("cat cat bat"), new Map([["cat", Math.log(1 + 2.5 / 1.5)], ["bat", Math.log(1 + 3.5 / 0.5)]]));
  assert.ok(Math.abs((scores.get(0) ?? 0) - weigh(3)) < 1e-12 && Math.abs((scores.get(2) ?? 0) - weigh(2)) < 1e-12);
});

test("products are those of a plain loop, and the best come first", () => {
  const [rows, dimensions] = [37, 11];
  const values = Float32Array.from({ length: rows * dimensions }, (_, index) => Math.sin(index * 12.9898) * 2);
  const table = new VectorTable(dimensions);
  for (let row = 0; row < rows; row += 1) table.add(values.subarray(row * dimensions, (row + 1) * dimensions));
  const query = values.slice(5 * dimensions, 6 * dimensions);
  const scores = table.score(query);
  const expected = Array.from({ length: rows }, (_, row) => query.reduce((sum, value, at) => sum + value * values[row * dimensions + at], 0));
  expected.forEach((value, row) => assert.ok(Math.abs(value - scores[row]) < 1e-4));
  const order = expected.map((_, row) => row).sort((a, b) => scores[b] - scores[a]);
  assert.deepEqual(pickBest(scores, 8), order.slice(0, 8));
  assert.deepEqual(pickBest([1, 1, 1], 2), [0, 1]);
  table.clear();
  assert.equal(table.score(query).length, 0);
  table.add(values.subarray(dimensions)); // where scores lay a moment ago
  assert.deepEqual(table.score(query), scores.subarray(1));
  assert.throws(() => table.score(new Float32Array(3)), RangeError);
  assert.throws(() => table.add(new Float32Array(3)), RangeError);
});

test("a table grows beyond its first memory, and any length of rows is multiplied whole", () => {
  for (const dimensions of [1, 8, 384, 1001]) {
    const rows = Math.ceil(3e6 / 4 / dimensions);
    const values = Float32Array.from({ length: rows * dimensions }, (_, index) => ((index * 7919) % 1000) / 1000 - 0.5);
    const table = new VectorTable(dimensions);
    const half = (rows >> 1) * dimensions;
    table.add(values.subarray(0, half));
    const query = values.slice(0, dimensions);
    const first = table.score(query);
    table.add(values.subarray(half));
    const scores = table.score(query);
    assert.deepEqual(scores.subarray(0, rows >> 1), first);
    for (const row of [0, 1, (rows >> 1) - 1, rows >> 1, rows - 1]) {
      const expected = query.reduce((sum, value, at) => sum + value * values[row * dimensions + at], 0);
      assert.ok(Math.abs(scores[row] - expected) < 1e-4, `${dimensions}, row ${row}: ${scores[row]}, not ${expected}`);
    }
  }
});

test("words add to the meaning, each for less in a long question", () => {
  const cosines = Float32Array.of(0.5, 0.25, -0.5);
  assert.deepEqual(fuseScores(cosines, new Map(), 0), cosines);
  assert.deepEqual([...fuseScores(cosines, new Map([[1, 10]]), 4)], [0.5, 0.5, -0.5]);
  assert.deepEqual([...fuseScores(cosines, new Map([[1, 10]]), 1)], [0.5, 0.75, -0.5]);
});

test("a code that one passage has brings it to the top, a word that all have does not", () => {
  const collection = new Collection(2);
  const texts = Array.from({ length: 40 }, (_, row) => `how the pump fails with fault F${row}. `);
  const rows = texts.map((_, row) => [Math.cos(row / 100), Math.sin(row / 100)]);
  collection.add(makeEntry("a", texts, rows));
  const places = (/** @type {string} */ query) => collection.search(Float32Array.of(1, 0), query, 40).map(({ passage }) => passage);
  assert.equal(places("what is F39?")[0], 39);
  assert.deepEqual(places("how does it fail?").slice(0, 3), [0, 1, 2]);
});

/** @param {string} id @param {string[]} texts @param {number[][]} rows @returns {Entry} */
function makeEntry(id, texts, rows) {
  let start = 0;
  const passages = texts.map((text) => ({ start, end: (start += text.length) }));
  const document = { id, name: `${id}.txt`, kind: /** @type {const} */ ("text"), text: texts.join(""), pages: [0, 4], passages };
  return { document, vectors: Float32Array.from(rows.flat()) };
}

const north = makeEntry("a", ["north ", "east"], [[1, 0], [0, 1]]);
const south = makeEntry("b", ["south"], [[-1, 0]]);

test("a collection finds by meaning and by words, says where, and forgets what is removed", () => {
  const collection = new Collection(2);
  collection.add(north);
  collection.add(south);
  const found = collection.search(Float32Array.of(1, 0.1), "south", 3);
  assert.deepEqual(found.map(({ text }) => text.trim()).sort(), ["east", "north", "south"]);
  const best = found.find(({ text }) => text === "east");
  assert.deepEqual([best?.documentId, best?.start, best?.end, best?.page], ["a", 6, 10, 2]);
  assert.equal(found.find(({ text }) => text === "south")?.hasWords, true);
  collection.add(makeEntry("a", ["west"], [[0, -1]]));
  collection.remove("b");
  assert.deepEqual([collection.passageCount, collection.read("b")], [1, null]);
  assert.equal(collection.search(Float32Array.of(1, 0), "north", 3)[0].text, "west");
  assert.throws(() => collection.add({ ...north, vectors: new Float32Array(2) }), RangeError);
});

const model = { name: "m", sha256: "f".repeat(64), variant: "q8", dimensions: 2 };
const other = { ...model, sha256: "0".repeat(64) };

test("an index survives as a file, and no other file passes for one", () => {
  const bytes = encodeIndex("Mine ✓", model, [north, south]);
  const read = decodeIndex(bytes);
  assert.deepEqual([read.name, read.model, read.entries], ["Mine ✓", model, [north, south]]);
  assert.throws(() => decodeIndex(bytes.slice(0, -4)), { code: "bad-input", message: /was cut/ });
  assert.throws(() => decodeIndex(new TextEncoder().encode("hello, this is text")), /does not begin/);
  const spoiled = bytes.slice();
  spoiled[14] = 0xff;
  assert.throws(() => decodeIndex(spoiled), /cannot be read/);
});

/** A store that behaves as the browser's does, in memory. */
class MemoryStore {
  /** @type {Map<string, import("../../site_templates/kit/search/store.js").KeptCollection>} */
  collections = new Map();
  /** @type {Map<string, Map<string, Entry>>} */
  documents = new Map();
  /** @type {Error | null} */
  failure = null;
  list = async () => [...this.collections.values()];
  find = async (/** @type {string} */ name) => this.collections.get(name) ?? null;
  read = async (/** @type {string} */ name) => [...(this.documents.get(name)?.values() ?? [])];
  /** @param {string} name @param {import("../../site_templates/kit/search/index-file.js").IndexModel} made @param {readonly Entry[]} entries */
  write = async (name, made, entries) => {
    if (this.failure) throw this.failure;
    this.collections.set(name, { name, model: made, savedMs: 1 });
    const kept = this.documents.get(name) ?? new Map();
    for (const entry of entries) kept.set(entry.document.id, entry);
    this.documents.set(name, kept);
  };
  remove = async (/** @type {string} */ name, /** @type {string} */ id) => void this.documents.get(name)?.delete(id);
  delete = async (/** @type {string} */ name) => void (this.collections.delete(name), this.documents.delete(name));
}

test("what was added is there after a reload, and not after it was removed", async () => {
  const store = new MemoryStore();
  const first = new SearchService(store);
  await first.open({ name: "x", model });
  await first.add([north, south]);
  const again = new SearchService(store);
  const contents = await again.open({ name: "x", model: { ...model, variant: "fp32" } });
  assert.deepEqual([contents.passages, contents.documents.map(({ id }) => id)], [3, ["a", "b"]]);
  await again.remove("a");
  assert.equal((await new SearchService(store).open({ name: "x", model })).passages, 1);
  await again.delete("x");
  assert.deepEqual(await again.list(model), []);
  assert.equal(again.contents().passages, 0);
});

test("an index of another model is never mixed in", async () => {
  const store = new MemoryStore();
  const service = new SearchService(store);
  await service.open({ name: "x", model });
  await service.add([south]);
  const file = service.exportFile();
  const later = new SearchService(store);
  await assert.rejects(later.open({ name: "x", model: other }), { code: "other-model", message: /Make it anew/ });
  assert.deepEqual((await later.list(other)).map(({ isUsable }) => isUsable), [false]);
  await later.open({ name: "y", model: other });
  await assert.rejects(later.importFile(file), { code: "other-model" });
  assert.equal(later.contents().passages, 0);
});

test("an index that came with the page is searched, not changed and not kept", async () => {
  const store = new MemoryStore();
  const service = new SearchService(store);
  const bytes = encodeIndex("Manual", model, [north, south]);
  const contents = service.openPublished({ bytes, model });
  assert.deepEqual([contents.name, contents.passages, contents.isReadOnly], ["Manual", 3, true]);
  await assert.rejects(service.add([south]), { code: "bad-input", message: /"Manual" came with this page and cannot be changed/ });
  await assert.rejects(service.remove("a"), { code: "bad-input" });
  assert.deepEqual([service.contents().passages, await service.list(model)], [3, []]);
  assert.throws(() => service.openPublished({ bytes, model: other }), { code: "other-model" });
  assert.equal((await service.open({ name: "x", model })).isReadOnly, false);
  assert.equal((await service.add([south])).passages, 1);
});

test("storage that is full is told, and the search goes on", async () => {
  const { KitError } = await import("../../site_templates/kit/errors.js");
  const store = new MemoryStore();
  store.failure = new KitError("storage-full", "This browser's storage is full.");
  const service = new SearchService(store);
  await service.open({ name: "x", model });
  assert.equal((await service.add([south])).problem, "This browser's storage is full.");
  assert.equal(service.search({ vector: Float32Array.of(-1, 0), query: "", count: 1 })[0].text, "south");
  store.failure = null;
  assert.equal((await service.add([north])).problem, "");
});
