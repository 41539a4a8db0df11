/**
 * Task `text-ranking`: a query and documents in, the documents by how well they answer it out.
 *
 * @typedef {import("../types.js").Tensors} Tensors
 * @typedef {import("../task.js").TaskContext} TaskContext
 * @typedef {import("../text/row-encoder.js").Row} Row
 */

import { needRowEncoder } from "../text/row-encoder.js";
import { checkText, checkTexts, stackRows } from "../text/run-rows.js";
import { toFloat32 } from "../tensors.js";

/**
 * @param {{query: string, documents: string[]}} input
 * @param {TaskContext} context
 * @returns {Row[]}
 */
export function encodeRows(input, context) {
  const encoder = needRowEncoder(context);
  const query = checkText(input?.query, "The query");
  return checkTexts(input.documents, "The documents").map((document) => encoder.encodePair(query, document));
}

/**
 * @param {Tensors[]} outputs
 * @returns {{outputs: Tensors, results: {index: number, score: number}[]}} best first
 */
export function answer(outputs) {
  const scores = stackRows(outputs.map((output) => output.scores));
  const results = Array.from(toFloat32(scores), (score, index) => ({ index, score }));
  return { outputs: { scores }, results: results.sort((left, right) => right.score - left.score) };
}
