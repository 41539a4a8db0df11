/**
 * Rows of tokens through the graph: rows of about the same length together, and what comes out cut back to each row.
 *
 * @typedef {import("./row-encoder.js").Row} Row
 * @typedef {import("../types.js").Tensors} Tensors
 * @typedef {import("../types.js").TensorSpec} TensorSpec
 * @typedef {import("../tensors.js").Tensor} Tensor
 * @typedef {import("../task.js").TaskContext} TaskContext
 */

import { KitError } from "../errors.js";
import { batchTokens, packBatches } from "../embedding/batches.js";
import { countElements, toFloat32 } from "../tensors.js";
import { padBatch } from "./padding.js";
import { needRowEncoder } from "./row-encoder.js";

/**
 * @param {Pick<import("../session.js").Session, "run" | "backend">} session
 * @param {Row[]} rows
 * @param {TaskContext} context
 * @param {() => void} onAlive  called between batches
 * @returns {Promise<Tensors[]>} each row's outputs, float32, without the batch and without padding
 */
export async function runRows(session, rows, context, onAlive) {
  const { manifest } = context;
  const layout = { ...needRowEncoder(context).padding, inputs: manifest.interface.inputs };
  /** @type {Tensors[]} */
  const results = new Array(rows.length);
  const lengths = rows.map(({ ids }) => ids.length);
  for (const batch of packBatches(lengths, batchTokens[session.backend])) {
    const members = batch.map((place) => rows[place]);
    const outputs = await session.run(padRows(members, layout));
    const split = splitOutputs(outputs, members, manifest.interface.outputs, layout.padLeft);
    batch.forEach((place, index) => (results[place] = split[index]));
    onAlive();
  }
  return results;
}

/**
 * @param {Row[]} rows
 * @param {{padId: number, padLeft: boolean, inputs: TensorSpec[]}} layout
 * @returns {Tensors} what the graph takes of: input_ids, attention_mask, token_type_ids, mask_positions
 */
export function padRows(rows, { padId, padLeft, inputs }) {
  const feeds = padBatch({ ids: rows.map(({ ids }) => ids), padId, padLeft });
  const takes = (/** @type {string} */ name) => inputs.some((spec) => spec.name === name);
  if (takes("token_type_ids")) {
    feeds.token_type_ids = padBatch({ ids: rows.map(({ types }) => types), padId: 0, padLeft }).input_ids;
  }
  if (takes("mask_positions")) feeds.mask_positions = findMasks(rows, feeds.input_ids.shape[1], padLeft);
  return feeds;
}

/**
 * @param {Row[]} rows
 * @param {number} width
 * @param {boolean} padLeft
 * @returns {Tensor} places in the batch, row after row
 */
function findMasks(rows, width, padLeft) {
  const places = rows.flatMap(({ ids, masks = [] }, index) => {
    const start = index * width + (padLeft ? width - ids.length : 0);
    return masks.map((place) => BigInt(start + place));
  });
  return { dtype: "int64", shape: [places.length], data: BigInt64Array.from(places) };
}

/**
 * @param {Tensors} outputs
 * @param {Row[]} rows
 * @param {TensorSpec[]} specs  their first dimension is "batch" or "masks", the second may be "sequence"
 * @param {boolean} padLeft
 * @returns {Tensors[]}
 */
function splitOutputs(outputs, rows, specs, padLeft) {
  /** @type {Tensors[]} */
  const split = rows.map(() => ({}));
  for (const { name, shape: dimensions } of specs) {
    const values = toFloat32(outputs[name]);
    const [, ...inner] = outputs[name].shape;
    const stride = countElements(inner);
    let start = 0;
    rows.forEach(({ ids, masks = [] }, index) => {
      const count = dimensions[0] === "masks" ? masks.length : 1;
      const whole = values.subarray(start * stride, (start + count) * stride);
      start += count;
      if (dimensions[0] === "masks") split[index][name] = makeFloats([count, ...inner], whole);
      else if (dimensions[1] !== "sequence") split[index][name] = makeFloats(inner, whole);
      else split[index][name] = cutPadding(whole, inner, ids.length, padLeft);
    });
  }
  return split;
}

/**
 * @param {Float32Array} values
 * @param {number[]} shape  [width, ...]
 * @param {number} length  the row's own tokens
 * @param {boolean} padLeft
 * @returns {Tensor}
 */
function cutPadding(values, [width, ...inner], length, padLeft) {
  const stride = countElements(inner);
  const start = padLeft ? width - length : 0;
  return makeFloats([length, ...inner], values.subarray(start * stride, (start + length) * stride));
}

/**
 * @param {number[]} shape
 * @param {Float32Array} values
 * @returns {Tensor}
 */
function makeFloats(shape, values) {
  return { dtype: "float32", shape, data: values };
}

/**
 * Rows of one shape as one tensor.
 * @param {Tensor[]} tensors
 * @returns {Tensor}
 */
export function stackRows(tensors) {
  const shape = tensors[0].shape;
  const data = new Float32Array(tensors.length * countElements(shape));
  tensors.forEach((tensor, index) => data.set(toFloat32(tensor), index * countElements(shape)));
  return makeFloats([tensors.length, ...shape], data);
}

/**
 * @param {unknown} value
 * @param {string} name  for the message
 * @returns {string[]}
 */
export function checkTexts(value, name) {
  if (Array.isArray(value) && value.length && value.every((text) => typeof text === "string")) return value;
  throw new KitError("bad-input", `${name} must be a list of one or more texts.`);
}

/**
 * @param {unknown} value
 * @param {string} name  for the message
 * @returns {string}
 */
export function checkText(value, name) {
  if (typeof value === "string") return value;
  throw new KitError("bad-input", `${name} must be a text.`);
}
