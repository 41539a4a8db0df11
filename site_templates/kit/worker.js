/**
 * The worker that owns ONNX Runtime. One worker loads one (variant, backend) pair, ever: after a lost device or a
 * failed start only a new worker helps. It answers requests, and between the answers it says that it is alive.
 *
 * @typedef {import("./types.js").StartParams} StartParams
 * @typedef {import("./protocol.js").Request} Request
 * @typedef {import("./protocol.js").Cancel} Cancel
 * @typedef {import("./protocol.js").WorkerMessage} WorkerMessage
 */

import { KitError, packError } from "./errors.js";
import { countGpuWork } from "./gpu-counter.js";
import { loadPair } from "./load-pair.js";
import { avoidNarrowSubgroups } from "./narrow-subgroups.js";
import { awaitAdapter, probeDevice } from "./probe.js";
import { collectBuffers } from "./tensors.js";

/** A message for every dispatch would cost more than the dispatch. */
const reportIntervalMs = 100;

const stats = countGpuWork(makeThrottled(() => send({ kind: "pulse" })));
avoidNarrowSubgroups();
const device = probeDevice();

/** @type {import("./loaded-model.js").LoadedModel | null} */
let model = null;

/**
 * @param {WorkerMessage} message
 * @param {ArrayBuffer[]} [transfer]
 */
function send(message, transfer = []) {
  // The page's types are in force here; in a worker the second argument is the list of buffers to hand over.
  /** @type {(message: unknown, transfer: Transferable[]) => void} */ (/** @type {unknown} */ (self.postMessage))(
    message,
    transfer,
  );
}

/**
 * @param {() => void} action
 * @returns {() => void}
 */
function makeThrottled(action) {
  let lastMs = -Infinity;
  return () => {
    const nowMs = performance.now();
    if (nowMs - lastMs < reportIntervalMs) return;
    lastMs = nowMs;
    action();
  };
}

/**
 * Progress messages: every change of stage or file and every completion, the rest throttled.
 * @param {import("./types.js").Pair} pair
 * @returns {import("./load-pair.js").Report}
 */
function makeReport(pair) {
  let lastKey = "";
  let lastMs = -Infinity;
  return (stage, { file = "", loadedBytes = 0, totalBytes = 0, bytesPerSecond = 0 } = {}) => {
    const nowMs = performance.now();
    const due = stage !== lastKey || loadedBytes === totalBytes || nowMs - lastMs >= reportIntervalMs;
    if (!due) return;
    lastKey = stage;
    lastMs = nowMs;
    send({ kind: "progress", progress: { stage, file, loadedBytes, totalBytes, bytesPerSecond, ...pair } });
  };
}

/**
 * @param {StartParams} params
 * @returns {Promise<import("./types.js").Started>}
 */
async function start(params) {
  const onLost = (/** @type {string} */ reason) => send({ kind: "lost", reason });
  // A pair for WebGPU is only asked for where an adapter was seen; after a crash it may be away for a moment.
  const present = params.pair.backend === "webgpu" ? await awaitAdapter(await device) : await device;
  const loaded = await loadPair(params, present, makeReport(params.pair), onLost);
  model = loaded.model;
  return loaded.started;
}

/** @returns {import("./loaded-model.js").LoadedModel} */
function loadedModel() {
  if (!model) throw new KitError("worker", "The worker has no model yet.");
  return model;
}

/** What can be ended early, by the request's id. @type {Map<number, AbortController>} */
const running = new Map();

/**
 * @param {import("./types.js").GenerationRequest} request
 * @param {number} id
 * @returns {Promise<import("./types.js").GenerationEnd>}
 */
function generate(request, id) {
  return untilCancelled(id, (signal) =>
    loadedModel().generate(request, {
      onAlive: () => send({ kind: "pulse" }),
      onPreparing: () => send({ kind: "piece", id, piece: { preparing: true } }),
      onStart: (start) => send({ kind: "piece", id, piece: { start } }),
      onRead: (done, total) => send({ kind: "piece", id, piece: { done, total } }),
      onCall: (call) => send({ kind: "piece", id, piece: { call } }),
      onText: (text) => send({ kind: "piece", id, piece: { text } }),
      signal,
    }),
  );
}

/**
 * @param {import("./types.js").EmbedRequest} request
 * @param {number} id
 * @returns {Promise<import("./types.js").EmbedAnswer>}
 */
function embed(request, id) {
  return untilCancelled(id, (signal) => {
    const onProgress = (/** @type {number} */ done, /** @type {number} */ total) =>
      send({ kind: "piece", id, piece: { done, total } });
    return loadedModel().embed(request, { onProgress, signal });
  });
}

/**
 * @template T
 * @param {number} id
 * @param {(signal: AbortSignal) => Promise<T>} work
 * @returns {Promise<T>}
 */
async function untilCancelled(id, work) {
  const controller = new AbortController();
  running.set(id, controller);
  try {
    return await work(controller.signal);
  } finally {
    running.delete(id);
  }
}

/** Whose errors are those of a computation. @type {Set<import("./protocol.js").Method>} */
const workMethods = new Set(["run", "generate", "embed", "count", "countPrompt"]);

/** @type {Record<import("./protocol.js").Method, (params: any, id: number) => unknown>} */
const methods = {
  probe: () => device,
  start,
  run: (input) => loadedModel().run(input, () => send({ kind: "pulse" })),
  golden: () => loadedModel().golden(),
  stats: () => stats,
  generate,
  embed,
  count: (texts) => loadedModel().count(texts),
  countPrompt: (messages) => loadedModel().countPrompt(messages),
};

/**
 * @param {Request} request
 */
async function answer({ id, method, params }) {
  try {
    const result = await methods[method](params, id);
    send({ kind: "result", id, result }, collectBuffers(result));
  } catch (error) {
    send({ kind: "error", id, error: packError(error, workMethods.has(method) ? "run" : "session") });
  }
}

self.addEventListener("message", ({ data }) => {
  const message = /** @type {Request | Cancel} */ (data);
  if (message.method === "cancel") running.get(message.id)?.abort();
  else answer(message);
});
