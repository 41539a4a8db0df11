/**
 * A file as a document: its text, or a sentence that says why there is none. Markdown's headings are kept as they are
 * written, and those of HTML become such; the splitting into passages goes by them.
 *
 * @typedef {Pick<import("../search/collection.js").IndexedDocument, "name" | "kind" | "text" | "pages">} ReadDocument
 */

import { KitError } from "../errors.js";
import { extractText } from "./html.js";
import { readPdf } from "./pdf.js";

/** Larger files are no documents that a person wrote, and would take minutes to read. Most of a PDF is its pictures. */
export const largestFileBytes = { text: 20_000_000, pdf: 80_000_000 };

/** Of a text's characters, so many may be control characters before it is taken for something else. */
const mostControls = 0.002;
const controls = /[\u0000-\u0008\u000e-\u001f\ufffe\uffff]/g;
const htmlName = /\.(html?|xhtml)$/i;
const markdownName = /\.(md|markdown)$/i;
const pdfName = /\.pdf$/i;

/**
 * @param {{name: string, size: number, arrayBuffer: () => Promise<ArrayBuffer>}} file
 * @param {string} [name]  with its folder
 * @param {import("./pdf.js").PdfOptions} [options]
 * @returns {Promise<ReadDocument>}
 */
export async function readDocument(file, name = file.name, options = {}) {
  if (file.size === 0) throw bad(name, "is empty");
  const largest = pdfName.test(name) ? largestFileBytes.pdf : largestFileBytes.text;
  if (file.size > largest) {
    const megabytes = [file.size, largest].map((bytes) => Math.round(bytes / 1e6));
    throw bad(name, `is ${megabytes[0]} MB large; files of up to ${megabytes[1]} MB can be read here. Split it first`);
  }
  const bytes = new Uint8Array(await file.arrayBuffer());
  if (pdfName.test(name) || startsWith(bytes, "%PDF-")) return readPdfDocument(bytes, name, options);
  const content = decodeText(bytes, name, htmlName.test(name));
  const isHtml = htmlName.test(name);
  const text = (isHtml ? extractText(content) : content).replace(/\r\n?/g, "\n");
  if (!text.trim()) throw bad(name, "has no text in it");
  return { name, kind: isHtml ? "html" : markdownName.test(name) ? "markdown" : "text", text, pages: [] };
}

/**
 * @param {Uint8Array<ArrayBuffer>} bytes
 * @param {string} name
 * @param {import("./pdf.js").PdfOptions} options
 * @returns {Promise<ReadDocument>}
 */
async function readPdfDocument(bytes, name, options) {
  const { text, pages } = await readPdf(bytes, options).catch((error) => {
    if (error instanceof KitError && error.code === "bad-input") throw bad(name, error.message, error.cause);
    throw error;
  });
  if (text.trim()) return { name, kind: "pdf", text, pages };
  const words = pages.length === 1 ? "its one page is a picture" : `its ${pages.length} pages are pictures`;
  throw bad(name, `has no text in it: ${words}, or empty. Run text recognition (OCR) on it and add it again`);
}

/**
 * @param {Uint8Array<ArrayBuffer>} bytes
 * @param {string} name
 * @param {boolean} isHtml  which may say its own encoding
 * @returns {string}
 */
function decodeText(bytes, name, isHtml) {
  const [first, second] = bytes;
  const isWide = (first === 0xff && second === 0xfe) || (first === 0xfe && second === 0xff);
  const declared = isHtml ? /<meta[^>]+charset\s*=\s*["']?([\w-]+)/i.exec(latin(bytes.subarray(0, 2048)))?.[1] : undefined;
  const encoding = isWide ? (first === 0xff ? "utf-16le" : "utf-16be") : (declared ?? "utf-8");
  if (!isWide) refuseZeros(bytes.subarray(0, 65_536), name);
  const text = decode(bytes, encoding, name);
  if ((text.match(controls)?.length ?? 0) > text.length * mostControls) throw bad(name, "is a binary file, not a text");
  return text;
}

/**
 * No text in UTF-8 has a zero byte. Western text in UTF-16 has one in every second byte; without its mark it is not read.
 * @param {Uint8Array} bytes
 * @param {string} name
 */
function refuseZeros(bytes, name) {
  if (!bytes.includes(0)) return;
  const zeros = [0, 1].map((parity) => bytes.filter((byte, index) => !byte && (index & 1) === parity).length);
  const isLikelyWide = Math.min(...zeros) === 0 && Math.max(...zeros) * 4 > bytes.length;
  throw bad(name, isLikelyWide ? "is written in UTF-16 without a mark that says so. Save it as UTF-8 and add it again" : "is a binary file, not a text");
}

/**
 * @param {Uint8Array<ArrayBuffer>} bytes
 * @param {string} encoding
 * @param {string} name
 * @returns {string}
 */
function decode(bytes, encoding, name) {
  try {
    return new TextDecoder(encoding, { fatal: true }).decode(bytes);
  } catch (error) {
    const words = error instanceof RangeError ? `says that it is written in "${encoding}", which is not known` : "";
    throw bad(name, words || `is not written in ${encoding.toUpperCase()}. Save it as UTF-8 and add it again`, error);
  }
}

/** @param {Uint8Array} bytes @param {string} letters @returns {boolean} */
function startsWith(bytes, letters) {
  return latin(bytes.subarray(0, letters.length)) === letters;
}

/** @param {Uint8Array} bytes @returns {string} */
function latin(bytes) {
  return new TextDecoder("latin1").decode(bytes);
}

/**
 * @param {string} name
 * @param {string} words
 * @param {unknown} [cause]
 * @returns {KitError}
 */
function bad(name, words, cause) {
  return new KitError("bad-input", `${name} ${words}.`, { cause });
}
