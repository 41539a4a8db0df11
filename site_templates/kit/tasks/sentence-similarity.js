/**
 * Task `sentence-similarity`: one sentence and others in, the cosine of their embeddings out.
 *
 * @typedef {import("../types.js").Tensors} Tensors
 * @typedef {import("../task.js").TaskContext} TaskContext
 * @typedef {import("../text/row-encoder.js").Row} Row
 */

import { needRowEncoder } from "../text/row-encoder.js";
import { checkText, checkTexts } from "../text/run-rows.js";
import { fromNumbers, toFloat32 } from "../tensors.js";

/**
 * @param {{source_sentence: string, sentences: string[]}} input
 * @param {TaskContext} context
 * @returns {Row[]} the source sentence, then the others
 */
export function encodeRows(input, context) {
  const encoder = needRowEncoder(context);
  const source = checkText(input?.source_sentence, "The source sentence");
  const sentences = checkTexts(input.sentences, "The sentences");
  return [source, ...sentences].map((text) => encoder.encode(text));
}

/**
 * @param {Tensors[]} outputs
 * @returns {{outputs: Tensors, scores: number[]}} one a sentence, -1 to 1
 */
export function answer(outputs) {
  const [source, ...others] = outputs.map(({ embedding }) => toFloat32(embedding));
  // The graph has normalized the embeddings: their product is the cosine.
  const scores = others.map((other) => other.reduce((sum, value, index) => sum + value * source[index], 0));
  return { outputs: { scores: fromNumbers("float32", [scores.length], scores) }, scores };
}
