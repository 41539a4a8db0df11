/**
 * The page's side of one worker: numbers its requests, passes on its progress, and ends it when it is lost, dead or
 * stuck. An ended client stays ended; the next one is a fresh worker.
 *
 * @typedef {import("./types.js").Progress} Progress
 * @typedef {import("./protocol.js").Method} Method
 * @typedef {import("./protocol.js").WorkerMessage} WorkerMessage
 * @typedef {import("./protocol.js").Piece} Piece
 * @typedef {{resolve: (value: any) => void, reject: (error: unknown) => void, onPiece?: (piece: Piece) => void}} Pending
 */

import { KitError, describeError, unpackError } from "./errors.js";
import { Watchdog, quietLimitsMs } from "./watchdog.js";

/** What a worker is doing, by what it was asked for. @type {Partial<Record<Method, string>>} */
const activities = {
  run: "computing",
  embed: "computing",
  generate: "preparing the prompt (its chat template, or very long text)",
  countPrompt: "preparing the prompt (its chat template, or very long text)",
};

/** One worker, until it ends. */
export class WorkerClient {
  /**
   * @param {(progress: Progress) => void} onProgress
   */
  constructor(onProgress) {
    this.onProgress = onProgress;
    /** @type {unknown} why it ended; null while it lives */
    this.ended = null;
    /** @type {Map<number, Pending>} */
    this.pending = new Map();
    this.lastId = 0;
    /** @type {number} */
    this.workLimitMs = quietLimitsMs.probe;
    this.activity = "answering";
    this.watchdog = new Watchdog((quietMs) => this.end(stalled(quietMs, this.activity)));
    this.worker = new Worker(new URL("./worker.js", import.meta.url), { type: "module", name: "webgpu-kit" });
    this.worker.addEventListener("message", (event) => this.#receive(event.data));
    this.worker.addEventListener("messageerror", () =>
      this.end(new KitError("worker", "A message from the worker could not be read.")),
    );
    this.worker.addEventListener("error", (event) => this.end(crashed(event)));
  }

  /**
   * @param {Method} method
   * @param {unknown} [params]
   * @returns {Promise<any>}
   */
  request(method, params) {
    return this.#request(method, params, {});
  }

  /**
   * A generation: its text comes piece by piece.
   * @param {import("./types.js").GenerationRequest} params
   * @param {{onPiece: (piece: Piece) => void, signal: AbortSignal}} options  an abort ends it after the next token
   * @returns {Promise<import("./types.js").GenerationEnd>}
   */
  generate(params, options) {
    return this.#requestInPieces("generate", params, options);
  }

  /**
   * Embeddings: the pieces say how many inputs are done.
   * @param {import("./types.js").EmbedRequest} params
   * @param {{onPiece: (piece: Piece) => void, signal: AbortSignal}} options  an abort ends it after the batch at hand
   * @returns {Promise<import("./types.js").EmbedAnswer>}
   */
  embed(params, options) {
    return this.#requestInPieces("embed", params, options);
  }

  /**
   * @param {Method} method
   * @param {unknown} params
   * @param {{onPiece: (piece: Piece) => void, signal: AbortSignal}} options
   * @returns {Promise<any>}
   */
  #requestInPieces(method, params, { onPiece, signal }) {
    const answer = this.#request(method, params, { onPiece });
    if (this.ended) return answer;
    const id = this.lastId;
    const cancel = () => this.ended || this.worker.postMessage({ id, method: "cancel" });
    signal.addEventListener("abort", cancel, { once: true });
    return answer.finally(() => signal.removeEventListener("abort", cancel));
  }

