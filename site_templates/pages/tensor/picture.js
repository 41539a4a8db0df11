/** A small picture of a tensor that looks like an image or a matrix. */

import { readerOf } from "./statistics.js";

const SMALLEST_SIDE = 4;
const LONGEST_SHOWN = 512;

/** @typedef {import("./kit/tensors.js").Tensor} Tensor */
/** @typedef {{rowStep: number, columnStep: number, channelStep: number}} Steps in numbers, from one to its neighbour */
/** @typedef {{height: number, width: number, channels: number} & Steps} Plane */

/**
 * @param {Tensor} tensor
 * @param {{min: number, max: number}} range becomes black and white
 * @returns {HTMLCanvasElement | null} null where a picture would mean nothing
 */
export function drawTensor(tensor, { min, max }) {
  const plane = findPlane(tensor.shape);
  if (!plane || !Number.isFinite(min) || !Number.isFinite(max)) return null;
  const shrink = Math.max(1, Math.ceil(Math.max(plane.width, plane.height) / LONGEST_SHOWN));
  const canvas = document.createElement("canvas");
  canvas.width = Math.floor(plane.width / shrink);
  canvas.height = Math.floor(plane.height / shrink);
  const context = canvas.getContext("2d");
  if (!context || canvas.width === 0 || canvas.height === 0) return null;
  const image = context.createImageData(canvas.width, canvas.height);
  const read = readerOf(tensor);
  const scale = max > min ? 255 / (max - min) : 0;
  for (let y = 0; y < canvas.height; y += 1) {
    for (let x = 0; x < canvas.width; x += 1) {
      const from = y * shrink * plane.rowStep + x * shrink * plane.columnStep;
      for (let channel = 0; channel < 3; channel += 1) {
        const value = read(from + Math.min(channel, plane.channels - 1) * plane.channelStep);
        image.data[4 * (y * canvas.width + x) + channel] = (value - min) * scale;
      }
      image.data[4 * (y * canvas.width + x) + 3] = 255;
    }
  }
  context.putImageData(image, 0, 0);
  return canvas;
}

/**
 * The first image in the tensor: channels first, channels last, or a plain matrix.
 *
 * @param {number[]} shape
 * @returns {Plane | null}
 */
function findPlane(shape) {
  if (shape.length < 2 || shape.includes(0)) return null;
  const [c = 1, b, a] = shape.slice(-3).length === 3 ? shape.slice(-3) : [1, ...shape];
  /** @type {Plane} */
  const last = { height: c, width: b, channels: a, rowStep: b * a, columnStep: a, channelStep: 1 };
  if (shape.length >= 3 && (a === 3 || a === 4 || a === 1) && isLarge(last)) return { ...last, channels: Math.min(a, 3) };
  /** @type {Plane} */
  const first = { height: b, width: a, channels: c === 3 || c === 4 ? 3 : 1, rowStep: a, columnStep: 1, channelStep: b * a };
  return isLarge(first) ? first : null;
}

/** @param {Plane} plane @returns {boolean} whether there is something to see, and not a line */
function isLarge({ height, width }) {
  return Math.min(height, width) >= SMALLEST_SIDE && Math.max(height, width) <= 64 * Math.min(height, width);
}
