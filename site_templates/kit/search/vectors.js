/**
 * Exact search by meaning: the dot product of a question with every passage. A matrix product through ONNX Runtime would
 * first have to copy them all.
 */

import { bindProgram } from "./dot-program.js";

const pageBytes = 65536;
/** Memory grows in such steps. */
const stepPages = 16;

/** Rows of float32, all of one length, in memory that grows: the query, the rows, then the scores of the last search. */
export class VectorTable {
  #memory = new WebAssembly.Memory({ initial: 1 });
  #multiply = bindProgram(this.#memory);
  #stride;
  count = 0;

  /** @param {number} dimensions */
  constructor(dimensions) {
    this.dimensions = dimensions;
    this.#stride = Math.ceil(dimensions / 8) * 8; // numbers from row to row: zeros fill it up
  }

  /** @param {Float32Array} rows  one or more, one after the other */
  add(rows) {
    const { dimensions } = this;
    if (rows.length % dimensions) throw new RangeError(`${rows.length} numbers are no rows of ${dimensions}.`);
    const added = rows.length / dimensions;
    const values = this.#reserve(this.count + added);
    const start = (this.count + 1) * this.#stride;
    if (this.#stride === dimensions) values.set(rows, start);
    else {
      values.fill(0, start, start + added * this.#stride); // scores were written there
      for (let row = 0; row < added; row++) {
        values.set(rows.subarray(row * dimensions, (row + 1) * dimensions), start + row * this.#stride);
      }
    }
    this.count += added;
  }

  /** Forget all rows; their memory stays for the next. */
  clear() {
    this.count = 0;
  }

  /**
   * @param {Float32Array} query  one row
   * @returns {Float32Array} its dot product with every row: the cosine, where both are normalized
   */
  score(query) {
    const { count, dimensions } = this;
    if (query.length !== dimensions) throw new RangeError(`A query of ${query.length} numbers, not ${dimensions}.`);
    if (!count) return new Float32Array(0);
    const values = this.#reserve(count);
    values.set(query);
    const rowBytes = this.#stride * 4;
    const scores = (count + 1) * rowBytes;
    this.#multiply(rowBytes, 0, scores, scores + count * 4, rowBytes);
    return values.slice(scores / 4, scores / 4 + count);
  }

  /**
   * @param {number} count  of rows, beside which there is room for the query and the scores
   * @returns {Float32Array} the whole memory
   */
  #reserve(count) {
    const pages = Math.ceil((((count + 1) * this.#stride + count) * 4) / pageBytes);
    const missing = pages - this.#memory.buffer.byteLength / pageBytes;
    if (missing > 0) this.#memory.grow(Math.max(missing, stepPages));
    return new Float32Array(this.#memory.buffer);
  }
}

/**
 * @param {ArrayLike<number>} scores
 * @param {number} count
 * @returns {number[]} the rows with the highest scores, best first; of equals, the earlier
 */
export function pickBest(scores, count) {
  /** @type {number[]} */
  const best = [];
  for (let row = 0; row < scores.length; row++) {
    if (best.length === count && scores[row] <= scores[best[count - 1]]) continue;
    let place = best.length;
    while (place > 0 && scores[best[place - 1]] < scores[row]) place--;
    best.splice(place, 0, row);
    if (best.length > count) best.pop();
  }
  return best;
}
