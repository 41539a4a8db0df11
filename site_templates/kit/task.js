/**
 * What a task adds to the bare graph, in the worker: `encode` makes the graph's inputs from what the page gives,
 * `decode` adds to the answer what the page shows. A task whose graph is run many times for one answer has `open`
 * instead, and drives the session itself.
 *
 * @typedef {import("./types.js").Manifest} Manifest
 * @typedef {import("./types.js").Tensors} Tensors
 *
 * @typedef {object} TaskContext
 * @property {Manifest} manifest
 * @property {import("@huggingface/tokenizers").Tokenizer} [tokenizer]
 * @property {any} [tokenizerConfig]
 * @property {string} [jinjaUrl]
 * @property {string} [grammarUrl]
 *
 * @typedef {object} PlainTask
 * @property {(input: any, context: TaskContext) => Tensors} encode
 * @property {(outputs: Tensors, context: TaskContext) => Record<string, any>} decode
 *
 * @typedef {object} Speaker
 * @property {(input: any) => Promise<Tensors>} run
 * @property {(request: import("./types.js").GenerationRequest, listener: import("./generation/generator.js").Listener) => Promise<import("./types.js").GenerationEnd>} generate
 *
 * @typedef {object} SpeakingTask
 * @property {(session: import("./session.js").Session, context: TaskContext) => Promise<Speaker>} open
 *
 * @typedef {PlainTask | SpeakingTask} Task
 */

import { KitError } from "./errors.js";
import * as featureExtraction from "./tasks/feature-extraction.js";
import * as imageClassification from "./tasks/image-classification.js";
import * as tensor from "./tasks/tensor.js";
import * as textGeneration from "./tasks/text-generation.js";

/** @type {Record<string, Task>} */
const tasks = {
  "feature-extraction": featureExtraction,
  "image-classification": imageClassification,
  tensor,
  "text-generation": textGeneration,
};

/**
 * @param {string} name
 * @returns {Task}
 */
export function findTask(name) {
  if (Object.hasOwn(tasks, name)) return tasks[name];
  throw new KitError("bad-manifest", `The task "${name}" is not known. Known: ${Object.keys(tasks).join(", ")}.`);
}

/**
 * @param {Manifest} manifest
 * @param {Map<string, Uint8Array>} assets  by name
 * @param {string} tokenizersUrl
 * @param {{jinjaUrl?: string, grammarUrl?: string}} [urls]
 * @returns {Promise<TaskContext>}
 */
export async function makeContext(manifest, assets, tokenizersUrl, urls = {}) {
  const tokenizerJson = readJson(assets.get("tokenizer.json"));
  if (!tokenizerJson) return { manifest, ...urls };
  const tokenizerConfig = readJson(assets.get("tokenizer_config.json")) ?? {};
  /** @type {typeof import("@huggingface/tokenizers")} */
  const { Tokenizer } = await import(tokenizersUrl);
  return { manifest, tokenizer: new Tokenizer(tokenizerJson, tokenizerConfig), tokenizerConfig, ...urls };
}

/**
 * @param {Uint8Array | undefined} bytes
 * @returns {any}
 */
function readJson(bytes) {
  return bytes && JSON.parse(new TextDecoder().decode(bytes));
}
