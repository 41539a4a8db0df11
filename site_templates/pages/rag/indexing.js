/** From files to an index: each is read, split into passages, embedded and kept, one after the other. */

import { readDocument } from "./kit/documents/read.js";
import { splitText } from "./kit/search/split.js";
import { isKnownLanguage } from "./language.js";

/**
 * @typedef {{name: string, file: {name: string, size: number, arrayBuffer: () => Promise<ArrayBuffer>}}} Given
 * @typedef {object} Step
 * @property {string} name
 * @property {number} file  from 1
 * @property {number} files
 * @property {number} share  of this file that is done, 0 to 1
 * @property {string} page  which of a PDF is read, "" when none is
 *
 * @typedef {object} Parts
 * @property {import("./kit/search/client.js").SearchIndex} index
 * @property {import("./kit/ui/shell.js").Model} embedder
 * @property {AbortSignal} signal
 * @property {(step: Step) => void} onStep
 */

/** So few passages at a time that a search in between need not wait long. */
const passagesAtOnce = 16;

/** How much of the work on a PDF is reading it. */
const readingShare = 0.2;

/**
 * @param {readonly Given[]} given
 * @param {Parts} parts
 * @returns {Promise<{problems: string[], foreign: string[]}>} a sentence for each file that could not be taken, and the
 *   names of those in a language that the model hardly knows
 */
export async function indexFiles(given, parts) {
  /** @type {string[]} */
  const problems = [];
  /** @type {string[]} */
  const foreign = [];
  for (const [place, each] of given.entries()) {
    if (parts.signal.aborted) break;
    const tell = (/** @type {number} */ share, page = "") =>
      parts.onStep({ name: each.name, file: place + 1, files: given.length, share, page });
    try {
      if (!(await indexFile(each, parts, tell))) foreign.push(each.name);
    } catch (error) {
      if (parts.signal.aborted) break;
      problems.push(error instanceof Error ? error.message : String(error));
    }
  }
  return { problems, foreign };
}

/**
 * @param {Given} given
 * @param {Parts} parts
 * @param {(share: number, page?: string) => void} tell
 * @returns {Promise<boolean>} whether the model knows its language
 */
async function indexFile({ name, file }, { index, embedder, signal }, tell) {
  tell(0);
  const onPage = (/** @type {number} */ page, /** @type {number} */ pages) =>
    tell((page / pages) * readingShare, `page ${page.toLocaleString("en")} of ${pages.toLocaleString("en")}`);
  const read = await readDocument(file, name, { onPage, signal });
  const begun = read.kind === "pdf" ? readingShare : 0;
  const countTokens = (/** @type {string[]} */ texts) => embedder.countTokens(texts);
  const passages = await splitText(read.text, countTokens, { signal });
  const texts = passages.map(({ start, end }) => read.text.slice(start, end));
  const vectors = await embedAll(texts, embedder, signal, (share) => tell(begun + (1 - begun) * share));
  await index.add([{ document: { ...read, id: name, passages }, vectors }]);
  return isKnownLanguage(read.text, countTokens);
}

/**
 * @param {readonly string[]} texts
 * @param {import("./kit/ui/shell.js").Model} embedder
 * @param {AbortSignal} signal
 * @param {(share: number) => void} tell
 * @returns {Promise<Float32Array<ArrayBuffer>>} a row for each
 */
async function embedAll(texts, embedder, signal, tell) {
  const vectors = new Float32Array(texts.length * embedder.manifest.settings.dimensions);
  for (let start = 0; start < texts.length; start += passagesAtOnce) {
    const inputs = texts.slice(start, start + passagesAtOnce);
    const { embeddings, dimensions } = await embedder.embed({ inputs, cut: true }, { signal });
    vectors.set(embeddings, start * dimensions);
    tell(Math.min(1, (start + inputs.length) / texts.length));
  }
  return vectors;
}

/**
 * The files of a drop, those in folders included.
 * @param {DataTransfer} transfer
 * @returns {Promise<Given[]>}
 */
export async function listDropped(transfer) {
  // The entries have to be taken at once: after the first wait the browser has emptied the list.
  const entries = [...transfer.items].map((item) => item.webkitGetAsEntry()).filter((entry) => entry !== null);
  return (await Promise.all(entries.map(listEntry))).flat();
}

/** @param {FileSystemEntry} entry @returns {Promise<Given[]>} */
async function listEntry(entry) {
  const name = entry.fullPath.replace(/^\//, "");
  if (entry.isFile) {
    const file = await new Promise((resolve, reject) => /** @type {FileSystemFileEntry} */ (entry).file(resolve, reject));
    return [{ name, file }];
  }
  const reader = /** @type {FileSystemDirectoryEntry} */ (entry).createReader();
  /** @type {FileSystemEntry[]} */
  const all = [];
  for (;;) {
    /** @type {FileSystemEntry[]} */
    const some = await new Promise((resolve, reject) => reader.readEntries(resolve, reject));
    if (!some.length) break; // a reader gives a hundred at a time
    all.push(...some);
  }
  return (await Promise.all(all.filter((each) => !each.name.startsWith(".")).map(listEntry))).flat();
}
