/**
 * ONNX Runtime: which of its three builds, how it is started, and one session.
 *
 * The WebGPU builds lack CPU kernels that plain wasm has, so a model that does not run on WebGPU there is never tried
 * on their CPU: the page starts a fresh worker with the plain build. A failed start is remembered by ONNX Runtime too,
 * which is one more reason for one worker per attempt.
 *
 * @typedef {import("./types.js").Backend} Backend
 * @typedef {import("./types.js").BuildName} BuildName
 * @typedef {import("./types.js").Device} Device
 * @typedef {import("./types.js").RuntimeBuild} RuntimeBuild
 * @typedef {import("./types.js").Tensors} Tensors
 * @typedef {typeof import("onnxruntime-common")} Ort
 */

import { KitError, describeError } from "./errors.js";
import { wrapGlue } from "./ort-instance.js";
import { fromOrtTensor, toOrtTensor } from "./tensors.js";

/** More threads than this have not paid off in wasm. */
const maxThreads = 4;

/**
 * @param {Backend} backend
 * @param {Device} device
 * @returns {{build: BuildName, threads: number}}
 */
export function chooseBuild(backend, device) {
  if (backend === "webgpu") return { build: device.jspi ? "jspi" : "asyncify", threads: 1 };
  return { build: "wasm", threads: device.isolated ? Math.min(device.cores, maxThreads) : 1 };
}

/**
 * @param {RuntimeBuild} build
 * @param {string} runtimeUrl
 * @param {Uint8Array<ArrayBuffer>} wasmBinary
 * @param {number} threads
 * @returns {Promise<Ort>}
 */
export async function startRuntime(build, runtimeUrl, wasmBinary, threads) {
  /** @type {Ort} */
  const ort = await import(new URL(build.module, runtimeUrl).href);
  ort.env.logLevel = "error";
  ort.env.wasm.numThreads = threads;
  ort.env.wasm.wasmBinary = wasmBinary;
  ort.env.wasm.wasmPaths = { mjs: wrapGlue(new URL(build.glue, runtimeUrl).href) };
  return ort;
}

/** One loaded graph. */
export class Session {
  /**
   * @param {Ort} ort
   * @param {import("onnxruntime-common").InferenceSession} session
   * @param {Backend} backend
   */
  constructor(ort, session, backend) {
    this.ort = ort;
    this.session = session;
    this.backend = backend;
  }

  /**
   * @param {Ort} ort
   * @param {Backend} backend
   * @param {Uint8Array} graph
   * @param {{path: string, data: Uint8Array}[]} externalData
   * @returns {Promise<Session>}
   */
  static async create(ort, backend, graph, externalData) {
    try {
      const options = { executionProviders: [backend], externalData, logSeverityLevel: /** @type {const} */ (3) };
      const session = await ort.InferenceSession.create(graph, options);
      ort.env.wasm.wasmBinary = undefined; // compiled by now: let its 14 to 27 MB go
      return new Session(ort, session, backend);
    } catch (error) {
      throw new KitError("session", `ONNX Runtime could not load the model on ${backend}: ${describeError(error)}`, {
        cause: error,
      });
    }
  }

  /**
   * @param {(reason: string) => void} onLost  called once, should the browser take the GPU away
   */
  async watchDevice(onLost) {
    const device = /** @type {GPUDevice | undefined} */ (await this.ort.env.webgpu.device);
    if (!device) throw new KitError("session", "ONNX Runtime made no WebGPU device.");
    device.lost.then(({ message, reason }) => onLost(message || reason));
  }

  /**
   * @param {Tensors} feeds
   * @returns {Promise<Tensors>} copies, free to be handed over
   */
  async run(feeds) {
    const inputs = Object.fromEntries(
      Object.entries(feeds).map(([name, tensor]) => [name, toOrtTensor(tensor, this.ort)]),
    );
    try {
      const results = await this.session.run(inputs);
      const present = Object.entries(results).filter(([, tensor]) => tensor); // an optional output may be absent
      return Object.fromEntries(present.map(([name, tensor]) => [name, fromOrtTensor(tensor)]));
    } catch (error) {
      throw new KitError("run", `ONNX Runtime failed while computing: ${describeError(error)}`, { cause: error });
    }
  }
}
