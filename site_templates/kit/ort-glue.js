/** Stands before ONNX Runtime's glue, whose address is this module's query: see ort-instance.js. */

import { keepInstance } from "./ort-instance.js";

const { default: start } = await import(decodeURIComponent(new URL(import.meta.url).search.slice(1)));

/**
 * @param {unknown} options
 * @returns {Promise<import("./ort-instance.js").OrtInstance>}
 */
export default async function startAndKeep(options) {
  const instance = await start(options);
  keepInstance(instance);
  return instance;
}
