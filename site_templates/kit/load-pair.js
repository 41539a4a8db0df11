/**
 * In the worker: from a (variant, backend) pair to a session that has passed its self-test.
 *
 * @typedef {import("./types.js").StartParams} StartParams
 * @typedef {import("./types.js").Started} Started
 * @typedef {import("./types.js").Device} Device
 * @typedef {import("./types.js").BackendGraph} BackendGraph
 * @typedef {import("./types.js").Variant} Variant
 * @typedef {(stage: import("./types.js").Stage, transfer?: Partial<import("./chunks.js").Transfer>) => void} Report
 * @typedef {Map<string, Uint8Array<ArrayBuffer>>} Files  by name
 */

import { fetchFiles } from "./chunks.js";
import { KitError } from "./errors.js";
import { ExpandedWeights } from "./expanded-weights.js";
import { fetchGolden, testItself } from "./golden.js";
import { LoadedModel } from "./loaded-model.js";
import { keptInstance } from "./ort-instance.js";
import { Session, chooseBuild, startRuntime } from "./session.js";
import { findTask, makeContext } from "./task.js";

/**
 * @param {StartParams} params
 * @param {Device} device
 * @param {Report} report
 * @param {(reason: string) => void} onLost
 * @returns {Promise<{model: LoadedModel, started: Started}>}
 */
export async function loadPair(params, device, report, onLost) {
  const { manifest, runtime, runtimeUrl, manifestUrl, pair } = params;
  const task = findTask(manifest.task);
  const { variant, graph } = findGraph(params);
  // A worker that follows a crash of the GPU may find no adapter any more.
  if (pair.backend === "webgpu" && !device.adapter) throw new KitError("session", device.gpuReason);
  const { build, threads } = chooseBuild(pair.backend, device);
  const watch = new Stopwatch();

  report("download");
  const [{ wasmBinary, files, downloadedBytes }, golden] = await Promise.all([
    download(params, variant, graph, build, (transfer) => report("download", transfer)),
    fetchGolden(manifest, manifestUrl),
  ]);
  const downloadMs = watch.lap();

  report("session");
  const ort = await startRuntime(runtime.builds[build], runtimeUrl, wasmBinary, threads);
  const session = await openSession(ort, pair.backend, graph, files, report);
  // Only now, with the weights out of the way: a tokenizer takes its own megabytes to read.
  const find = (/** @type {string} */ path) => new URL(path, runtimeUrl).href;
  const urls = { jinjaUrl: find(runtime.jinja), grammarUrl: find(runtime.xgrammar) };
  const context = await makeContext(manifest, files, find(runtime.tokenizers), urls);
  if (pair.backend === "webgpu") await session.watchDevice(onLost);
  const sessionMs = watch.lap();

  report("self-test");
  const model = await LoadedModel.open(session, task, context, golden);
  await testItself(golden, variant.parity, async (input) => (await model.run(input)).outputs);
  return { model, started: { threads, build, downloadMs, sessionMs, selfTestMs: watch.lap(), downloadedBytes } };
}

/**
 * @param {StartParams} params
 * @returns {{variant: Variant, graph: BackendGraph}}
 */
function findGraph({ manifest, pair }) {
  const variant = manifest.variants.find(({ name }) => name === pair.variant);
  const graph = variant?.graphs[pair.backend];
  if (!variant || !graph)
    throw new KitError("bad-manifest", `The manifest has no ${pair.variant} for ${pair.backend}.`);
  return { variant, graph };
}

/**
 * @param {StartParams} params
 * @param {Variant} variant
 * @param {BackendGraph} graph
 * @param {import("./types.js").BuildName} build
 * @param {(transfer: import("./chunks.js").Transfer) => void} onProgress
 * @returns {Promise<{wasmBinary: Uint8Array<ArrayBuffer>, files: Files, downloadedBytes: number}>}
 */
async function download({ manifest, manifestUrl, runtime, runtimeUrl }, variant, graph, build, onProgress) {
  const modelFiles = variant.files.filter(({ name }) => name === graph.file || name === "weights.bin");
  if (!modelFiles.some(({ name }) => name === graph.file)) {
    throw new KitError("bad-manifest", `The variant ${variant.name} has no file ${graph.file}.`);
  }
  const wasm = { file: runtime.builds[build].wasm, baseUrl: runtimeUrl };
  const parts = [...manifest.assets, ...modelFiles].map((file) => ({ file, baseUrl: manifestUrl }));
  const [wasmBinary, ...contents] = await fetchFiles([wasm, ...parts], { onProgress });
  const files = new Map(parts.map(({ file }, index) => [file.name, contents[index]]));
  return { wasmBinary, files, downloadedBytes: [wasmBinary, ...contents].reduce((sum, { length }) => sum + length, 0) };
}

/**
 * The graph with the weights that it has: as they came, or expanded while ONNX Runtime reads them. Afterwards ONNX
 * Runtime has its own copy, and the memory of the download is given back.
 * @param {import("./session.js").Ort} ort
 * @param {import("./types.js").Backend} backend
 * @param {BackendGraph} graph
 * @param {Files} files
 * @param {Report} report
 * @returns {Promise<Session>}
 */
async function openSession(ort, backend, { file, expanded_bytes: bytes, expand }, files, report) {
  const model = /** @type {Uint8Array} */ (files.get(file));
  const weights = files.get("weights.bin");
  if (bytes && !weights) throw new KitError("bad-manifest", "There is no weights.bin to make expanded.bin from.");
  if (!weights) return Session.create(ort, backend, model, []);
  const expanded = new ExpandedWeights(weights, expand, bytes, findInstance, (loadedBytes, totalBytes) =>
    report("session", { file: "expanded.bin", loadedBytes, totalBytes }),
  );
  const externalData = [
    { path: "weights.bin", data: weights },
    { path: "expanded.bin", data: expanded.asFile() },
  ];
  try {
    return await Session.create(ort, backend, model, externalData.slice(0, bytes ? 2 : 1));
  } catch (error) {
    throw expanded.failure ?? error;
  } finally {
    expanded.release();
    files.delete("weights.bin");
    /** @type {any} */ (weights.buffer).transfer?.(0); // else it would stay until the next garbage collection
  }
}

/** @returns {import("./ort-instance.js").OrtInstance} that reads the weights at this moment */
function findInstance() {
  const instance = keptInstance();
  if (!instance) throw new KitError("session", "This build of ONNX Runtime Web does not let the loader at its memory.");
  return instance;
}

/** Milliseconds between laps. */
class Stopwatch {
  constructor() {
    this.lastMs = performance.now();
  }

  /** @returns {number} */
  lap() {
    const nowMs = performance.now();
    const elapsedMs = nowMs - this.lastMs;
    this.lastMs = nowMs;
    return elapsedMs;
  }
}
