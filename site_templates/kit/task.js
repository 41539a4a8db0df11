/**
 * What a task adds to the bare graph, in the worker: `encode` makes the graph's inputs from what the page gives,
 * `decode` adds to the answer what the page shows. A task that reads texts has `encodeRows` instead: its rows of tokens
 * run in batches, as many as they need, and `answer` puts together what came out for each. A task whose graph is run
 * many times for one answer has `open`, and drives the session itself.
 *
 * @typedef {import("./types.js").Manifest} Manifest
 * @typedef {import("./types.js").Tensors} Tensors
 *
 * @typedef {object} TaskContext
 * @property {Manifest} manifest
 * @property {import("./text/tokenizer.js").Tokenizer} [tokenizer]
 * @property {import("./text/row-encoder.js").RowEncoder} [rowEncoder]
 * @property {any} [tokenizerConfig]
 * @property {string} [jinjaUrl]
 * @property {string} [grammarUrl]
 *
 * @typedef {object} PlainTask
 * @property {(input: any, context: TaskContext) => Tensors} encode
 * @property {(outputs: Tensors, context: TaskContext) => Record<string, any>} decode
 *
 * @typedef {object} RowTask
 * @property {(input: any, context: TaskContext) => import("./text/row-encoder.js").Row[]} encodeRows
 * @property {(outputs: Tensors[], context: TaskContext, input: any, rows: import("./text/row-encoder.js").Row[]) => {outputs: Tensors} & Record<string, any>} answer
 *   `outputs` are each row's own, without the batch and without padding
 *
 * @typedef {object} Speaker
 * @property {(messages: import("./types.js").ChatMessage[]) => number} countPrompt  its tokens
 * @property {(input: any) => Promise<Tensors>} run
 * @property {(request: import("./types.js").GenerationRequest, listener: import("./generation/generator.js").Listener) => Promise<import("./types.js").GenerationEnd>} generate
 *
 * @typedef {object} SpeakingTask
 * @property {(session: import("./session.js").Session, context: TaskContext) => Promise<Speaker>} open
 *
 * @typedef {PlainTask | RowTask | SpeakingTask} Task
 */

import { KitError } from "./errors.js";
import * as featureExtraction from "./tasks/feature-extraction.js";
import * as fillMask from "./tasks/fill-mask.js";
import * as imageClassification from "./tasks/image-classification.js";
import * as sentenceSimilarity from "./tasks/sentence-similarity.js";
import * as tensor from "./tasks/tensor.js";
import * as textClassification from "./tasks/text-classification.js";
import * as textGeneration from "./tasks/text-generation.js";
import * as textRanking from "./tasks/text-ranking.js";
import * as tokenClassification from "./tasks/token-classification.js";
import * as zeroShotClassification from "./tasks/zero-shot-classification.js";
import { makePatternCompiler } from "./text/pattern.js";
import { RowEncoder } from "./text/row-encoder.js";
import { Tokenizer } from "./text/tokenizer.js";

/** @type {Record<string, Task>} */
const tasks = {
  "feature-extraction": featureExtraction,
  "fill-mask": fillMask,
  "image-classification": imageClassification,
  "sentence-similarity": sentenceSimilarity,
  tensor,
  "text-classification": textClassification,
  "text-generation": textGeneration,
  "text-ranking": textRanking,
  "token-classification": tokenClassification,
  "zero-shot-classification": zeroShotClassification,
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
  const tokenizer = new Tokenizer(tokenizerJson, tokenizerConfig, makePatternCompiler(await import(tokenizersUrl)));
  const rowEncoder = new RowEncoder(tokenizer, tokenizerJson, tokenizerConfig, manifest.settings.max_length ?? Infinity);
  return { manifest, tokenizer, rowEncoder, tokenizerConfig, ...urls };
}

/**
 * @param {Uint8Array | undefined} bytes
 * @returns {any}
 */
function readJson(bytes) {
  return bytes && JSON.parse(new TextDecoder().decode(bytes));
}
