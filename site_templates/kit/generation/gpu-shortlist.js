/**
 * Makes the short list of a row of logits on the GPU that holds them: three dispatches, one copy and one map.
 *
 * @typedef {import("./sampler.js").Sampler} Sampler
 */

import { Shortlist } from "./shortlist.js";
import { capacity, greedyCapacity, groups, buckets, listBytes } from "./shortlist-layout.js";
import { passes, shader } from "./shortlist-shader.js";

/** WebGPU's own numbers for them. */
export const usages = Object.freeze({ mapRead: 1, copySource: 4, copyTarget: 8, uniform: 64, storage: 128 });
export const mapModeRead = 1;
const largestFactor = 1e30;

/** Reused for every token. */
export class GpuShortlist {
  #list = new Shortlist();
  /** Whose penalties the GPU knows, and how many of its tokens. @type {Sampler | null} */
  #sampler = null;
  #additions = 0;
  /** One block of memory for the shader's settings: whole numbers, then floats. */
  #settings = new ArrayBuffer(32);
  #words = new Uint32Array(this.#settings);
  #floats = new Float32Array(this.#settings);

  /**
   * @param {GPUDevice} device
   * @param {number} vocabulary
   * @param {GPUComputePipeline[]} pipelines
   * @param {GPUBuffer} logits  float32, of one position
   */
  constructor(device, vocabulary, pipelines, logits) {
    const make = (/** @type {number} */ size, /** @type {number} */ usage) => device.createBuffer({ size, usage });
    this.device = device;
    this.pipelines = pipelines;
    this.settings = make(this.#settings.byteLength, usages.uniform | usages.copyTarget);
    this.penalties = make(4 * vocabulary, usages.storage | usages.copyTarget);
    this.mask = make(4 * Math.ceil(vocabulary / 32), usages.storage | usages.copyTarget);
    this.work = make(4 * (groups + buckets), usages.storage);
    this.list = make(listBytes(capacity), usages.storage | usages.copySource);
    this.staging = make(listBytes(capacity), usages.mapRead | usages.copyTarget);
    const buffers = [this.settings, logits, this.penalties, this.mask, this.work, this.list];
    const entries = buffers.map((buffer, binding) => ({ binding, resource: { buffer } }));
    this.bindings = device.createBindGroup({ layout: pipelines[0].getBindGroupLayout(0), entries });
    this.#words[0] = vocabulary;
  }

  /**
   * @param {GPUDevice} device
   * @param {number} vocabulary
   * @param {GPUBuffer} logits
   * @returns {Promise<GpuShortlist>}
   */
  static async open(device, vocabulary, logits) {
    const module = device.createShaderModule({ code: shader });
    const kinds = /** @type {const} */ (["uniform", ...Array(3).fill("read-only-storage"), "storage", "storage"]);
    const entries = kinds.map((type, binding) => ({ binding, visibility: 4, buffer: { type } })); // 4 is compute
    const layout = device.createPipelineLayout({ bindGroupLayouts: [device.createBindGroupLayout({ entries })] });
    const pipelines = passes.map((entryPoint) =>
      device.createComputePipelineAsync({ layout, compute: { module, entryPoint } }),
    );
    return new GpuShortlist(device, vocabulary, await Promise.all(pipelines), logits);
  }

  /**
   * Which tokens `sampler` can choose from, by the logits that the buffer holds.
   * @param {Sampler} sampler
   * @returns {Promise<Shortlist>} valid until the next call
   */
  async make(sampler) {
    const tokens = sampler.sampling.temperature === 0 ? greedyCapacity : capacity;
    this.#describe(sampler, tokens);
    const encoder = this.device.createCommandEncoder();
    const pass = encoder.beginComputePass();
    pass.setBindGroup(0, this.bindings);
    for (const pipeline of this.pipelines) {
      pass.setPipeline(pipeline);
      pass.dispatchWorkgroups(groups);
    }
    pass.end();
    const size = listBytes(tokens);
    encoder.copyBufferToBuffer(this.list, 0, this.staging, 0, size);
    this.device.queue.submit([encoder.finish()]);
    await this.staging.mapAsync(mapModeRead, 0, size);
    this.#list.read(this.staging.getMappedRange(0, size), sampler.penalties);
    this.staging.unmap();
    return this.#list;
  }

  /**
   * Bring the GPU up to date: most often nothing changes, or one word of the penalties. A mask is sent for each token,
   * one bit for each of the vocabulary.
   * @param {Sampler} sampler
   * @param {number} tokens
   */
  #describe(sampler, tokens) {
    const { queue } = this.device;
    const { penalties, mask } = sampler;
    if (mask) {
      const words = Math.min(mask.length, this.mask.size / 4); // a tokenizer may know more tokens than the model
      queue.writeBuffer(this.mask, 0, /** @type {Int32Array<ArrayBuffer>} */ (mask), 0, words);
    }
    if (sampler !== this.#sampler || Number(mask !== null) !== this.#words[3]) this.#writeSettings(sampler, tokens);
    const missing = sampler === this.#sampler ? penalties.additions - this.#additions : Infinity;
    if (penalties.active && missing) {
      if (missing > 1) queue.writeBuffer(this.penalties, 0, penalties.words);
      else queue.writeBuffer(this.penalties, 4 * penalties.latest, penalties.words, penalties.latest, 1);
    }
    this.#sampler = sampler;
    this.#additions = penalties.additions;
  }

  /**
   * @param {Sampler} sampler
   * @param {number} tokens
   */
  #writeSettings({ sampling, penalties, mask }, tokens) {
    this.#words[1] = tokens;
    this.#words[2] = Number(penalties.active);
    this.#words[3] = Number(mask !== null);
    this.#floats[4] = Math.min(1 / sampling.temperature, largestFactor); // not infinite: WGSL need not know that
    this.#floats[5] = penalties.repetition;
    this.#floats[6] = penalties.frequency;
    this.#floats[7] = penalties.presence;
    this.device.queue.writeBuffer(this.settings, 0, this.#settings);
  }
}
