/** What is wrong with a request, in words. */

import { KitError } from "../errors.js";

/**
 * @param {string} param
 * @param {string} message
 * @returns {KitError}
 */
export function bad(param, message) {
  return new KitError("bad-input", message, { param });
}

/**
 * @param {string} param
 * @param {string} message
 * @returns {KitError}
 */
export function unsupported(param, message) {
  return new KitError("unsupported", message, { param });
}

/**
 * @param {unknown} value
 * @returns {string} short
 */
export function describe(value) {
  const words = typeof value === "number" ? String(value) : JSON.stringify(value); // JSON has no NaN
  return (words ?? String(value)).slice(0, 80);
}
