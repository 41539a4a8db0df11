/**
 * A loaded model as the page holds it: runs one input after the other, and survives the loss of its worker.
 *
 * @typedef {import("./types.js").Answer} Answer
 * @typedef {import("./types.js").Golden} Golden
 * @typedef {import("./types.js").Stats} Stats
 * @typedef {import("./walk.js").Opened} Opened
 */

import { explainChoice } from "./candidates.js";
import { Completions } from "./chat/completions.js";
import { readMessages } from "./chat/messages.js";
import { Embeddings } from "./embedding/embeddings.js";
import { KitError, asSentence, describeError, isAbort } from "./errors.js";
import { showStatus } from "./status.js";

/** What `load` gives. */
export class Model {
  #walk;
  #opened;
  #startMs;
  #show;
  #readyMs = 0;
  #runsWaiting = 0;
  #disposed = false;
  /** @type {Promise<unknown>} the end of the queue */
  #queue = Promise.resolve();
  /** @type {Promise<import("./client.js").WorkerClient> | null} a fresh worker on its way after a loss */
  #restart = null;
  #ending = new AbortController();
  /** @type {import("./types.js").GenerationTimings | null} */
  #lastGeneration = null;

  /**
   * @param {import("./walk.js").Walk} walk
   * @param {Opened} opened
   * @param {number} startMs  when loading began
   * @param {typeof showStatus} show  how the page is told of its state
   */
  constructor(walk, opened, startMs, show = showStatus) {
    this.#show = show;
    this.#walk = walk;
    this.#opened = opened;
    this.#startMs = startMs;
    /** As OpenAI's API has it: `chat.completions.create({ messages, stream })`. */
    this.chat = { completions: new Completions((...given) => this.#generate(...given), this.manifest.name) };
    /** As OpenAI's API has it: `embeddings.create({ input })`. */
    this.embeddings = new Embeddings((...given) => this.embed(...given), this.manifest);
    this.#announceReady();
  }

  /** @returns {import("./types.js").Manifest} */
  get manifest() {
    return this.#walk.sources.manifest;
  }

  /** @returns {import("./types.js").Backend} */
  get backend() {
    return this.#opened.pair.backend;
  }

  /** @returns {string} */
  get variant() {
    return this.#opened.pair.variant;
  }

  /** @returns {number} what the variant takes on this backend, at its peak */
  get memoryBytes() {
    const entry = this.manifest.variants.find(({ name }) => name === this.variant);
    return entry?.graphs[this.backend]?.memory_bytes || (entry?.memory_bytes ?? 0);
  }

  /** @returns {number} */
  get threads() {
    return this.#opened.started.threads;
  }

  /** @returns {import("./types.js").BuildName} the build of ONNX Runtime Web in use */
  get build() {
    return this.#opened.started.build;
  }

  /** @returns {import("./types.js").Adapter | null} the browser's WebGPU adapter, in use or not */
  get adapter() {
    return this.#walk.device.adapter;
  }

  /** @returns {import("./types.js").Device} */
  get device() {
    return this.#walk.device;
  }

  /** @returns {import("./types.js").Attempt[]} every pair considered, with the reason it was passed over or failed */
  get attempts() {
    return this.#walk.attempts.map((attempt) => ({ ...attempt }));
  }

  /** @returns {string} why this is not the best pair; "" when it is */
  get reason() {
    return explainChoice(this.#opened.pair, this.#walk.attempts, this.manifest, this.#walk.choice);
  }

  /**
   * Of loading, and of the last generation where there was one.
   * @returns {{downloadMs: number, sessionMs: number, selfTestMs: number, readyMs: number, downloadedBytes: number} & Partial<import("./types.js").GenerationTimings>}
   */
  get timings() {
    const { downloadMs, sessionMs, selfTestMs, downloadedBytes } = this.#opened.started;
    return { downloadMs, sessionMs, selfTestMs, readyMs: this.#readyMs, downloadedBytes, ...this.#lastGeneration };
  }

  /**
   * Answer one input. Calls wait for each other. An abort is honoured at once; work that has begun on it goes on in
   * the worker, and the next call waits for that.
   * @param {any} input
   * @param {{signal?: AbortSignal}} [options]
   * @returns {Promise<Answer>}
   */
  async run(input, { signal } = {}) {
    return this.#takeTurn((client) => client.request("run", trimViews(input)), signal);
  }

  /**
   * Like `run`, but an abort reaches the worker: it stops after the token at hand.
   * @type {import("./chat/completions.js").Generate}
   */
  async #generate(request, { onPiece, onEnd = () => {}, signal }) {
    /** @type {import("./types.js").GenerationTimings | null} */
    let timings = null;
    const answer = this.#takeTurn(async (client) => {
      const end = await client.generate(request, { onPiece, signal });
      this.#lastGeneration = timings = end.timings;
      return end;
    }, signal);
    // The queue, not the answer: an abort rejects that before the worker has stopped.
    void this.#queue.then(() => onEnd(timings));
    return answer;
  }

  /**
   * Embeddings of any number of inputs, in one array. An abort ends it after the batch at hand.
   * @param {import("./types.js").EmbedRequest} request
   * @param {{signal?: AbortSignal, onProgress?: (done: number, total: number) => void}} [options]
   * @returns {Promise<import("./types.js").EmbedAnswer>}
   */
  async embed(request, { signal = new AbortController().signal, onProgress } = {}) {
    /** @param {import("./protocol.js").Piece} piece */
    const onPiece = (piece) => "done" in piece && onProgress?.(piece.done, piece.total);
    return this.#takeTurn((client) => client.embed(request, { onPiece, signal }), signal);
  }

  /**
   * How many tokens each text has for this model, without those that it puts around a text.
   * @param {readonly string[]} texts
   * @returns {Promise<Uint32Array>}
   */
  async countTokens(texts) {
    return (await this.#ensureClient()).request("count", texts);
  }

  /**
   * How many tokens a conversation has, with what the chat template puts around it. Rejects with `context-full` where
   * no answer could follow it.
   * @param {import("./chat/request.js").CreateOptions["messages"]} messages
   * @returns {Promise<number>}
   */
  async countPromptTokens(messages) {
    return (await this.#ensureClient()).request("countPrompt", readMessages(messages));
  }

  /**
   * @template T
   * @param {(client: import("./client.js").WorkerClient) => Promise<T>} work
   * @param {AbortSignal} [signal]
   * @returns {Promise<T>}
   */
  async #takeTurn(work, signal) {
    signal?.throwIfAborted();
    this.#runsWaiting++;
    this.#show("running");
    const turn = this.#queue.then(() => this.#workNow(work, signal));
    this.#queue = turn.catch(() => {}); // the caller gets the error; the queue goes on
    try {
      const answer = await abortable(turn, signal);
      this.#finishRun("done");
      return answer;
    } catch (error) {
      if (isAbort(error) || signal?.aborted) this.#finishRun("ready");
      else this.#finishRun("failed", describeError(error));
      throw error;
    }
  }

  /** @returns {Promise<Golden>} the recorded inputs and the original framework's answers */
  async golden() {
    return (await this.#ensureClient()).request("golden");
  }

  /** @returns {Promise<Stats>} what the GPU was asked to do since the worker started */
  async stats() {
    return (await this.#ensureClient()).request("stats");
  }

  /** End the worker. Whatever waits for it is rejected. */
  async dispose() {
    this.#disposed = true;
    const reason = new KitError("disposed", "The model was disposed of.");
    this.#opened.client.end(reason);
    this.#ending.abort(reason);
  }

  /**
   * @template T
   * @param {(client: import("./client.js").WorkerClient) => Promise<T>} work
   * @param {AbortSignal} [signal]
   * @returns {Promise<T>}
   */
  async #workNow(work, signal) {
    signal?.throwIfAborted();
    const client = await this.#ensureClient();
    signal?.throwIfAborted();
    const answer = await work(client);
    this.#walk.noteSuccess();
    return answer;
  }

  /**
   * @returns {Promise<import("./client.js").WorkerClient>} a live worker with a loaded model
   */
  async #ensureClient() {
    if (this.#disposed) throw new KitError("disposed", "The model was disposed of.");
    if (!this.#opened.client.ended) return this.#opened.client;
    this.#restart ??= this.#reopen().finally(() => (this.#restart = null));
    return this.#restart;
  }

  /** @returns {Promise<import("./client.js").WorkerClient>} */
  async #reopen() {
    this.#walk.attempts.push({
      ...this.#opened.pair,
      ok: false,
      reason: asSentence(describeError(this.#opened.client.ended)),
    });
    this.#walk.noteFailure();
    this.#startMs = performance.now();
    this.#opened = await this.#walk.open({ signal: this.#ending.signal });
    this.#announceReady();
    return this.#opened.client;
  }

  #announceReady() {
    this.#readyMs = performance.now() - this.#startMs;
    const { downloadedBytes } = this.#opened.started;
    const bytes = { loadedBytes: downloadedBytes, totalBytes: downloadedBytes, bytesPerSecond: 0 };
    this.#show(this.#runsWaiting ? "running" : "ready", {
      backend: this.backend,
      variant: this.variant,
      reason: this.reason,
    });
    this.#walk.onProgress({ stage: "ready", file: "", ...bytes, ...this.#opened.pair });
  }

