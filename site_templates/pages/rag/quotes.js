/** The sentences of the passages that come closest to the question: what an answer is made from, and checked against. */

import { findSentences } from "./kit/search/split.js";
import { hasAny } from "./relevance.js";

/** @typedef {import("./kit/search/collection.js").Found} Found */
/** @typedef {{text: string, passage: number, start: number, score: number}} Quote `passage` is the place in the list */

/** A small model reads a few sentences better than many. */
const most = 4;

/**
 * @param {readonly Found[]} passages
 * @param {{vector: Float32Array, words: ReadonlySet<string>}} question  its embedding, and the words for whose sake the
 *   passages were found: sentences that have one come first
 * @param {import("./kit/ui/shell.js").Model} embedder
 * @returns {Promise<Quote[]>} best first
 */
export async function pickQuotes(passages, { vector, words }, embedder) {
  const sentences = passages.flatMap(({ text }, passage) =>
    findSentences(text).map(({ start, end }) => ({ text: text.slice(start, end).replace(/\s+/g, " "), passage, start })),
  );
  // Passages overlap: a sentence counts once, and a heading says nothing by itself.
  const own = sentences.filter(
    ({ text }, place) => !text.startsWith("#") && sentences.findIndex((each) => each.text === text) === place,
  );
  if (!own.length) return [];
  const { embeddings, dimensions } = await embedder.embed({ inputs: own.map(({ text }) => text), cut: true });
  return own
    .map((each, row) => ({ ...each, score: multiply(embeddings, row * dimensions, vector) }))
    .sort((a, b) => Number(hasAny(b.text, words)) - Number(hasAny(a.text, words)) || b.score - a.score)
    .slice(0, most);
}

/** @param {Float32Array} rows @param {number} start @param {Float32Array} vector @returns {number} */
function multiply(rows, start, vector) {
  return vector.reduce((sum, value, index) => sum + value * rows[start + index], 0);
}
