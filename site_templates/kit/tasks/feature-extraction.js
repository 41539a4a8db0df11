/**
 * Task `feature-extraction`: sentences in, one normalized embedding each out. Tokenizing is the one thing that does
 * not happen in the graph.
 *
 * @typedef {import("../types.js").Tensors} Tensors
 * @typedef {import("../task.js").TaskContext} TaskContext
 */

import { KitError } from "../errors.js";
import { toFloat32 } from "../tensors.js";
import { padBatch } from "../text/padding.js";
import { needRowEncoder } from "../text/row-encoder.js";

/**
 * @param {{text: string[]}} input
 * @param {TaskContext} context
 * @returns {Tensors}
 */
export function encode(input, context) {
  const text = input?.text;
  if (!Array.isArray(text) || !text.length || !text.every((sentence) => typeof sentence === "string")) {
    throw new KitError("bad-input", "The text must be a list of one or more sentences.");
  }
  const encoder = needRowEncoder(context);
  return padBatch({ ids: text.map((sentence) => encoder.encode(sentence).ids), ...encoder.padding });
}

/**
 * @param {Tensors} outputs
 * @returns {{embeddings: Float32Array[]}} one row a sentence
 */
export function decode({ embedding }) {
  const values = toFloat32(embedding);
  const [rows, dimensions] = embedding.shape;
  return {
    embeddings: Array.from({ length: rows }, (_, row) => values.slice(row * dimensions, (row + 1) * dimensions)),
  };
}
