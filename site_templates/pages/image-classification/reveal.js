/** Samples that write themselves: ink appears along the way a pen could have taken through it. */

import { PAD_SIZE } from "./ink.js";

const DURATION_MS = 620;
const INK_LEVEL = 24;

/**
 * @typedef {object} Sheet
 * @property {HTMLCanvasElement} canvas PAD_SIZE a side, ink shown so far
 * @property {(share: number) => void} show how much of the ink to show, 0 to 1
 */

/**
 * @param {HTMLImageElement} image light ink on a dark ground
 * @returns {Sheet} with nothing shown yet
 */
export function prepareSheet(image) {
  const canvas = document.createElement("canvas");
  canvas.width = PAD_SIZE;
  canvas.height = PAD_SIZE;
  const context = canvas.getContext("2d", { willReadFrequently: true });
  if (!context) throw new Error("This browser gives no 2D canvas to draw on.");
  context.imageSmoothingQuality = "high";
  context.drawImage(image, 0, 0, PAD_SIZE, PAD_SIZE);
  const whole = context.getImageData(0, 0, PAD_SIZE, PAD_SIZE);
  const order = orderInk(whole.data);
  context.clearRect(0, 0, PAD_SIZE, PAD_SIZE);
  return {
    canvas,
    show(share) {
      const part = new ImageData(new Uint8ClampedArray(whole.data), PAD_SIZE, PAD_SIZE);
      for (let pixel = 0; pixel < order.length; pixel += 1) {
        if (order[pixel] > share) part.data[4 * pixel + 3] = 0;
      }
      context.putImageData(part, 0, 0);
    },
  };
}

/**
 * When each pixel appears, 0 to 1: its distance through the ink from the topmost ink of its piece.
 *
 * @param {Uint8ClampedArray} rgba
 * @returns {Float32Array} one number a pixel; pixels without ink appear last
 */
function orderInk(rgba) {
  const count = rgba.length / 4;
  const order = new Float32Array(count).fill(-1);
  const queue = new Int32Array(count);
  let longest = 1;
  for (let seed = 0; seed < count; seed += 1) {
    if (order[seed] >= 0 || !hasInk(rgba, seed)) continue;
    let head = 0;
    let tail = 1;
    queue[0] = seed;
    order[seed] = 0;
    while (head < tail) {
      const pixel = queue[head];
      head += 1;
      longest = Math.max(longest, order[pixel]);
      for (const next of [pixel - 1, pixel + 1, pixel - PAD_SIZE, pixel + PAD_SIZE]) {
        if (next < 0 || next >= count || order[next] >= 0 || !hasInk(rgba, next)) continue;
        order[next] = order[pixel] + 1;
        queue[tail] = next;
        tail += 1;
      }
    }
  }
  return order.map((steps) => (steps < 0 ? 1 : steps / longest));
}

/**
 * @param {Uint8ClampedArray} rgba
 * @param {number} pixel
 * @returns {boolean}
 */
function hasInk(rgba, pixel) {
  return rgba[4 * pixel] > INK_LEVEL && rgba[4 * pixel + 3] > INK_LEVEL;
}

/** @param {(share: number) => boolean} show gives false to stop early */
export function animate(show) {
  const start = performance.now();
  const step = () => {
    const share = Math.min(1, (performance.now() - start) / DURATION_MS);
    if (show(share) && share < 1) requestAnimationFrame(step);
  };
  step();
}
