/**
 * Every error that the kit raises on purpose.
 *
 * `code` is for programs, `message` is a sentence for the visitor:
 *   bad-manifest   the bundle or the runtime folder does not hold together
 *   no-candidate   no (variant, backend) pair can run here
 *   download       a file could not be fetched, or its contents are not what the manifest says
 *   session        ONNX Runtime could not load the graph
 *   self-test      the model ran, but its answer is wrong
 *   bad-input      `run()` was given something the task does not take
 *   run            ONNX Runtime failed while computing
 *   device-lost    the browser took the GPU away
 *   bad-template   the model's chat template cannot be read, failed, or did not come to an end
 *   context-full   the conversation is longer than what the model can hold
 *   unsupported    a part of the OpenAI API that this kit does not have
 *   other-model    an index was made with another model than the one that is loaded
 *   storage-full   the browser has no room left to keep an index in
 *   storage-blocked  the browser keeps nothing for this page
 *   worker         the worker died or stopped making progress
 *   disposed       the model was disposed of while something waited for it
 *
 * @typedef {"bad-manifest"|"no-candidate"|"download"|"session"|"self-test"|"bad-input"|"bad-template"|"context-full"|"unsupported"|"other-model"|"storage-full"|"storage-blocked"|"run"|"device-lost"|"worker"|"disposed"} ErrorCode
 */

/** Errors that the caller can mend. */
const requestErrors = new Set(["bad-input", "context-full", "unsupported"]);

/** An error with a code for programs and a sentence for people. */
export class KitError extends Error {
  /**
   * @param {ErrorCode} code
   * @param {string} message
   * @param {{cause?: unknown, attempts?: import("./types.js").Attempt[], param?: string}} [options]
   */
  constructor(code, message, options) {
    super(message, options);
    this.name = "KitError";
    /** @type {ErrorCode} */
    this.code = code;
    /** What was tried before it came to this. */
    this.attempts = options?.attempts ?? [];
    /** The parameter that was wrong, where there is one. @type {string | null} */
    this.param = options?.param ?? null;
  }

  /** @returns {400 | 500} as OpenAI's API answers: whether the request was wrong, or what should have answered it */
  get status() {
    return requestErrors.has(this.code) ? 400 : 500;
  }

  /** @returns {string} as OpenAI's API calls it */
  get type() {
    return this.status === 400 ? "invalid_request_error" : "server_error";
  }

  /**
   * As OpenAI's API puts it.
   * @returns {{message: string, type: string, code: string, param: string | null}}
   */
  get error() {
    const code = this.code === "context-full" ? "context_length_exceeded" : this.code.replaceAll("-", "_");
    return { message: this.message, type: this.type, code, param: this.param };
  }
}

/**
 * What is left of an error after it crossed from the worker to the page.
 * @typedef {{code: ErrorCode | "aborted", message: string, fatal: boolean, param?: string}} PortableError
 */

/**
 * The words of anything that was thrown. Emscripten throws bare numbers for C++ exceptions.
 * @param {unknown} error
 * @returns {string}
 */
export function describeError(error) {
  if (typeof error === "number") return "ONNX Runtime threw a C++ exception, most often because memory ran out";
  return error instanceof Error ? error.message : String(error);
}

/**
 * @param {string} words
 * @returns {string} with a full stop, unless it has one
 */
export function asSentence(words) {
  return /[.!?]$/.test(words) ? words : `${words}.`;
}

/**
 * Make an error ready for `postMessage`. `fatal` means that the worker's wasm heap cannot be trusted any more.
 * @param {unknown} error
 * @param {ErrorCode} fallbackCode  the code for errors that are not ours
 * @returns {PortableError}
 */
export function packError(error, fallbackCode) {
  if (isAbort(error)) return { code: "aborted", message: "Cancelled.", fatal: false };
  const message = describeError(error);
  if (error instanceof KitError) {
    return { code: error.code, message, fatal: isFatal(error.cause), param: error.param ?? undefined };
  }
  return { code: fallbackCode, message, fatal: isFatal(error) };
}

/**
 * @param {PortableError} portable
 * @returns {Error}
 */
export function unpackError(portable) {
  if (portable.code === "aborted") return new DOMException(portable.message, "AbortError");
  return new KitError(portable.code, portable.message, { param: portable.param });
}

/**
 * @param {unknown} error
 * @returns {boolean}
 */
export function isAbort(error) {
  return error instanceof Error && error.name === "AbortError";
}

/**
 * @param {unknown} error
 * @returns {boolean}
 */
function isFatal(error) {
  if (typeof error === "number" || error instanceof WebAssembly.RuntimeError) return true;
  return error instanceof Error && /Aborted\(|memory access out of bounds|out of memory/i.test(error.message);
}
