/**
 * `expanded.bin` as ONNX Runtime reads it. Whole, it would be the largest thing in the page's memory, and ONNX Runtime
 * copies every tensor out of it only once: so each is made when it is asked for, in ONNX Runtime's own heap, and the
 * next one takes its place.
 *
 * @typedef {import("./types.js").Expansion} Expansion
 * @typedef {import("./ort-instance.js").OrtInstance} OrtInstance
 */

import { KitError } from "./errors.js";
import { expandTensor, sizeExpansion } from "./expand.js";

/** What stands for the file until the session is there. */
export class ExpandedWeights {
  #pointer = 0;
  #done = 0;
  /** @type {unknown} why a tensor could not be made: ONNX Runtime does not pass it on */
  failure = null;

  /**
   * @param {Uint8Array<ArrayBuffer>} weights
   * @param {Expansion[]} expansions
   * @param {number} bytes  of the whole file
   * @param {() => OrtInstance} findInstance
   * @param {(done: number, total: number) => void} [onProgress]  called after each tensor, with bytes made
   */
  constructor(weights, expansions, bytes, findInstance, onProgress = () => {}) {
    this.weights = weights;
    this.expansions = new Map(expansions.map((expansion) => [expansion.offset, expansion]));
    this.bytes = bytes;
    this.findInstance = findInstance;
    this.onProgress = onProgress;
  }

  /**
   * The file as ONNX Runtime takes it: an array, of which it asks for the length and for parts.
   * @returns {Uint8Array}
   */
  asFile() {
    return Object.defineProperties(new Uint8Array(0), {
      byteLength: { value: this.bytes },
      subarray: { value: (/** @type {number} */ start, /** @type {number} */ end) => this.#read(start, end) },
    });
  }

  /** Let the memory of the last tensor go. */
  release() {
    if (this.#pointer) this.findInstance()._free(this.#pointer);
    this.#pointer = 0;
  }

  /**
   * @param {number} start
   * @param {number} end
   * @returns {Uint8Array} valid until the next call
   */
  #read(start, end) {
    try {
      const expansion = this.expansions.get(start);
      if (!expansion || sizeExpansion(expansion) !== end - start) {
        throw new KitError("bad-manifest", `No tensor of expanded.bin goes from byte ${start} to ${end}.`);
      }
      const target = this.#allocate(expansion, end - start);
      expandTensor(this.weights, expansion, target);
      this.onProgress((this.#done += target.length), this.bytes);
      return target;
    } catch (error) {
      this.failure = error;
      throw error;
    }
  }

  /**
   * @param {Expansion} expansion
   * @param {number} bytes
   * @returns {Uint8Array}
   */
  #allocate({ name }, bytes) {
    this.release();
    const instance = this.findInstance();
    this.#pointer = instance._malloc(bytes) >>> 0;
    if (!this.#pointer) throw new KitError("session", `There is no memory for ${name} (${bytes} bytes).`);
    return instance.HEAPU8.subarray(this.#pointer, this.#pointer + bytes);
  }
}
