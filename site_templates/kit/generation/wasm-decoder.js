/**
 * The decode loop's model on plain wasm. ONNX Runtime Web's own `run` would copy the whole cache into the wasm heap and
 * out again for every token; here it stays there, in memory that is the graph's input and its output at once: each
 * run writes its new rows in place (GroupQueryAttention sees that past and present are one block).
 *
 * @typedef {import("./decoder-shape.js").DecoderShape} DecoderShape
 */

import { KitError } from "../errors.js";
import { keptInstance } from "../ort-instance.js";
import { OrtHeap } from "./ort-heap.js";
import { longestPart } from "./token-cache.js";

/** Of an int64. */
const idBytes = 8;

/** A graph with its cache. Implements Decoder in token-cache.js. */
export class WasmDecoder {
  /** @type {number[]} data pointers, in the order of shape.cacheNames */
  #cache = [];
  /** @type {number[]} */
  #cacheTensors = [];
  #capacity = 0;
  #mask = 0;

  /**
   * @param {OrtHeap} heap
   * @param {number} handle  of the session
   * @param {DecoderShape} shape
   */
  constructor(heap, handle, shape) {
    this.heap = heap;
    this.handle = handle;
    this.shape = shape;
    const { cacheNames, vocabulary } = shape;
    this.ids = heap.allocate(longestPart * idBytes);
    this.logits = heap.allocate(vocabulary * 4);
    const logitsTensor = heap.createTensor("float32", this.logits, vocabulary * 4, [1, 1, vocabulary]);
    this.inputs = this.#makeLists(["input_ids", "attention_mask"], "past_key_values.", [0, 0]);
    this.outputs = this.#makeLists(["logits"], "present.", [logitsTensor]);
    this.firstCacheInput = this.inputs.count - cacheNames.length;
    this.firstCacheOutput = this.outputs.count - cacheNames.length;
  }

  /**
   * @param {import("../session.js").Session} session
   * @param {DecoderShape} shape
   * @returns {WasmDecoder}
   */
  static open({ session }, shape) {
    const instance = keptInstance();
    const handle = /** @type {any} */ (session).handler?.sessionId;
    if (!instance || typeof handle !== "number") {
      throw new KitError("session", "This build of ONNX Runtime Web does not let the decode loop at its memory.");
    }
    return new WasmDecoder(new OrtHeap(instance), handle, shape);
  }

  /**
   * @param {number} capacity  tokens
   * @param {number} used  how many of the old cache's tokens to keep
   */
  resize(capacity, used) {
    const { heap, shape } = this;
    const bytes = shape.cacheBytes(capacity);
    // One tensor after the other: never two whole caches at a time.
    shape.cacheNames.forEach((_, index) => {
      const data = heap.allocate(bytes);
      if (used) this.#copyRows(this.#cache[index], data, capacity, used);
      if (this.#cache[index]) this.#release(index);
      this.#cache[index] = data;
      this.#cacheTensors[index] = heap.createTensor(shape.dtype, data, bytes, shape.cacheDims(capacity));
      heap.setItem(this.inputs.values, this.firstCacheInput + index, this.#cacheTensors[index]);
      heap.setItem(this.outputs.values, this.firstCacheOutput + index, this.#cacheTensors[index]);
    });
    if (this.#mask) heap.free(this.#mask);
    this.#mask = heap.allocate(capacity * idBytes);
    new BigInt64Array(heap.buffer, this.#mask, capacity).fill(1n);
    this.#capacity = capacity;
  }

  /**
   * @param {readonly number[]} ids
   * @param {number} past
   */
  async run(ids, past) {
    const { heap } = this;
    const total = past + ids.length;
    new BigInt64Array(heap.buffer, this.ids, ids.length).set(ids.map(BigInt));
    const idsTensor = heap.createTensor("int64", this.ids, ids.length * idBytes, [1, ids.length]);
    const maskTensor = heap.createTensor("int64", this.#mask, total * idBytes, [1, total]);
    heap.setItem(this.inputs.values, 0, idsTensor);
    heap.setItem(this.inputs.values, 1, maskTensor);
    try {
      await heap.run(this.handle, this.inputs, this.outputs);
    } finally {
      heap.releaseTensor(idsTensor);
      heap.releaseTensor(maskTensor);
    }
  }

  /** A run here ends when all is computed. */
  async settle() {}

  /**
   * @param {import("./sampler.js").Sampler} sampler
   * @returns {Promise<number>}
   */
  async pick(sampler) {
    return sampler.pick(await this.readLogits());
  }

  /** @returns {Promise<Float32Array>} in the heap itself */
  async readLogits() {
    return new Float32Array(this.heap.buffer, this.logits, this.shape.vocabulary);
  }

  /**
   * @param {number} from
   * @param {number} to
   * @param {number} capacity
   * @param {number} used
   */
  #copyRows(from, to, capacity, used) {
    const { heads, rowBytes } = this.shape;
    const bytes = this.heap.instance.HEAPU8;
    for (let head = 0; head < heads; head++) {
      const start = from + head * this.#capacity * rowBytes;
      bytes.copyWithin(to + head * capacity * rowBytes, start, start + used * rowBytes);
    }
  }

  /**
   * @param {number} index
   */
  #release(index) {
    this.heap.releaseTensor(this.#cacheTensors[index]);
    this.heap.free(this.#cache[index]);
  }

  /**
   * @param {string[]} names
   * @param {string} prefix  of the cache's names
   * @param {number[]} values  tensors, those of the cache aside
   * @returns {{names: number, values: number, count: number}}
   */
  #makeLists(names, prefix, values) {
    const all = [...names, ...this.shape.cacheNames.map((name) => prefix + name)];
    const list = this.heap.allocateList(all.map((name) => this.heap.allocateText(name)));
    return { names: list, values: this.heap.allocateList(all.map((_, index) => values[index] ?? 0)), count: all.length };
  }
}
