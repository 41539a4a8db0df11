/**
 * An answer on its way, as an async iterable of chunks. Like the official client's stream it has a `controller`, ends
 * without an error when it is aborted, and stops the model when the loop over it is left.
 *
 * @typedef {import("./shapes.js").CompletionChunk} CompletionChunk
 * @typedef {import("../types.js").GenerationTimings} GenerationTimings
 */

/** One reader, one pass. */
export class CompletionStream {
  /** @type {CompletionChunk[]} */
  #waiting = [];
  #ended = false;
  /** @type {unknown} */
  #error = null;
  #wake = () => {};
  /** @type {(timings: GenerationTimings | null) => void} */
  settle = () => {};
  /**
   * Called while a long prompt is read, with how many of the tokens that are new to the model are. Beside OpenAI's API.
   * @type {(done: number, total: number) => void}
   */
  onRead = () => {};
  /**
   * How the generation went, also one that was stopped: known once the model has put it down, which may be a token
   * later than the stream's end. null when it never began, or failed.
   * @type {Promise<GenerationTimings | null>}
   */
  timings = new Promise((resolve) => (this.settle = resolve));

  /**
   * @param {AbortController} controller  aborting it ends the generation
   */
  constructor(controller) {
    this.controller = controller;
    controller.signal.addEventListener("abort", () => this.end(), { once: true });
  }

  /**
   * @param {CompletionChunk} chunk
   */
  push(chunk) {
    if (this.#ended) return;
    this.#waiting.push(chunk);
    this.#wake();
  }

  /**
   * @param {unknown} [error]  thrown to the reader after the chunks before it
   */
  end(error = null) {
    if (this.#ended) return;
    this.#ended = true;
    this.#error = error;
    this.#wake();
  }

  /** @returns {AsyncGenerator<CompletionChunk, void, undefined>} */
  async *[Symbol.asyncIterator]() {
    try {
      for (;;) {
        const chunk = this.#waiting.shift();
        if (chunk) yield chunk;
        else if (this.#ended) break;
        else await new Promise((resolve) => (this.#wake = () => resolve(undefined)));
      }
      if (this.#error) throw this.#error;
    } finally {
      if (!this.#ended) this.controller.abort();
    }
  }
}
