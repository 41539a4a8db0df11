/** Indexes that were made ahead (`webgpu-kit index`) and came with the page: what there is, and one of them, fetched. */

import { fetchFiles } from "./kit/chunks.js";
import { formatPart } from "./kit/ui/format.js";

/**
 * @typedef {object} PublishedIndex  as the site's manifest lists it
 * @property {string} name
 * @property {number} documents
 * @property {number} passages
 * @property {import("./kit/search/index-file.js").IndexModel} model
 * @property {import("./kit/types.js").File} file
 */

/** The site's own manifest: those of its models lie in folders beside it. */
const siteManifest = new URL("./model/manifest.json", document.baseURI).href;

/** @returns {Promise<PublishedIndex[]>} */
export async function listPublished() {
  const response = await fetch(siteManifest, { cache: "no-cache" });
  if (!response.ok) throw new Error(`${siteManifest} could not be downloaded: the server answered ${response.status}.`);
  return (await response.json()).indexes ?? [];
}

/**
 * @param {PublishedIndex} index
 * @param {(words: string) => void} onWait  told what is going on
 * @returns {Promise<Uint8Array<ArrayBuffer>>}
 */
export async function fetchPublished({ name, file }, onWait) {
  const onProgress = (/** @type {import("./kit/chunks.js").Transfer} */ { loadedBytes, totalBytes }) =>
    onWait(`Fetching ${name}: ${formatPart(loadedBytes, totalBytes)}`);
  const [bytes] = await fetchFiles([{ file, baseUrl: siteManifest }], { onProgress });
  return bytes;
}
