/**
 * Task `image-classification`: pixels in as the canvas gives them, labels with scores out. All arithmetic is in the
 * graph.
 *
 * @typedef {import("../types.js").Tensors} Tensors
 * @typedef {import("../task.js").TaskContext} TaskContext
 * @typedef {{width: number, height: number, data: Uint8ClampedArray}} Pixels  what ImageData is
 */

import { KitError } from "../errors.js";
import { checkTensor, toFloat32 } from "../tensors.js";

/**
 * @param {{image: Pixels | import("../tensors.js").Tensor}} input
 * @returns {Tensors}
 */
export function encode(input) {
  const image = checkTensor(fromPixels(input?.image), "The image");
  const [height, width, channels] = image.shape;
  if (image.dtype !== "uint8" || image.shape.length !== 3 || channels !== 4) {
    throw new KitError("bad-input", `The image must be uint8 [height, width, 4], not ${image.dtype} [${image.shape}].`);
  }
  if (height * width === 0) throw new KitError("bad-input", `The image is empty: ${width} x ${height} pixels.`);
  return { image };
}

/**
 * @param {any} image
 * @returns {unknown} a tensor, or whatever else was given
 */
function fromPixels(image) {
  if (!(image?.data instanceof Uint8ClampedArray) || image.shape) return image;
  const { buffer, byteOffset, length } = image.data;
  return { dtype: "uint8", shape: [image.height, image.width, 4], data: new Uint8Array(buffer, byteOffset, length) };
}

/**
 * @param {Tensors} outputs
 * @param {TaskContext} context
 * @returns {{labels: {label: string, index: number, score: number}[]}} best first
 */
export function decode({ probabilities }, { manifest }) {
  /** @type {string[]} */
  const names = manifest.settings.labels ?? [];
  const scores = Array.from(toFloat32(probabilities), (score, index) => ({
    label: names[index] ?? `class ${index}`,
    index,
    score,
  }));
  return { labels: scores.sort((left, right) => right.score - left.score || left.index - right.index) };
}
