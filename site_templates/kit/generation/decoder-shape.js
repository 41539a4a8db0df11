/**
 * What both decoders need to know of the graph: the names of its cache tensors and their sizes.
 *
 * @typedef {import("../types.js").GenerationSettings} GenerationSettings
 */

/** Sizes in bytes unless they say otherwise. */
export class DecoderShape {
  /**
   * @param {GenerationSettings} settings
   */
  constructor({ layers, kv_heads: heads, head_size: headSize, vocabulary, cache_dtype: dtype }) {
    this.heads = heads;
    this.headSize = headSize;
    this.vocabulary = vocabulary;
    this.dtype = dtype;
    /** One token's keys, or values, in one head. */
    this.rowBytes = headSize * (dtype === "float16" ? 2 : 4);
    const layerNames = Array.from({ length: layers }, (_, layer) => [`${layer}.key`, `${layer}.value`]);
    /** Such as 0.key: the input is past_key_values.0.key, the output present.0.key. */
    this.cacheNames = layerNames.flat();
  }

  /**
   * @param {number} capacity  tokens
   * @returns {number} of one cache tensor
   */
  cacheBytes(capacity) {
    return this.heads * capacity * this.rowBytes;
  }

  /**
   * @param {number} capacity  tokens
   * @returns {number[]} [1, heads, capacity, head size]
   */
  cacheDims(capacity) {
    return [1, this.heads, capacity, this.headSize];
  }
}
