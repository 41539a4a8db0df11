/**
 * Files on the wire: chunks of at most 24 MiB, fetched in parallel, each checked against its sha256 as it arrives and
 * written straight to its place in one array per file.
 *
 * @typedef {import("./types.js").Chunk} Chunk
 * @typedef {import("./types.js").File} File
 * @typedef {{file: string, loadedBytes: number, totalBytes: number, bytesPerSecond: number}} Transfer
 */

import { KitError, describeError, isAbort } from "./errors.js";
import { hashBytes } from "./sha256.js";

/** Browsers open six connections to a host over HTTP/1.1; more would only wait. */
const parallelFetches = 6;

/** How much is taken over at a time. */
const readBytes = 256 * 1024;

/** The speed is that of the last so many milliseconds. */
const speedWindowMs = 3000;

/** The second try goes past the browser's cache, where the bad bytes may come from. */
const cacheModes = /** @type {const} */ (["force-cache", "reload"]);

/**
 * Fetch several files at once, in order of need: the first file's chunks start first.
 * @param {{file: File, baseUrl: string}[]} requests
 * @param {{onProgress?: (transfer: Transfer) => void, signal?: AbortSignal}} [options]
 * @returns {Promise<Uint8Array<ArrayBuffer>[]>} one array per request
 */
export async function fetchFiles(requests, { onProgress = () => {}, signal } = {}) {
  const outer = new AbortController();
  const stop = () => outer.abort(signal?.reason);
  if (signal?.aborted) stop();
  signal?.addEventListener("abort", stop, { once: true });
  try {
    const meter = new Meter(
      requests.reduce((sum, { file }) => sum + file.bytes, 0),
      onProgress,
    );
    const results = requests.map(({ file }) => allocate(file));
    const jobs = requests.flatMap(({ file, baseUrl }, index) =>
      placeChunks(file, results[index]).map(
        ({ chunk, place }) =>
          () =>
            fetchChunk(chunk, place, {
              baseUrl,
              signal: outer.signal,
              onBytes: (bytes) => meter.add(bytes, file.name),
            }),
      ),
    );
    await runParallel(jobs, parallelFetches);
    return results;
  } catch (error) {
    outer.abort(error); // the other chunks would only waste the visitor's bytes
    throw error;
  } finally {
    signal?.removeEventListener("abort", stop);
  }
}

/**
 * @param {File} file
 * @param {string} baseUrl
 * @param {AbortSignal} [signal]
 * @returns {Promise<Uint8Array<ArrayBuffer>>}
 */
export async function fetchFile(file, baseUrl, signal) {
  return (await fetchFiles([{ file, baseUrl }], { signal }))[0];
}

/**
 * @param {File} file
 * @returns {Uint8Array<ArrayBuffer>}
 */
function allocate(file) {
  const sum = file.chunks.reduce((total, chunk) => total + chunk.bytes, 0);
  if (sum !== file.bytes) {
    throw new KitError("bad-manifest", `${file.name} should have ${file.bytes} bytes, but its chunks have ${sum}.`);
  }
  try {
    return new Uint8Array(file.bytes);
  } catch (error) {
    throw new KitError("download", `There is no memory for ${file.name} (${file.bytes} bytes).`, { cause: error });
  }
}

/**
 * @param {File} file
 * @param {Uint8Array<ArrayBuffer>} whole
 * @returns {{chunk: Chunk, place: Uint8Array<ArrayBuffer>}[]}
 */
function placeChunks(file, whole) {
  let offset = 0;
  return file.chunks.map((chunk) => {
    const place = whole.subarray(offset, offset + chunk.bytes);
    offset += chunk.bytes;
    return { chunk, place };
  });
}

/**
 * @param {Chunk} chunk
 * @param {Uint8Array<ArrayBuffer>} place
 * @param {{baseUrl: string, signal: AbortSignal, onBytes: (bytes: number) => void}} options
 */
async function fetchChunk(chunk, place, options) {
  let problem = "";
  for (const cache of cacheModes) {
    let received = 0;
    /** @param {number} bytes */
    const onBytes = (bytes) => {
      received += bytes;
      options.onBytes(bytes);
    };
    try {
      problem = await tryChunk(chunk, place, { ...options, cache, onBytes });
    } catch (error) {
      if (options.signal.aborted || isAbort(error)) throw options.signal.reason ?? error;
      problem = describeError(error);
    }
    if (!problem) return;
    options.onBytes(-received);
  }
  throw new KitError("download", `${chunk.path} could not be downloaded: ${problem}. It was tried twice.`);
}

