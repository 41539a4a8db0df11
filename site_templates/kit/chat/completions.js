/**
 * `model.chat.completions.create`, as OpenAI's API has it.
 *
 * @typedef {import("./request.js").CreateOptions} CreateOptions
 * @typedef {import("./shapes.js").Completion} Completion
 * @typedef {import("../types.js").GenerationRequest} GenerationRequest
 * @typedef {import("../types.js").GenerationEnd} GenerationEnd
 * @typedef {import("../types.js").GenerationTimings} GenerationTimings
 *
 * @typedef {object} GenerateOptions
 * @property {(piece: import("../protocol.js").Piece) => void} onPiece
 * @property {(timings: GenerationTimings | null) => void} [onEnd]  when the model is through with it, which after an
 *   abort is a little later; null when it never took it up, or failed
 * @property {AbortSignal} signal
 *
 * @typedef {(request: GenerationRequest, options: GenerateOptions) => Promise<GenerationEnd>} Generate
 */

import { readRequest } from "./request.js";
import {
  makeCallDelta,
  makeChunk,
  makeCompletion,
  makeIdentity,
  makeMessage,
  makeUsage,
  makeUsageChunk,
} from "./shapes.js";
import { CompletionStream } from "./stream.js";

/** What `model.chat.completions` is. */
export class Completions {
  #generate;
  #name;

  /**
   * @param {Generate} generate
   * @param {string} name  of the model
   */
  constructor(generate, name) {
    this.#generate = generate;
    this.#name = name;
  }

  /**
   * @overload
   * @param {CreateOptions & {stream: true}} options
   * @param {{signal?: AbortSignal | null}} [requestOptions]
   * @returns {Promise<CompletionStream>}
   */
  /**
   * @overload
   * @param {CreateOptions & {stream?: false | null}} options
   * @param {{signal?: AbortSignal | null}} [requestOptions]
   * @returns {Promise<Completion>}
   */
  /**
   * Let the model answer. Calls wait for each other. With `stream` the promise is kept once the prompt has been
   * accepted; the text then comes chunk by chunk.
   * @param {CreateOptions} options
   * @param {{signal?: AbortSignal | null}} [requestOptions]  where the official client takes its signal
   * @returns {Promise<Completion | CompletionStream>}
   */
  async create(options, requestOptions) {
    const request = readRequest(options);
    const signal = options.signal ?? requestOptions?.signal ?? undefined;
    signal?.throwIfAborted();
    const identity = makeIdentity(options.model ?? this.#name);
    const controller = new AbortController();
    const abort = () => controller.abort(signal?.reason);
    signal?.addEventListener("abort", abort, { once: true });
    const detach = () => signal?.removeEventListener("abort", abort);
    if (!options.stream) return this.#answer(request, identity, controller.signal).finally(detach);
    return this.#stream(request, identity, controller, options.stream_options?.include_usage === true, detach);
  }

  /**
   * @param {GenerationRequest} request
   * @param {import("./shapes.js").Identity} identity
   * @param {AbortSignal} signal
   * @returns {Promise<Completion>}
   */
  async #answer(request, identity, signal) {
    /** @type {import("../protocol.js").Piece[]} */
    const pieces = [];
    const end = await this.#generate(request, { onPiece: (piece) => pieces.push(piece), signal });
    return makeCompletion(identity, makeMessage(pieces), readReason(end), makeUsage(end.timings));
  }

  /**
   * @param {GenerationRequest} request
   * @param {import("./shapes.js").Identity} identity
   * @param {AbortController} controller
   * @param {boolean} includeUsage
   * @param {() => void} detach
   * @returns {Promise<CompletionStream>}
   */
  #stream(request, identity, controller, includeUsage, detach) {
    const stream = new CompletionStream(controller);
    return new Promise((resolve, reject) => {
      /** @param {import("../protocol.js").Piece} piece */
      const onPiece = (piece) => {
        if ("preparing" in piece) return;
        if ("done" in piece) return stream.onRead(piece.done, piece.total);
        if ("text" in piece) return stream.push(makeChunk(identity, { content: piece.text }));
        if ("call" in piece) return stream.push(makeChunk(identity, makeCallDelta(piece.call)));
        stream.push(makeChunk(identity, { role: "assistant", content: "" }));
        resolve(stream);
      };
      const onEnd = (/** @type {GenerationTimings | null} */ timings) => stream.settle(timings);
      this.#generate(request, { onPiece, onEnd, signal: controller.signal })
        .then((end) => {
          stream.push(makeChunk(identity, {}, readReason(end)));
          if (includeUsage) stream.push(makeUsageChunk(identity, makeUsage(end.timings)));
          stream.end();
        })
        .catch((error) => {
          reject(error); // of no effect once the stream is handed out
          stream.end(error);
        })
        .finally(detach);
    });
  }
}

/**
 * @param {GenerationEnd} end
 * @returns {import("./shapes.js").FinishReason}
 */
function readReason({ finishReason }) {
  return finishReason === "aborted" ? "stop" : finishReason;
}
