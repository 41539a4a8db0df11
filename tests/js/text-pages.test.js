/** The parts of the text pages that need no browser: spans, gaps, order, whole tables. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { cutText } from "../../site_templates/kit/ui/marked-field.js";
import { findMasks, fitWord, insertMask, readAround } from "../../site_templates/pages/fill-mask/masks.js";
import { Batch } from "../../site_templates/pages/text-classification/batch.js";
import { guessColumn, guessHeader, labelRow, nameResults } from "../../site_templates/pages/text-classification/columns.js";
import { formatRelevance, makeShares, orderScores } from "../../site_templates/pages/text-ranking/relevance.js";
import { groupEntities, listGroups, moveSpans } from "../../site_templates/pages/token-classification/spans.js";
import { splitLabels } from "../../site_templates/pages/zero-shot-classification/labels.js";

test("a text is cut at its spans, and nothing of it is lost", () => {
  const text = "😀 Anna in Paris\n";
  const spans = [{ start: 11, end: 16 }, { start: 3, end: 7 }, { start: 5, end: 9 }, { start: 12, end: 99 }, { start: 2, end: 2 }];
  const pieces = cutText(text, spans);
  assert.equal(pieces.map((piece) => piece.text).join(""), text);
  assert.deepEqual(pieces.filter(({ span }) => span).map((piece) => piece.text), ["Anna", "Paris"]);
  assert.deepEqual(cutText("", spans), []);
});

test("spans move with their words, and those that are touched go", () => {
  const before = "Anna met Ben in Rome";
  const spans = [{ start: 0, end: 4 }, { start: 9, end: 12 }, { start: 16, end: 20 }];
  const wordsIn = (/** @type {string} */ after) => moveSpans(spans, before, after).map(({ start, end }) => after.slice(start, end));
  assert.deepEqual(wordsIn(before), ["Anna", "Ben", "Rome"]);
  assert.deepEqual(wordsIn(`So ${before}`), ["Anna", "Ben", "Rome"]);
  assert.deepEqual(wordsIn("Anna met Benno in Rome"), ["Anna", "Ben", "Rome"]);
  assert.deepEqual(wordsIn("Anna met Bn in Rome"), ["Anna", "Rome"]);
  assert.deepEqual(wordsIn(`${before}!`), ["Anna", "Ben", "Rome"]);
  assert.deepEqual(wordsIn(""), []);
});

test("groups come from labels, and entities keep the order of the text", () => {
  assert.deepEqual(listGroups(["O", "B-PER", "I-PER", "LOC", "B-LOC"]), ["PER", "LOC"]);
  const make = (/** @type {string} */ entity_group, /** @type {number} */ start) => ({ entity_group, score: 1, word: "", start, end: start + 1 });
  const grouped = groupEntities([make("LOC", 0), make("PER", 2), make("LOC", 4)]);
  assert.deepEqual(grouped.map(([group, found]) => [group, found.length]), [["LOC", 2], ["PER", 1]]);
});

test("gaps are found, put in apart from the words, and filled", () => {
  assert.deepEqual(findMasks("<mask><mask> a <mask>", "<mask>").map(({ start }) => start), [0, 6, 15]);
  assert.equal(insertMask("A cat", { start: 5, end: 5 }, "[MASK]").insert, " [MASK]");
  assert.equal(insertMask("A cat", { start: 2, end: 5 }, "[MASK]").insert, "[MASK]");
  assert.equal(insertMask("Acat (", { start: 1, end: 1 }, "[MASK]").insert, " [MASK] ");
  assert.equal(insertMask("A (", { start: 3, end: 3 }, "[MASK]").insert, "[MASK]");
  assert.equal(fitWord("A <mask>", { start: 2, end: 8 }, " cat"), "cat");
  assert.equal(fitWord("A<mask>", { start: 1, end: 7 }, " cat"), " cat");
  assert.equal(fitWord("sing[MASK]", { start: 4, end: 10 }, "##ing"), "ing");
  const text = "This is one [MASK], and then comes another [MASK], after a good many words.";
  const { before, after } = readAround(text, findMasks(text, "[MASK]")[1], "[MASK]");
  assert.ok(before.startsWith("…") && before.endsWith("another ") && after.startsWith(",") && after.endsWith("…"));
  assert.ok(!`${before}${after}`.includes("[MASK]"));
});

