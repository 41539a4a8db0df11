/** Numbers, of which the smallest comes out first. */
export class NumberHeap {
  /** @type {number[]} */
  #values = [];

  /** @param {number} value */
  push(value) {
    const values = this.#values;
    let place = values.push(value) - 1;
    while (place > 0) {
      const parent = (place - 1) >> 1;
      if (values[parent] <= value) break;
      values[place] = values[parent];
      place = parent;
    }
    values[place] = value;
  }

  /** @returns {number | undefined} nothing when there is none left */
  pop() {
    const values = this.#values;
    const top = values[0];
    const last = values.pop();
    if (last === undefined || !values.length) return top;
    let place = 0;
    for (;;) {
      let child = 2 * place + 1;
      if (child >= values.length) break;
      if (child + 1 < values.length && values[child + 1] < values[child]) child++;
      if (values[child] >= last) break;
      values[place] = values[child];
      place = child;
    }
    values[place] = last;
    return top;
  }
}
