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
  return (JSON.stringify(value) ?? String(value)).slice(0, 80);
}
