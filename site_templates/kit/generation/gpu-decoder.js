/**
 * The decode loop's model on WebGPU. Keys and values stay on the GPU, in buffers that are the graph's input and its
 * output at once: each run writes its new rows in place (GroupQueryAttention sees that past and present are one
 * buffer). Per run two small inputs go up and one row of logits comes back, through one map.
 *
 * @typedef {import("./decoder-shape.js").DecoderShape} DecoderShape
 * @typedef {import("onnxruntime-common").Tensor} OrtTensor
 */

import { KitError, describeError } from "../errors.js";

/** WebGPU's own numbers for them. */
const usages = Object.freeze({ mapRead: 1, copySource: 4, copyTarget: 8, storage: 128 });
const mapModeRead = 1;

/** A graph with its cache. Implements Decoder in token-cache.js. */
export class GpuDecoder {
  /** @type {GPUBuffer[]} in the order of shape.cacheNames */
  #cache = [];
  #capacity = 0;
  /** @type {Record<string, OrtTensor>} */
  #feeds = {};
  /** @type {Record<string, OrtTensor>} */
  #fetches = {};
  #mask = new BigInt64Array(0);

  /**
   * @param {import("../session.js").Session} session
   * @param {DecoderShape} shape
   * @param {GPUDevice} device
   */
  constructor(session, shape, device) {
    this.session = session;
    this.shape = shape;
    this.device = device;
    const size = shape.vocabulary * 4;
    this.logits = device.createBuffer({ size, usage: usages.storage | usages.copySource });
    this.staging = device.createBuffer({ size, usage: usages.mapRead | usages.copyTarget });
    this.row = new Float32Array(shape.vocabulary);
    this.#fetches.logits = this.#wrap(this.logits, "float32", [1, 1, shape.vocabulary]);
  }

  /**
   * @param {import("../session.js").Session} session
   * @param {DecoderShape} shape
   * @returns {Promise<GpuDecoder>}
   */
  static async open(session, shape) {
    return new GpuDecoder(session, shape, await session.ort.env.webgpu.device);
  }

  /**
   * @param {number} capacity  tokens
   * @param {number} used  how many of the old cache's tokens to keep
   */
  resize(capacity, used) {
    const old = this.#cache;
    const usage = usages.storage | usages.copySource | usages.copyTarget;
    const size = this.shape.cacheBytes(capacity);
    this.#cache = this.shape.cacheNames.map(() => this.device.createBuffer({ size, usage }));
    if (used) this.#copyRows(old, capacity, used);
    for (const buffer of old) buffer.destroy();
    this.#capacity = capacity;
    this.#mask = new BigInt64Array(capacity).fill(1n);
    this.shape.cacheNames.forEach((name, index) => {
      const tensor = this.#wrap(this.#cache[index], this.shape.dtype, this.shape.cacheDims(capacity));
      this.#feeds[`past_key_values.${name}`] = tensor;
      this.#fetches[`present.${name}`] = tensor;
    });
  }

  /**
   * @param {readonly number[]} ids
   * @param {number} past
   * @returns {Promise<Float32Array>}
   */
  async run(ids, past) {
    const { Tensor } = this.session.ort;
    const total = past + ids.length;
    this.#feeds.input_ids = new Tensor("int64", BigInt64Array.from(ids, BigInt), [1, ids.length]);
    this.#feeds.attention_mask = new Tensor("int64", this.#mask.subarray(0, total), [1, total]);
    try {
      await this.session.session.run(this.#feeds, this.#fetches);
      return await this.#readLogits();
    } catch (error) {
      throw new KitError("run", `ONNX Runtime failed while computing: ${describeError(error)}`, { cause: error });
    }
  }

  /** @returns {Promise<Float32Array>} */
  async #readLogits() {
    const encoder = this.device.createCommandEncoder();
    encoder.copyBufferToBuffer(this.logits, 0, this.staging, 0, this.staging.size);
    this.device.queue.submit([encoder.finish()]);
    await this.staging.mapAsync(mapModeRead);
    this.row.set(new Float32Array(this.staging.getMappedRange()));
    this.staging.unmap();
    return this.row;
  }

  /**
   * @param {GPUBuffer[]} old
   * @param {number} capacity
   * @param {number} used
   */
  #copyRows(old, capacity, used) {
    const { heads, rowBytes } = this.shape;
    const encoder = this.device.createCommandEncoder();
    old.forEach((buffer, index) => {
      for (let head = 0; head < heads; head++) {
        const from = head * this.#capacity * rowBytes;
        encoder.copyBufferToBuffer(buffer, from, this.#cache[index], head * capacity * rowBytes, used * rowBytes);
      }
    });
    this.device.queue.submit([encoder.finish()]);
  }

  /**
   * @param {GPUBuffer} buffer
   * @param {"float32" | "float16"} dataType
   * @param {number[]} dims
   * @returns {OrtTensor}
   */
  #wrap(buffer, dataType, dims) {
    // The two packages that name GPUBuffer know different years of it.
    return this.session.ort.Tensor.fromGpuBuffer(/** @type {any} */ (buffer), { dataType, dims });
  }
}