  /**
   * @param {Method} method
   * @param {unknown} params
   * @param {{onPiece?: (piece: Piece) => void}} options
   * @returns {Promise<any>}
   */
  #request(method, params, { onPiece }) {
    if (this.ended) return Promise.reject(this.ended);
    return new Promise((resolve, reject) => {
      const id = ++this.lastId;
      this.#post({ id, method, params });
      this.pending.set(id, { resolve, reject, onPiece });
      this.watchdog.limitMs = method === "generate" || method === "countPrompt" ? quietLimitsMs.prompt : this.workLimitMs;
      this.activity = activities[method] ?? "answering";
      this.watchdog.start();
    });
  }

  /**
   * @param {import("./protocol.js").Request} request
   */
  #post(request) {
    try {
      this.worker.postMessage(request);
    } catch (error) {
      throw new KitError("bad-input", `This input cannot be sent to the worker: ${describeError(error)}`, {
        cause: error,
      });
    }
  }

  /**
   * How long this worker may be silent while it computes.
   * @param {import("./types.js").Backend} backend
   * @param {import("./types.js").Device} device
   */
  expectWork(backend, device) {
    const kind = backend === "webgpu" && device.adapter?.software ? "software" : backend;
    this.workLimitMs = quietLimitsMs[kind];
  }

  /**
   * End the worker; everything that waits for it is rejected with `reason`.
   * @param {unknown} reason
   */
  end(reason) {
    if (this.ended) return;
    this.ended = reason;
    this.watchdog.stop();
    this.worker.terminate();
    for (const { reject } of this.pending.values()) reject(reason);
    this.pending.clear();
  }

  /**
   * @param {WorkerMessage} message
   */
  #receive(message) {
    if (this.ended) return;
    this.watchdog.progress();
    if (message.kind === "lost") this.end(lost(message.reason));
    else if (message.kind === "progress") this.#receiveProgress(message.progress);
    else if (message.kind === "piece") this.#receivePiece(message);
    else if (message.kind === "result") this.#settle(message.id).resolve(message.result);
    else if (message.kind === "error") this.#receiveError(message);
  }

  /**
   * @param {Progress} progress
   */
  #receiveProgress(progress) {
    this.watchdog.limitMs = progress.stage === "download" ? quietLimitsMs.download : this.workLimitMs;
    this.activity = describeActivity(progress);
    this.onProgress(progress);
  }

  /**
   * @param {import("./protocol.js").PieceMessage} message
   */
  #receivePiece({ id, piece }) {
    this.watchdog.limitMs = this.workLimitMs; // the template is through
    this.activity = "computing";
    this.pending.get(id)?.onPiece?.(piece);
  }

  /**
   * @param {import("./protocol.js").ErrorMessage} message
   */
  #receiveError({ id, error }) {
    this.#settle(id).reject(unpackError(error));
    if (error.fatal) this.end(new KitError("worker", `The worker had to be ended: ${error.message}.`));
  }

  /**
   * @param {number} id
   * @returns {Pending}
   */
  #settle(id) {
    const pending = this.pending.get(id);
    if (!pending) throw new KitError("worker", `The worker answered request ${id}, which nobody made.`);
    this.pending.delete(id);
    if (!this.pending.size) this.watchdog.stop();
    return pending;
  }
}

/**
 * @param {string} reason
 * @returns {KitError}
 */
function lost(reason) {
  return new KitError("device-lost", `The browser took the GPU away (${reason || "no reason given"}).`);
}

/**
 * @param {number} quietMs
 * @param {string} activity
 * @returns {KitError}
 */
function stalled(quietMs, activity) {
  return new KitError(
    "worker",
    `The model was stopped: while ${activity} it made no progress for ${Math.round(quietMs / 1000)} seconds.`,
  );
}

/**
 * @param {Progress} progress
 * @returns {string}
 */
function describeActivity({ stage, file }) {
  if (stage === "download") return `downloading ${file || "its files"}`;
  return stage === "self-test" ? "testing itself" : "starting";
}

/**
 * @param {ErrorEvent} event
 * @returns {KitError}
 */
function crashed(event) {
  event.preventDefault(); // it is reported through the promise that waits
  const detail = event.message || "its files could not be loaded";
  return new KitError("worker", `The worker could not go on: ${detail}.`);
}
