/**
 * Exact search by meaning: the dot product of a question with every passage. The loop is plain JavaScript, which reads
 * 100,000 rows of 384 numbers in about 25 ms; a matrix product through ONNX Runtime would first have to copy them.
 */

/** Rows of float32, all of one length, in one array that grows. */
export class VectorTable {
  #values = new Float32Array(0);
  count = 0;

  /** @param {number} dimensions */
  constructor(dimensions) {
    this.dimensions = dimensions;
  }

  /** @param {Float32Array} rows  one or more, one after the other */
  add(rows) {
    if (rows.length % this.dimensions) {
      throw new RangeError(`${rows.length} numbers are no rows of ${this.dimensions}.`);
    }
    const used = this.count * this.dimensions;
    if (used + rows.length > this.#values.length) {
      const larger = new Float32Array(Math.max(used + rows.length, this.#values.length * 2));
      larger.set(this.#values.subarray(0, used));
      this.#values = larger;
    }
    this.#values.set(rows, used);
    this.count += rows.length / this.dimensions;
  }

  /**
   * @param {Float32Array} query  one row
   * @returns {Float32Array} its dot product with every row: the cosine, where both are normalized
   */
  score(query) {
    const { count, dimensions } = this;
    if (query.length !== dimensions) throw new RangeError(`A query of ${query.length} numbers, not ${dimensions}.`);
    return multiply(this.#values, query, count, dimensions);
  }
}

/**
 * Four sums at a time: one alone would wait for itself at every step.
 * @param {Float32Array} table  [count, dimensions]
 * @param {Float32Array} query  [dimensions]
 * @param {number} count
 * @param {number} dimensions
 * @returns {Float32Array} [count]
 */
function multiply(table, query, count, dimensions) {
  const scores = new Float32Array(count);
  const whole = dimensions & ~3;
  for (let row = 0, at = 0; row < count; row++, at = row * dimensions) {
    let [first, second, third, fourth] = [0, 0, 0, 0];
    for (let column = 0; column < whole; column += 4) {
      first += table[at + column] * query[column];
      second += table[at + column + 1] * query[column + 1];
      third += table[at + column + 2] * query[column + 2];
      fourth += table[at + column + 3] * query[column + 3];
    }
    for (let column = whole; column < dimensions; column++) first += table[at + column] * query[column];
    scores[row] = first + second + (third + fourth);
  }
  return scores;
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