test("scores of a cross-encoder become lengths of bars", () => {
  assert.deepEqual(orderScores([{ index: 2, score: 3 }, { index: 0, score: 2 }, { index: 1, score: 1 }]), [2, 1, 3]);
  assert.deepEqual(makeShares([0.9, null, 0]), [0.9, 0, 0]);
  assert.deepEqual(makeShares([8, -2, 3, null]), [1, 0, 0.5, 0]);
  assert.deepEqual(makeShares([-4]), [0]);
  assert.deepEqual(makeShares([]), []);
  assert.deepEqual([0.12345, -11.2, -0.0001, null].map(formatRelevance), ["0.123", "−11.20", "0.000", "·"]);
});

test("labels are what stands between commas", () => {
  assert.deepEqual(splitLabels(" a, b c ;\n,d"), ["a", "b c", "d"]);
});

test("the column of the texts and the row of names are found", () => {
  const rows = [["id", "what they said"], ["1", "It was a good film."], ["2", "It was not."]];
  assert.equal(guessHeader({ name: "", rows: [["id", "review"], ...rows.slice(1)], isPlain: false }), true);
  assert.equal(guessHeader({ name: "", rows: rows.slice(1), isPlain: false }), false);
  assert.equal(guessHeader({ name: "", rows, isPlain: true }), false);
  assert.equal(guessColumn({ rows, hasHeader: true }), 1);
  assert.equal(guessColumn({ rows: [["text", "comments by all of us"], ["a", "much longer"]], hasHeader: true }), 0);
  assert.deepEqual(nameResults(["text", "label"]), ["predicted_label", "predicted_score"]);
  assert.deepEqual(labelRow(["a"], 2, { label: "good", score: 0.5 }), ["a", "", "good", "0.500000"]);
  assert.deepEqual(labelRow(["a", "b"], 2, null), ["a", "b", "", ""]);
});

/** Says how long a text is. */
function makeClassify() {
  /** @type {string[][]} */
  const asked = [];
  const classify = async (/** @type {string[]} */ texts) => {
    asked.push(texts);
    if (texts.includes("bad")) throw new Error("The model gave up.");
    return texts.map((text) => [{ label: String(text.length), score: 1 }]);
  };
  return { asked, classify };
}

test("a batch asks once for each text, skips blanks, and labels every row", async () => {
  const { asked, classify } = makeClassify();
  const texts = Array.from({ length: 700 }, (_, index) => ["", "one", "two two", "word".repeat(index % 5)][index % 4]);
  const batch = new Batch(texts, classify);
  await batch.run(new AbortController().signal, () => {});
  assert.deepEqual(batch.labels.map((label) => label?.label ?? ""), texts.map((text) => (text ? String(text.length) : "")));
  assert.equal(asked.flat().length, new Set(texts.filter(Boolean)).size);
  assert.equal(batch.left, 0);
  assert.equal(batch.count().reduce((sum, [, count]) => sum + count, 0), batch.done);
});

test("a batch that is stopped, or fails, goes on where it was", async () => {
  const { asked, classify } = makeClassify();
  const texts = Array.from({ length: 100 }, (_, index) => `text ${index}`);
  const batch = new Batch(texts, classify);
  const ending = new AbortController();
  await batch.run(ending.signal, () => ending.abort());
  assert.equal(batch.done, 16);
  await batch.run(new AbortController().signal, () => {});
  assert.equal(batch.left, 0);
  assert.equal(asked.flat().length, 100);

  const failing = new Batch([...texts.slice(0, 20), "bad"], classify);
  await assert.rejects(failing.run(new AbortController().signal, () => {}), /gave up/);
  assert.ok(failing.left > 0 && failing.labels.filter(Boolean).length === failing.done);
});
