/**
 * The public face of the kit:
 *
 *     import { load } from "./kit/kit.js";
 *     const model = await load("./model/manifest.json", { onProgress });
 *     const answer = await model.run({ image });
 *
 * @typedef {import("./types.js").Manifest} Manifest
 * @typedef {import("./types.js").Progress} Progress
 * @typedef {import("./candidates.js").Choice} Choice
 *
 * @typedef {object} LoadOptions
 * @property {"auto" | import("./types.js").Backend} [backend]
 * @property {string} [variant]  a name, or "auto"
 * @property {(progress: Progress) => void} [onProgress]
 * @property {AbortSignal} [signal]
 * @property {boolean} [announce]  whether <html>'s attributes tell of this model; for one beside the page's first, false
 */

import { listCandidates } from "./candidates.js";
import { WorkerClient } from "./client.js";
import { KitError, describeError } from "./errors.js";
import { Model } from "./model.js";
import { showStatus } from "./status.js";
import { Walk } from "./walk.js";

export { KitError } from "./errors.js";
export { Model } from "./model.js";
export { decodeTensor, encodeTensor, fromNumbers, toFloat32 } from "./tensors.js";

/** The manifest's version that this kit reads. */
const schemaVersion = 1;

const runtimeUrl = new URL("../runtime/", import.meta.url).href;

/**
 * Load the best variant of a model that this browser can run, and test it against a recorded answer.
 * @param {string | URL} manifestPath  relative to the page
 * @param {LoadOptions} [options]
 * @returns {Promise<Model>}
 */
export async function load(manifestPath, options = {}) {
  const startMs = performance.now();
  const show = options.announce === false ? () => {} : showStatus;
  show("loading", { backend: "", variant: "", reason: "" });
  try {
    return await openModel(new URL(manifestPath, document.baseURI).href, options, startMs, show);
  } catch (error) {
    show("failed", {
      backend: "",
      variant: "",
      reason: options.signal?.aborted ? "Loading was cancelled." : describeError(error),
    });
    throw error;
  }
}

/**
 * @param {string} manifestUrl
 * @param {LoadOptions} options
 * @param {number} startMs
 * @param {typeof showStatus} show
 * @returns {Promise<Model>}
 */
async function openModel(manifestUrl, options, startMs, show) {
  const { signal, onProgress = () => {} } = options;
  signal?.throwIfAborted();
  onProgress({ stage: "probe", file: "", loadedBytes: 0, totalBytes: 0, bytesPerSecond: 0, variant: "", backend: "" });
  const client = new WorkerClient(onProgress);
  const abort = () => client.end(signal?.reason);
  signal?.addEventListener("abort", abort, { once: true });
  try {
    const [device, manifest, runtime] = await Promise.all([
      client.request("probe"),
      fetchManifest(manifestUrl, signal),
      fetchJson(new URL("runtime.json", runtimeUrl).href, signal),
    ]);
    const plan = listCandidates(manifest, device, readChoice(options, new URLSearchParams(location.search), manifest));
    const walk = new Walk({ manifest, manifestUrl, runtime, runtimeUrl }, device, plan, onProgress);
    return new Model(walk, await walk.open({ client, signal }), startMs, show);
  } catch (error) {
    client.end(error);
    throw error;
  } finally {
    signal?.removeEventListener("abort", abort);
  }
}

/**
 * What the caller leaves open, the page's address may decide: `?backend=wasm&variant=q8`. The variant is one of the
 * page's first model; a model beside that may have no such.
 * @param {LoadOptions} options
 * @param {URLSearchParams} query
 * @param {Manifest} manifest
 * @returns {Choice}
 */
function readChoice({ backend = "auto", variant = "auto", announce = true }, query, manifest) {
  const asked = /** @type {Choice["backend"]} */ (query.get("backend") || "auto");
  const named = query.get("variant") || "auto";
  const isMeant = announce || manifest.variants.some(({ name }) => name === named);
  return {
    backend: backend === "auto" ? asked : backend,
    variant: variant === "auto" && isMeant ? named : variant,
  };
}

/**
 * @param {string} url
 * @param {AbortSignal} [signal]
 * @returns {Promise<Manifest>}
 */
async function fetchManifest(url, signal) {
  const manifest = await fetchJson(url, signal);
  if (manifest?.schema !== schemaVersion) {
    throw new KitError(
      "bad-manifest",
      `${url} has schema ${manifest?.schema}, this page reads ${schemaVersion}. Build the site again.`,
    );
  }
  return manifest;
}

/**
 * The two files whose names carry no hash: always asked for anew.
 * @param {string} url
 * @param {AbortSignal} [signal]
 * @returns {Promise<any>}
 */
async function fetchJson(url, signal) {
  /** @type {Response} */
  let response;
  try {
    response = await fetch(url, { cache: "no-cache", signal });
  } catch (error) {
    if (signal?.aborted) throw error;
    throw new KitError("download", `${url} could not be downloaded: ${describeError(error)}.`, { cause: error });
  }
  if (!response.ok)
    throw new KitError("download", `${url} could not be downloaded: the server answered ${response.status}.`);
  try {
    return await response.json();
  } catch (error) {
    throw new KitError("bad-manifest", `${url} is not JSON: ${describeError(error)}.`, { cause: error });
  }
}
