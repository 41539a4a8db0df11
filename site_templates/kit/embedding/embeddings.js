/**
 * `model.embeddings.create`, as OpenAI's API has it.
 *
 * @typedef {import("./request.js").CreateEmbeddingOptions} CreateEmbeddingOptions
 * @typedef {import("../types.js").EmbedRequest} EmbedRequest
 * @typedef {import("../types.js").EmbedAnswer} EmbedAnswer
 * @typedef {(request: EmbedRequest, options: {signal?: AbortSignal}) => Promise<EmbedAnswer>} Embed
 *
 * @typedef {{object: "embedding", index: number, embedding: number[]}} Embedding
 * @typedef {object} EmbeddingList
 * @property {"list"} object
 * @property {Embedding[]} data  with `encoding_format: "base64"` each `embedding` is a text: little-endian float32
 * @property {string} model
 * @property {{prompt_tokens: number, total_tokens: number}} usage
 */

import { readEmbeddingRequest } from "./request.js";

/** What `model.embeddings` is. */
export class Embeddings {
  #embed;
  #manifest;

  /**
   * @param {Embed} embed
   * @param {Pick<import("../types.js").Manifest, "name" | "settings">} manifest
   */
  constructor(embed, manifest) {
    this.#embed = embed;
    this.#manifest = manifest;
  }

  /**
   * One embedding for each input, in their order. An input longer than the model reads is refused, never cut.
   * @param {CreateEmbeddingOptions} options
   * @param {{signal?: AbortSignal | null}} [requestOptions]  where the official client takes its signal
   * @returns {Promise<EmbeddingList>}
   */
  async create(options, requestOptions) {
    const { name, settings } = this.#manifest;
    const { inputs, isBase64 } = readEmbeddingRequest(options, settings.dimensions);
    const signal = options.signal ?? requestOptions?.signal ?? undefined;
    const { embeddings, dimensions, tokenCounts } = await this.#embed({ inputs, cut: false }, { signal });
    const tokens = tokenCounts.reduce((sum, count) => sum + count, 0);
    const data = inputs.map((_, index) => {
      const row = embeddings.subarray(index * dimensions, (index + 1) * dimensions);
      // Typed as numbers even when it is a text: so does the official client.
      const embedding = /** @type {number[]} */ (isBase64 ? /** @type {unknown} */ (toBase64(row)) : Array.from(row));
      return { object: /** @type {const} */ ("embedding"), index, embedding };
    });
    return { object: "list", data, model: options.model ?? name, usage: { prompt_tokens: tokens, total_tokens: tokens } };
  }
}

/**
 * @param {Float32Array} values
 * @returns {string} their bytes, little-endian
 */
function toBase64(values) {
  const view = new DataView(new ArrayBuffer(values.length * 4));
  values.forEach((value, index) => view.setFloat32(index * 4, value, true));
  return btoa(String.fromCharCode(...new Uint8Array(view.buffer)));
}
