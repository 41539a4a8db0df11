/**
 * The page's side of the search worker: every method of `SearchService`, as a promise.
 *
 * @typedef {import("./service.js").SearchService} SearchService
 * @typedef {{[Name in "open" | "openPublished" | "contents" | "list" | "add" | "remove" | "delete" | "read" | "search" | "weigh" | "exportFile" | "importFile"]:
 *   (...given: Parameters<SearchService[Name]>) => Promise<Awaited<ReturnType<SearchService[Name]>>>}} SearchIndex
 */

import { KitError, unpackError } from "../errors.js";

const methods = /** @type {const} */ ([
  ...["open", "openPublished", "contents", "list", "add", "remove"],
  ...["delete", "read", "search", "weigh", "exportFile", "importFile"],
]);

/**
 * Start the worker. It lives as long as the page.
 * @returns {SearchIndex}
 */
export function startSearch() {
  const worker = new Worker(new URL("./worker.js", import.meta.url), { type: "module", name: "webgpu-kit-search" });
  /** @type {Map<number, {resolve: (value: any) => void, reject: (error: unknown) => void}>} */
  const pending = new Map();
  let lastId = 0;

  worker.addEventListener("message", ({ data: { id, result, error } }) => {
    const waiting = pending.get(id);
    pending.delete(id);
    if (error) waiting?.reject(unpackError(error));
    else waiting?.resolve(result);
  });
  worker.addEventListener("error", (event) => {
    event.preventDefault(); // it is reported through the promises that wait
    const detail = event.message || "its files could not be loaded";
    for (const { reject } of pending.values()) reject(new KitError("worker", `The search could not go on: ${detail}.`));
    pending.clear();
  });

  /** @param {string} method @param {unknown} params */
  const call = (method, params) =>
    new Promise((resolve, reject) => {
      pending.set(++lastId, { resolve, reject });
      worker.postMessage({ id: lastId, method, params });
    });
  const entries = methods.map((method) => [method, (/** @type {unknown} */ params) => call(method, params)]);
  return /** @type {SearchIndex} */ (Object.fromEntries(entries));
}

/**
 * @param {import("../types.js").Manifest} manifest
 * @param {string} variant
 * @returns {import("./index-file.js").IndexModel} what an index says of the model that made it
 */
export function identifyModel({ name, source, settings }, variant) {
  return { name, sha256: source.sha256, variant, dimensions: settings.dimensions };
}
