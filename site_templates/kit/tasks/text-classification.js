/**
 * Task `text-classification`: texts in, every label of each with its score out. The activation is in the graph.
 *
 * @typedef {import("../types.js").Tensors} Tensors
 * @typedef {import("../task.js").TaskContext} TaskContext
 * @typedef {import("../text/row-encoder.js").Row} Row
 * @typedef {{label: string, score: number}} Labelled
 */

import { needRowEncoder } from "../text/row-encoder.js";
import { checkTexts, stackRows } from "../text/run-rows.js";
import { toFloat32 } from "../tensors.js";

/**
 * @param {{text: string[]}} input
 * @param {TaskContext} context
 * @returns {Row[]}
 */
export function encodeRows(input, context) {
  const encoder = needRowEncoder(context);
  return checkTexts(input?.text, "The text").map((text) => encoder.encode(text));
}

/**
 * @param {Tensors[]} outputs
 * @param {TaskContext} context
 * @returns {{outputs: Tensors, results: Labelled[][]}} one list a text, best first
 */
export function answer(outputs, { manifest }) {
  /** @type {string[]} */
  const labels = manifest.settings.labels;
  const results = outputs.map(({ scores }) =>
    Array.from(toFloat32(scores), (score, index) => ({ label: labels[index], score })).sort(
      (left, right) => right.score - left.score,
    ),
  );
  return { outputs: { scores: stackRows(outputs.map(({ scores }) => scores)) }, results };
}
