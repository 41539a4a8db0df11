/** Embeddings by text, and how alike two of them are. */

/** Texts whose embeddings are kept; each is a few kilobytes. */
const MOST_KEPT = 1000;

/** Remembers the embedding of every text it has seen, so that an edit costs one sentence, not all. */
export class EmbeddingCache {
  /** @type {Map<string, Float32Array>} */
  #known = new Map();

  /**
   * @param {string[]} texts
   * @returns {string[]} those without an embedding yet, each once
   */
  findMissing(texts) {
    return [...new Set(texts)].filter((text) => !this.#known.has(text));
  }

  /**
   * @param {string[]} texts
   * @param {Float32Array[]} embeddings of the same length
   */
  keep(texts, embeddings) {
    texts.forEach((text, index) => this.#known.set(text, embeddings[index]));
    for (const oldest of this.#known.keys()) {
      if (this.#known.size <= MOST_KEPT) break;
      this.#known.delete(oldest);
    }
  }

  /**
   * @param {string} a
   * @param {string} b
   * @returns {number | null} cosine of their embeddings, -1 to 1; null while one is missing
   */
  compare(a, b) {
    const one = this.#known.get(a);
    const other = this.#known.get(b);
    return one && other ? dot(one, other) : null;
  }
}

/**
 * The model normalizes its embeddings, so their dot product is the cosine.
 *
 * @param {Float32Array} a
 * @param {Float32Array} b
 * @returns {number}
 */
function dot(a, b) {
  let sum = 0;
  for (let index = 0; index < a.length; index += 1) sum += a[index] * b[index];
  return sum;
}
