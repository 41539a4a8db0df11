/** The worker that searches: the page stays free while thousands of passages are compared, kept and read. */

import { KitError, packError } from "../errors.js";
import { collectBuffers } from "../tensors.js";
import { SearchService } from "./service.js";
import { Store } from "./store.js";

/** @typedef {{id: number, method: keyof SearchService, params: any}} SearchRequest */

const service = openService();

/** @returns {Promise<SearchService>} */
async function openService() {
  try {
    return new SearchService(await Store.open());
  } catch (error) {
    if (!(error instanceof KitError)) throw error;
    return new SearchService(null, error.message);
  }
}

self.addEventListener("message", async ({ data }) => {
  const { id, method, params } = /** @type {SearchRequest} */ (data);
  // The page's types are in force here; in a worker the second argument is the list of buffers to hand over.
  const post = /** @type {(message: unknown, transfer?: Transferable[]) => void} */ (/** @type {unknown} */ (self.postMessage));
  try {
    const result = await /** @type {any} */ (await service)[method](params);
    post({ id, result }, method === "exportFile" ? collectBuffers(result) : []);
  } catch (error) {
    post({ id, error: packError(error, "worker") });
  }
});
