/**
 * An index as one file, for keeping, for moving to another browser, and for building ahead (`webgpu-kit index`):
 * eight bytes "WGKINDEX", the header's length as uint32, the header as JSON in UTF-8, zeros up to a multiple of 4, then
 * the vectors of all documents, float32. All numbers are little-endian.
 *
 * @typedef {import("./collection.js").Entry} Entry
 * @typedef {import("./collection.js").IndexedDocument} IndexedDocument
 *
 * @typedef {object} IndexModel  the model that the vectors are of
 * @property {string} name
 * @property {string} sha256  of its weights: vectors of others mean something else
 * @property {string} variant  that made the vectors; those of one model's variants can be compared
 * @property {number} dimensions
 *
 * @typedef {{format: 1, name: string, model: IndexModel, documents: IndexedDocument[]}} Header
 */

import { KitError } from "../errors.js";

const magic = "WGKINDEX";
const format = 1;

/**
 * @param {string} name  of the collection
 * @param {IndexModel} model
 * @param {readonly Entry[]} entries
 * @returns {Uint8Array<ArrayBuffer>}
 */
export function encodeIndex(name, model, entries) {
  const documents = entries.map(({ document }) => document);
  const header = new TextEncoder().encode(JSON.stringify({ format, name, model, documents }));
  const start = magic.length + 4 + header.length;
  const padding = -start & 3;
  const count = entries.reduce((sum, { vectors }) => sum + vectors.length, 0);
  const bytes = new Uint8Array(start + padding + count * 4);
  bytes.set(new TextEncoder().encode(magic));
  new DataView(bytes.buffer).setUint32(magic.length, header.length, true);
  bytes.set(header, magic.length + 4);
  const values = new Float32Array(bytes.buffer, start + padding);
  let at = 0;
  for (const { vectors } of entries) {
    values.set(vectors, at);
    at += vectors.length;
  }
  return bytes;
}

/**
 * @param {Uint8Array<ArrayBuffer>} bytes
 * @returns {{name: string, model: IndexModel, entries: Entry[]}}
 */
export function decodeIndex(bytes) {
  const header = readHeader(bytes);
  const { model, documents } = header;
  const start = headerEnd(bytes);
  const rows = documents.reduce((sum, { passages }) => sum + passages.length, 0);
  const expected = start + rows * model.dimensions * 4;
  if (bytes.length !== expected) {
    throw bad(`it has ${bytes.length} bytes, its header says ${expected}: it was cut, or changed`);
  }
  let at = bytes.byteOffset + start;
  const entries = documents.map((document) => {
    const size = document.passages.length * model.dimensions * 4;
    const vectors = new Float32Array(bytes.buffer.slice(at, at + size));
    at += size;
    return { document, vectors };
  });
  return { name: header.name, model, entries };
}

/**
 * @param {Uint8Array<ArrayBuffer>} bytes
 * @returns {Header}
 */
function readHeader(bytes) {
  if (new TextDecoder().decode(bytes.subarray(0, magic.length)) !== magic) {
    throw bad("it does not begin as such a file does");
  }
  /** @type {Header} */
  let header;
  try {
    header = JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(bytes.subarray(magic.length + 4, jsonEnd(bytes))));
  } catch (error) {
    throw bad("its header cannot be read", error);
  }
  if (header.format !== format) throw bad(`its format is ${header.format}, this page reads ${format}`);
  if (!header.documents.every(isDocument) || !(header.model?.dimensions > 0)) throw bad("its header is not complete");
  return header;
}

/**
 * @param {IndexedDocument} document
 * @returns {boolean}
 */
function isDocument({ id, name, text, pages, passages }) {
  const isText = [id, name, text].every((each) => typeof each === "string");
  if (!isText || !Array.isArray(pages) || !Array.isArray(passages)) return false;
  return passages.every(({ start, end }) => Number.isInteger(start) && start >= 0 && end > start && end <= text.length);
}

/** @param {Uint8Array} bytes @returns {number} */
function jsonEnd(bytes) {
  const length = new DataView(bytes.buffer, bytes.byteOffset).getUint32(magic.length, true);
  return magic.length + 4 + length;
}

/** @param {Uint8Array} bytes @returns {number} where the vectors begin */
function headerEnd(bytes) {
  const end = jsonEnd(bytes);
  return end + (-end & 3);
}

/**
 * @param {string} reason
 * @param {unknown} [cause]
 * @returns {KitError}
 */
function bad(reason, cause) {
  return new KitError("bad-input", `This is no index that can be opened here: ${reason}.`, { cause });
}
