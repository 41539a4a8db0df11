/**
 * The text of a PDF, page by page. pdf.js reads it in a worker; both are fetched with the first PDF, and the tables of
 * Chinese, Japanese and Korean characters only where a PDF names one. Fonts are not fetched: text needs none.
 *
 * @typedef {typeof import("pdfjs-dist")} PdfModule
 * @typedef {import("pdfjs-dist").PDFDocumentProxy} Pdf
 * @typedef {{module: PdfModule, workerUrl: string, cMapUrl: string}} PdfReader
 * @typedef {{onPage?: (page: number, pages: number) => void, signal?: AbortSignal}} PdfOptions
 */

import { KitError, describeError } from "../errors.js";
import { joinPages, joinPieces } from "./pdf-text.js";

const runtimeUrl = new URL("../../runtime/", import.meta.url).href;

/** @type {Promise<PdfReader> | null} */
let reader = null;

/**
 * @param {Uint8Array<ArrayBuffer>} bytes  handed over to the worker
 * @param {PdfOptions} [options]
 * @returns {Promise<{text: string, pages: number[]}>} the text, and where each page begins in it
 * @throws {KitError} `bad-input` with the end of a sentence that begins with the file's name
 */
export async function readPdf(bytes, { onPage = () => {}, signal } = {}) {
  const { module, workerUrl, cMapUrl } = await loadReader();
  const worker = new Worker(workerUrl, { type: "module", name: "webgpu-kit-pdf" });
  const failed = new Promise((_, reject) => {
    worker.addEventListener("error", (event) => {
      event.preventDefault(); // it is told by the promise
      reject(new KitError("worker", `The PDF reader could not go on: ${event.message || "its files could not be loaded"}.`));
    });
    signal?.addEventListener("abort", () => reject(signal.reason), { once: true });
  });
  const port = module.PDFWorker.create({ port: worker, verbosity: module.VerbosityLevel.ERRORS });
  const task = module.getDocument({
    ...{ data: bytes, worker: port, cMapUrl, cMapPacked: true, verbosity: module.VerbosityLevel.ERRORS },
    ...{ isEvalSupported: false, useWorkerFetch: false, useSystemFonts: true, disableFontFace: true, enableXfa: false },
  });
  try {
    return joinPages(await Promise.race([readPages(task.promise, onPage, signal), failed]));
  } catch (error) {
    throw explain(error);
  } finally {
    void task.destroy().catch(() => {}); // nothing is left to be told of
    port.destroy();
    worker.terminate();
  }
}

/**
 * @param {Promise<Pdf>} opening
 * @param {(page: number, pages: number) => void} onPage
 * @param {AbortSignal} [signal]
 * @returns {Promise<string[]>} the text of each page
 */
async function readPages(opening, onPage, signal) {
  const pdf = await opening;
  /** @type {string[]} */
  const texts = [];
  for (let number = 1; number <= pdf.numPages; number++) {
    signal?.throwIfAborted();
    onPage(number, pdf.numPages);
    const page = await pdf.getPage(number);
    const { items } = await page.getTextContent();
    texts.push(joinPieces(items.filter((item) => "str" in item)));
    page.cleanup();
  }
  return texts;
}

/** @returns {Promise<PdfReader>} fetched once; the next PDF tries again where that failed */
function loadReader() {
  reader ??= fetchReader().catch((error) => {
    reader = null;
    throw new KitError("download", `The PDF reader could not be fetched: ${describeError(error)}.`, { cause: error });
  });
  return reader;
}

/** @returns {Promise<PdfReader>} */
async function fetchReader() {
  const response = await fetch(new URL("runtime.json", runtimeUrl), { cache: "no-cache" });
  if (!response.ok) throw new Error(`the server answered ${response.status}`);
  const { pdfjs, pdfjs_worker: worker, pdfjs_cmaps: cMaps } = await response.json();
  const [workerUrl, cMapUrl] = [worker, cMaps].map((path) => new URL(path, runtimeUrl).href);
  return { module: await import(new URL(pdfjs, runtimeUrl).href), workerUrl, cMapUrl };
}

/**
 * @param {unknown} error
 * @returns {unknown}
 */
function explain(error) {
  const name = error instanceof Error ? error.name : "";
  if (error instanceof KitError || name === "AbortError") return error;
  const isLocked = name === "PasswordException";
  const words = isLocked
    ? "opens only with a password. Save it without one and add it again"
    : "is broken: it cannot be read as a PDF";
  return new KitError("bad-input", words, { cause: error });
}