  /**
   * @param {import("./status.js").Status} status
   * @param {string} [reason]
   */
  #finishRun(status, reason = this.reason) {
    this.#runsWaiting--;
    if (this.#disposed) return; // the attributes may belong to another model by now
    this.#show(this.#runsWaiting ? "running" : status, { reason });
  }
}

/**
 * @template T
 * @param {Promise<T>} promise
 * @param {AbortSignal} [signal]
 * @returns {Promise<T>}
 */
function abortable(promise, signal) {
  if (!signal) return promise;
  return new Promise((resolve, reject) => {
    const abort = () => reject(signal.reason);
    signal.addEventListener("abort", abort, { once: true });
    promise.then(resolve, reject).finally(() => signal.removeEventListener("abort", abort));
  });
}

/**
 * `postMessage` copies the whole buffer behind a view, however small the view: cut such views to size first.
 * @param {any} value
 * @returns {any}
 */
function trimViews(value) {
  if (ArrayBuffer.isView(value)) {
    const view = /** @type {Uint8Array} */ (value);
    return view.byteLength < view.buffer.byteLength && view.slice ? view.slice() : view;
  }
  if (Array.isArray(value)) return value.map(trimViews);
  if (value === null || typeof value !== "object" || Object.getPrototypeOf(value) !== Object.prototype) return value;
  return Object.fromEntries(Object.entries(value).map(([name, inner]) => [name, trimViews(inner)]));
}
