/** The sentences of the passages that come closest to the question: what an answer is made from, and checked against. */

import { fuseScores } from "./kit/search/fusion.js";
import { findSentences } from "./kit/search/split.js";
import { listTerms } from "./kit/search/terms.js";
import { pickBest } from "./kit/search/vectors.js";

/** @typedef {import("./kit/search/collection.js").Found} Found */
/** @typedef {{text: string, vector: Float32Array, weights: ReadonlyMap<string, number>}} Question with its embedding, and how much each of its words tells */
/** @typedef {{text: string, passage: number, start: number}} Quote `passage` is the place in the list */

/** A small model reads a few sentences better than many. */
const most = 4;

/**
 * @param {readonly Found[]} passages
 * @param {Question} question
 * @param {import("./kit/ui/shell.js").Model} embedder
 * @returns {Promise<Quote[]>} best first, by meaning and words as passages are
 */
export async function pickQuotes(passages, question, embedder) {
  const sentences = passages.flatMap(({ text }, passage) =>
    findSentences(text).map(({ start, end }) => ({ text: text.slice(start, end).replace(/\s+/g, " "), passage, start })),
  );
  // Passages overlap: a sentence counts once, and a heading says nothing by itself.
  const own = sentences.filter(
    ({ text }, place) => !text.startsWith("#") && sentences.findIndex((each) => each.text === text) === place,
  );
  if (!own.length) return [];
  const { embeddings, dimensions } = await embedder.embed({ inputs: own.map(({ text }) => text), cut: true });
  const cosines = Float32Array.from(own, (_, row) => multiply(embeddings, row * dimensions, question.vector));
  const words = new Map(own.map(({ text }, row) => [row, weigh(text, question.weights)]));
  return pickBest(fuseScores(cosines, words, question.weights.size), most).map((row) => own[row]);
}

/** @param {string} text @param {ReadonlyMap<string, number>} weights @returns {number} BM25 of a sentence of usual length */
function weigh(text, weights) {
  return [...new Set(listTerms(text))].reduce((sum, term) => sum + (weights.get(term) ?? 0), 0);
}

/** @param {Float32Array} rows @param {number} start @param {Float32Array} vector @returns {number} */
function multiply(rows, start, vector) {
  return vector.reduce((sum, value, index) => sum + value * rows[start + index], 0);
}
