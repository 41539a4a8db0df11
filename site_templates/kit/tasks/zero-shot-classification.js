/**
 * Task `zero-shot-classification`: a text and labels in, how well each fits out. Each label becomes a hypothesis, and
 * the graph says whether it follows from the text.
 *
 * @typedef {import("../types.js").Tensors} Tensors
 * @typedef {import("../task.js").TaskContext} TaskContext
 * @typedef {import("../text/row-encoder.js").Row} Row
 * @typedef {{text: string, candidate_labels: string[], hypothesis_template?: string, multi_label?: boolean}} Question
 */

import { KitError } from "../errors.js";
import { needRowEncoder } from "../text/row-encoder.js";
import { checkText, checkTexts } from "../text/run-rows.js";
import { fromNumbers, toFloat32 } from "../tensors.js";

/**
 * @param {Question} input
 * @param {TaskContext} context
 * @returns {Row[]}
 */
export function encodeRows(input, context) {
  const encoder = needRowEncoder(context);
  const text = checkText(input?.text, "The text");
  const labels = checkTexts(input.candidate_labels, "The candidate labels");
  const template = input.hypothesis_template ?? context.manifest.settings.hypothesis_template;
  if (!checkText(template, "The hypothesis template").includes("{}")) {
    throw new KitError("bad-input", `The hypothesis template "${template}" has no {} where the label goes.`);
  }
  return labels.map((label) => encoder.encodePair(text, template.replaceAll("{}", () => label), "only_first"));
}

/**
 * @param {Tensors[]} outputs
 * @param {TaskContext} context
 * @param {Question} input
 * @returns {{outputs: Tensors, labels: string[], scores: number[]}} best first; the output is in the labels' own order
 */
export function answer(outputs, { manifest }, { candidate_labels: labels, multi_label: alone = false }) {
  const { entailment, contradiction } = manifest.settings;
  const logits = outputs.map(({ logits }) => toFloat32(logits));
  const entailed = logits.map((row) => row[entailment]);
  const scores =
    alone || labels.length === 1
      ? logits.map((row) => 1 / (1 + Math.exp(row[contradiction] - row[entailment])))
      : softmax(entailed);
  // Of labels with the same score the last comes first, as in transformers.
  const order = labels.map((_, index) => index).sort((left, right) => scores[right] - scores[left] || right - left);
  return {
    outputs: { scores: fromNumbers("float32", [scores.length], scores) },
    labels: order.map((index) => labels[index]),
    scores: order.map((index) => scores[index]),
  };
}

/**
 * @param {number[]} values
 * @returns {number[]}
 */
function softmax(values) {
  const highest = Math.max(...values);
  const powers = values.map((value) => Math.exp(value - highest));
  const sum = powers.reduce((total, power) => total + power, 0);
  return powers.map((power) => power / sum);
}
