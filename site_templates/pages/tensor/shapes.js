/** Shapes as the page shows them. */

/**
 * @param {readonly (number | string)[]} shape
 * @returns {string} for example "1 × 3 × height × width", "scalar"
 */
export function formatShape(shape) {
  return shape.length === 0 ? "scalar" : shape.map((size) => (size === "" ? "?" : String(size))).join(" × ");
}

/**
 * The sizes to start with: what the settings say where it fits, else the fixed sizes and 1 for every named one.
 *
 * @param {readonly (number | string)[]} shape from the interface
 * @param {readonly number[]} [preferred]
 * @returns {number[]}
 */
export function startShape(shape, preferred) {
  if (preferred && fitsShape(shape, preferred)) return [...preferred];
  return shape.map((size) => (typeof size === "number" ? size : 1));
}

/**
 * @param {readonly (number | string)[]} shape from the interface
 * @param {readonly number[]} sizes
 * @returns {boolean} whether `sizes` is one of the shapes that the interface allows
 */
export function fitsShape(shape, sizes) {
  return shape.length === sizes.length && shape.every((size, axis) => typeof size === "string" || size === sizes[axis]);
}