/**
 * @param {Chunk} chunk
 * @param {Uint8Array<ArrayBuffer>} place
 * @param {{baseUrl: string, signal: AbortSignal, cache: RequestCache, onBytes: (bytes: number) => void}} options
 * @returns {Promise<string>} what is wrong, "" when all is well
 */
async function tryChunk(chunk, place, { baseUrl, signal, cache, onBytes }) {
  const response = await fetch(new URL(chunk.path, baseUrl), { cache, signal });
  if (!response.ok || !response.body) {
    await response.body?.cancel();
    return `the server answered ${response.status} ${response.statusText}`.trimEnd();
  }
  const received = await readInto(response.body, place, onBytes);
  if (received !== chunk.bytes)
    return `it has ${received > chunk.bytes ? "more than" : `${received} of`} ${chunk.bytes} bytes`;
  return (await hashBytes(place)) === chunk.sha256 ? "" : "its contents do not match their sha256";
}

/**
 * @param {ReadableStream<Uint8Array<ArrayBuffer>>} body
 * @param {Uint8Array} place
 * @param {(bytes: number) => void} onBytes
 * @returns {Promise<number>} bytes received; one more than there is place for means "too many"
 */
async function readInto(body, place, onBytes) {
  const { read, cancel } = openReader(body);
  let offset = 0;
  for (;;) {
    const { done, value } = await read();
    if (done) return offset;
    if (offset + value.length > place.length) {
      await cancel();
      return place.length + 1;
    }
    place.set(value, offset);
    offset += value.length;
    onBytes(value.length);
  }
}

/**
 * Where the browser can, one buffer goes to and fro, so that a download leaves no garbage behind as large as itself.
 * @param {ReadableStream<Uint8Array<ArrayBuffer>>} body
 * @returns {{read: () => Promise<ReadableStreamReadResult<Uint8Array>>, cancel: () => Promise<void>}}
 */
function openReader(body) {
  /** @type {ReadableStreamBYOBReader} */
  let reader;
  try {
    reader = body.getReader({ mode: "byob" });
  } catch {
    const plain = body.getReader(); // Safari's bodies are no byte streams
    return { read: () => plain.read(), cancel: () => plain.cancel() };
  }
  let buffer = new ArrayBuffer(readBytes);
  const read = async () => {
    const result = await reader.read(new Uint8Array(buffer));
    if (result.value) buffer = result.value.buffer;
    return /** @type {ReadableStreamReadResult<Uint8Array>} */ (result);
  };
  return { read, cancel: () => reader.cancel() };
}

/**
 * @param {(() => Promise<void>)[]} jobs
 * @param {number} width
 */
async function runParallel(jobs, width) {
  const queue = jobs.values();
  const lane = async () => {
    for (const job of queue) await job();
  };
  await Promise.all(Array.from({ length: width }, lane));
}

/** Adds up what has arrived, and how fast. */
class Meter {
  /**
   * @param {number} totalBytes
   * @param {(transfer: Transfer) => void} onProgress
   */
  constructor(totalBytes, onProgress) {
    this.totalBytes = totalBytes;
    this.onProgress = onProgress;
    this.loadedBytes = 0;
    /** @type {{timeMs: number, loadedBytes: number}[]} */
    this.history = [{ timeMs: performance.now(), loadedBytes: 0 }];
  }

  /**
   * @param {number} bytes  negative when a bad chunk is taken back
   * @param {string} file
   */
  add(bytes, file) {
    this.loadedBytes += bytes;
    const timeMs = performance.now();
    const latest = /** @type {{timeMs: number}} */ (this.history.at(-1));
    // A mark every 100 ms is enough, and keeps the history short however small the pieces are.
    if (timeMs - latest.timeMs > 100) this.history.push({ timeMs, loadedBytes: this.loadedBytes });
    while (this.history.length > 2 && timeMs - this.history[1].timeMs > speedWindowMs) this.history.shift();
    const [oldest] = this.history;
    const seconds = Math.max(timeMs - oldest.timeMs, 1) / 1000;
    const bytesPerSecond = Math.max(0, Math.round((this.loadedBytes - oldest.loadedBytes) / seconds));
    this.onProgress({ file, loadedBytes: this.loadedBytes, totalBytes: this.totalBytes, bytesPerSecond });
  }
}
