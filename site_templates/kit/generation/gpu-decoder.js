/**
 * The decode loop's model on WebGPU. Keys and values stay on the GPU, in buffers that are the graph's input and its
 * output at once: each run writes its new rows in place (GroupQueryAttention sees that past and present are one
 * buffer). Per token two small inputs go up and a short list of likely tokens comes back, through one map; the logits
 * themselves only where the list leaves open which token is drawn.
 *
 * `enableGraphCapture` does not hold here: with it ONNX Runtime Web 1.30 refuses inputs from the CPU ("Buffer is not
 * registered"), and with both of them on the GPU, the mask growing by one a token, it aborts.
 *
 * @typedef {import("./decoder-shape.js").DecoderShape} DecoderShape
 * @typedef {import("onnxruntime-common").Tensor} OrtTensor
 */

import { KitError, describeError } from "../errors.js";
import { GpuShortlist, mapModeRead, usages } from "./gpu-shortlist.js";
import { capacity } from "./shortlist-layout.js";
import { longestPart } from "./token-cache.js";

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
  #ids = new BigInt64Array(longestPart);

  /**
   * @param {import("../session.js").Session} session
   * @param {DecoderShape} shape
   * @param {GPUDevice} device
   * @param {GPUBuffer} logits
   * @param {GpuShortlist} shortlist
   */
  constructor(session, shape, device, logits, shortlist) {
    this.session = session;
    this.shape = shape;
    this.device = device;
    this.logits = logits;
    this.shortlist = shortlist;
    const size = shape.vocabulary * 4;
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
    /** @type {GPUDevice} */
    const device = await session.ort.env.webgpu.device;
    const { vocabulary } = shape;
    const logits = device.createBuffer({ size: vocabulary * 4, usage: usages.storage | usages.copySource });
    const shortlist = await GpuShortlist.open(device, vocabulary, logits);
    return new GpuDecoder(session, shape, device, logits, shortlist);
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
   */
  async run(ids, past) {
    const { Tensor } = this.session.ort;
    const total = past + ids.length;
    for (let place = 0; place < ids.length; place++) this.#ids[place] = BigInt(ids[place]);
    this.#feeds.input_ids = new Tensor("int64", this.#ids.subarray(0, ids.length), [1, ids.length]);
    this.#feeds.attention_mask = new Tensor("int64", this.#mask.subarray(0, total), [1, total]);
    await guard(this.session.session.run(this.#feeds, this.#fetches));
  }

  /** ONNX Runtime hands work over without waiting for it; too much of it in the queue could not be stopped. */
  async settle() {
    await this.device.queue.onSubmittedWorkDone();
  }

  /**
   * @param {import("./sampler.js").Sampler} sampler
   * @returns {Promise<number>}
   */
  async pick(sampler) {
    if (sampler.topK <= capacity) {
      const id = sampler.pickListed(await guard(this.shortlist.make(sampler)));
      if (id >= 0) return id;
    }
    return sampler.pick(await this.readLogits());
  }

  /** @returns {Promise<Float32Array>} */
  async readLogits() {
    const encoder = this.device.createCommandEncoder();
    encoder.copyBufferToBuffer(this.logits, 0, this.staging, 0, this.staging.size);
    this.device.queue.submit([encoder.finish()]);
    await guard(this.staging.mapAsync(mapModeRead));
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

/**
 * @template Result
 * @param {Promise<Result>} work
 * @returns {Promise<Result>}
 */
async function guard(work) {
  try {
    return await work;
  } catch (error) {
    throw new KitError("run", `ONNX Runtime failed while computing: ${describeError(error)}`, { cause: error });
  }
}
