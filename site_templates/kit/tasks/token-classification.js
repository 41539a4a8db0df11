/**
 * Task `token-classification`: texts in, the spans that the model marks in each out. Neighbouring tokens of one label
 * are one span, as in transformers' pipeline with aggregation_strategy "simple".
 *
 * @typedef {import("../types.js").Tensors} Tensors
 * @typedef {import("../task.js").TaskContext} TaskContext
 * @typedef {import("../text/row-encoder.js").Row} Row
 * @typedef {{entity_group: string, score: number, word: string, start: number, end: number}} Entity
 * @typedef {{label: string, score: number, word: string, start: number, end: number}} Tagged
 */

import { needRowEncoder } from "../text/row-encoder.js";
import { checkTexts, stackRows } from "../text/run-rows.js";
import { toFloat32 } from "../tensors.js";

/** What the pipeline leaves out. */
const outside = "O";

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
 * @param {{text: string[]}} input
 * @param {Row[]} rows
 * @returns {{outputs: Tensors, entities: Entity[][]}} in the order of the text; `start` and `end` as JavaScript counts
 */
export function answer(outputs, context, { text }, rows) {
  const entities = outputs.map(({ scores }, index) =>
    groupTokens(tagTokens(text[index], rows[index], scores, context), context),
  );
  return { outputs: { scores: stackRows(padScores(outputs, rows, context)) }, entities };
}

/**
 * @param {string} text
 * @param {Row} row
 * @param {import("../tensors.js").Tensor} scores  [tokens, labels]
 * @param {TaskContext} context
 * @returns {Tagged[]} the text's own tokens
 */
function tagTokens(text, { ids, special }, scores, context) {
  const { tokenizer, manifest, tokenizerConfig } = context;
  /** @type {string[]} */
  const labels = manifest.settings.labels;
  const values = toFloat32(scores);
  const unknown = tokenizer?.token_to_id(tokenizerConfig?.unk_token ?? "");
  const specials = new Set(tokenizerConfig?.additional_special_tokens);
  const units = countUnits(text);
  const placed = needRowEncoder(context).findSpans(text, ids.length - special.filter(Boolean).length);
  /** @type {Tagged[]} */
  const tagged = [];
  let next = 0;
  ids.forEach((id, place) => {
    if (special[place]) return;
    const { token, span } = placed[next++];
    const [start, end] = span.map((char) => units[char]);
    if (specials.has(token) && id !== unknown) return; // a special token that the text itself spells
    const own = values.subarray(place * labels.length, (place + 1) * labels.length);
    const best = own.reduce((winner, score, index) => (score > own[winner] ? index : winner), 0);
    const word = id === unknown ? text.slice(start, end) : token;
    tagged.push({ label: labels[best], score: own[best], word, start, end });
  });
  return tagged;
}

/**
 * @param {string} text
 * @returns {number[]} where each character (code point) begins, and where the text ends, in UTF-16 units
 */
function countUnits(text) {
  const starts = [0];
  for (const char of text) starts.push(starts[starts.length - 1] + char.length);
  return starts;
}

/**
 * @param {Tagged[]} tagged
 * @param {TaskContext} context
 * @returns {Entity[]}
 */
function groupTokens(tagged, { tokenizer }) {
  /** @type {Tagged[][]} */
  const groups = [];
  for (const token of tagged) {
    const last = groups.at(-1);
    if (last && !token.label.startsWith("B-") && readTag(last[last.length - 1].label) === readTag(token.label)) {
      last.push(token);
    } else {
      groups.push([token]);
    }
  }
  return groups
    .map((group) => ({
      entity_group: group[0].label.includes("-") ? group[0].label.slice(group[0].label.indexOf("-") + 1) : group[0].label,
      score: group.reduce((sum, { score }) => sum + score, 0) / group.length,
      word: tokenizer?.joinTokens(group.map(({ word }) => word)) ?? "",
      start: group[0].start,
      end: group[group.length - 1].end,
    }))
    .filter(({ entity_group: name }) => name !== outside);
}

/**
 * @param {string} label
 * @returns {string} without its B- or I-
 */
function readTag(label) {
  return /^[BI]-/.test(label) ? label.slice(2) : label;
}

/**
 * The graph gives padding zeros, so that the batch does not matter.
 * @param {Tensors[]} outputs
 * @param {Row[]} rows
 * @param {TaskContext} context
 * @returns {import("../tensors.js").Tensor[]} all as long as the longest
 */
function padScores(outputs, rows, { manifest, tokenizerConfig }) {
  const width = Math.max(...rows.map(({ ids }) => ids.length));
  const count = manifest.settings.labels.length;
  return outputs.map(({ scores }, index) => {
    const data = new Float32Array(width * count);
    const start = tokenizerConfig?.padding_side === "left" ? width - rows[index].ids.length : 0;
    data.set(toFloat32(scores), start * count);
    return { dtype: "float32", shape: [width, count], data };
  });
}
