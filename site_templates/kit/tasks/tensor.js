/**
 * Task `tensor`: any ONNX graph, tensors in and out.
 *
 * @typedef {import("../types.js").Tensors} Tensors
 * @typedef {import("../task.js").TaskContext} TaskContext
 */

import { KitError } from "../errors.js";
import { checkTensor } from "../tensors.js";

/**
 * @param {{inputs: Tensors}} input
 * @param {TaskContext} context
 * @returns {Tensors}
 */
export function encode(input, { manifest }) {
  const specs = manifest.interface.inputs;
  const given = input?.inputs ?? {};
  const unknown = Object.keys(given).filter((name) => !specs.some((spec) => spec.name === name));
  if (unknown.length) {
    throw new KitError(
      "bad-input",
      `The model has no input ${unknown.join(", ")}. It has: ${specs.map(({ name }) => name).join(", ")}.`,
    );
  }
  return Object.fromEntries(specs.map((spec) => [spec.name, checkInput(given[spec.name], spec)]));
}

/**
 * @param {unknown} value
 * @param {import("../types.js").TensorSpec} spec
 * @returns {import("../tensors.js").Tensor}
 */
function checkInput(value, { name, dtype, shape }) {
  if (!value) throw new KitError("bad-input", `The input "${name}" (${dtype} [${shape.join(", ")}]) is missing.`);
  const tensor = checkTensor(value, `The input "${name}"`);
  if (tensor.dtype !== dtype) {
    throw new KitError("bad-input", `The input "${name}" must be ${dtype}, not ${tensor.dtype}.`);
  }
  const fits =
    shape.length === tensor.shape.length &&
    shape.every((size, axis) => typeof size === "string" || size === tensor.shape[axis]);
  if (!fits) {
    throw new KitError(
      "bad-input",
      `The input "${name}" must have the shape [${shape.join(", ")}], not [${tensor.shape.join(", ")}].`,
    );
  }
  return tensor;
}

/** @returns {{}} the outputs are the whole answer */
export function decode() {
  return {};
}
