/** Numbers of any kind, brought into a tensor's own kind. */

import { arrayTypeOf, fromNumbers } from "./kit/tensors.js";

/**
 * 64-bit integers keep every digit; the others go through JavaScript's numbers.
 *
 * @param {string} dtype
 * @param {number[]} shape
 * @param {ArrayLike<number | bigint>} values that `checkArray` has passed
 * @returns {import("./kit/tensors.js").Tensor}
 */
export function toTensor(dtype, shape, values) {
  if (dtype !== "int64" && dtype !== "uint64") return fromNumbers(dtype, shape, Float64Array.from(values, Number));
  const data = new (arrayTypeOf(dtype))(values.length);
  for (let index = 0; index < values.length; index += 1) data[index] = BigInt(values[index]);
  return { dtype, shape, data };
}
