import assert from "node:assert/strict";
import { createHash, randomBytes } from "node:crypto";
import { createServer } from "node:http";
import { after, before, beforeEach, test } from "node:test";

import { fetchFile, fetchFiles } from "../../site_templates/kit/chunks.js";

/**
 * @typedef {import("node:http").ServerResponse} Reply
 * @typedef {import("../../site_templates/kit/types.js").File} File
 */

/** @type {Map<string, Buffer>} what a well-behaved server would send, by path */
const contents = new Map();
/** @type {Map<string, ((reply: Reply, body: Buffer) => void)[]>} misbehaviour to come, by path, one per request */
const faults = new Map();
/** @type {string[]} */
let requests = [];
let baseUrl = "";

const server = createServer((request, reply) => {
  const path = (request.url ?? "").slice(1);
  requests.push(path);
  const body = contents.get(path);
  const fault = faults.get(path)?.shift();
  if (!body) reply.writeHead(404).end("not here");
  else if (fault) fault(reply, body);
  else reply.writeHead(200, { "content-length": body.length }).end(body);
});

before(async () => {
  await new Promise((resolve) => server.listen(0, "localhost", () => resolve(null)));
  const address = /** @type {import("node:net").AddressInfo} */ (server.address());
  baseUrl = `http://localhost:${address.port}/`;
});

after(() => {
  server.closeAllConnections();
  server.close();
});

beforeEach(() => {
  contents.clear();
  faults.clear();
  requests = [];
});

const sha256 = (/** @type {Uint8Array} */ bytes) => createHash("sha256").update(bytes).digest("hex");

/**
 * @param {string} name
 * @param {number[]} sizes  of its chunks
 * @returns {{file: File, whole: Buffer}}
 */
function publish(name, sizes) {
  const parts = sizes.map((size) => randomBytes(size));
  const chunks = parts.map((bytes, index) => {
    const path = `${name}.${index}.bin`;
    contents.set(path, bytes);
    return { path, bytes: bytes.length, sha256: sha256(bytes) };
  });
  const whole = Buffer.concat(parts);
  return { file: { name, bytes: whole.length, sha256: sha256(whole), chunks }, whole };
}

/** @param {Reply} reply */
const sendGarbage = (reply, /** @type {Buffer} */ body) => reply.end(randomBytes(body.length));
/** @param {Reply} reply */
const sendHalf = (reply, /** @type {Buffer} */ body) => reply.end(body.subarray(0, body.length >> 1));
/** @param {Reply} reply */
const sendTwice = (reply, /** @type {Buffer} */ body) => reply.end(Buffer.concat([body, body]));
/** @param {Reply} reply */
const cutConnection = (reply, /** @type {Buffer} */ body) => {
  reply.writeHead(200, { "content-length": body.length });
  reply.write(body.subarray(0, 10), () => reply.destroy());
};
/** @param {Reply} reply */
const sendError = (reply) => reply.writeHead(503).end("busy");

test("chunks are joined in order, however they arrive", async () => {
  const { file, whole } = publish("weights.bin", [70_000, 10, 50_000, 1, 64]);
  faults.set("weights.bin.0.bin", [(reply, body) => setTimeout(() => reply.end(body), 60)]);
  assert.deepEqual(Buffer.from(await fetchFile(file, baseUrl)), whole);
});

test("several files at once, each in its own array; an empty file too", async () => {
  const published = [publish("a", [5, 6]), publish("b", [0]), publish("c", [100])];
  const results = await fetchFiles(published.map(({ file }) => ({ file, baseUrl })));
  results.forEach((bytes, index) => assert.deepEqual(Buffer.from(bytes), published[index].whole));
});

for (const [name, fault] of Object.entries({ sendGarbage, sendHalf, sendTwice, cutConnection, sendError })) {
  test(`${name}: fetched again once, and well then`, async () => {
    const { file, whole } = publish("x", [1000, 2000]);
    faults.set("x.1.bin", [fault]);
    assert.deepEqual(Buffer.from(await fetchFile(file, baseUrl)), whole);
    assert.equal(requests.filter((path) => path === "x.1.bin").length, 2);
    assert.equal(requests.filter((path) => path === "x.0.bin").length, 1);
  });

  test(`${name} twice: fails by name, with nothing asked for a third time`, async () => {
    const { file } = publish("x", [1000, 2000]);
    faults.set("x.1.bin", [fault, fault]);
    await assert.rejects(fetchFile(file, baseUrl), {
      name: "KitError",
      code: "download",
      message: /x\.1\.bin .*tried twice/,
    });
    assert.equal(requests.filter((path) => path === "x.1.bin").length, 2);
  });
}

test("a truncated chunk is told apart from a changed one", async () => {
  const { file } = publish("x", [1000]);
  faults.set("x.0.bin", [sendHalf, sendHalf]);
  await assert.rejects(fetchFile(file, baseUrl), /it has 500 of 1000 bytes/);
  faults.set("x.0.bin", [sendGarbage, sendGarbage]);
  await assert.rejects(fetchFile(file, baseUrl), /do not match their sha256/);
});

test("a missing chunk says 404", async () => {
  const { file } = publish("x", [10]);
  contents.clear();
  await assert.rejects(fetchFile(file, baseUrl), /x\.0\.bin could not be downloaded: the server answered 404/);
});

test("chunks that do not add up are refused before anything is fetched", async () => {
  const { file } = publish("x", [10, 10]);
  await assert.rejects(fetchFile({ ...file, bytes: 21 }, baseUrl), {
    code: "bad-manifest",
    message: /x should have 21 bytes/,
  });
  assert.deepEqual(requests, []);
});

test("an abort ends the transfer at once, and is no retry", async () => {
  const { file } = publish("x", [1000, 1000]);
  faults.set("x.0.bin", [() => {}]); // never answers
  const controller = new AbortController();
  setTimeout(() => controller.abort(), 50);
  await assert.rejects(fetchFile(file, baseUrl, controller.signal), { name: "AbortError" });
  assert.equal(requests.filter((path) => path === "x.0.bin").length, 1);
  await assert.rejects(fetchFile(file, baseUrl, controller.signal), { name: "AbortError" });
});

test("one bad chunk stops the others", async () => {
  const { file } = publish("x", [10, 10]);
  faults.set("x.0.bin", [sendGarbage, sendGarbage]);
  let hungUp = false;
  faults.set("x.1.bin", [(reply) => reply.on("close", () => (hungUp = true))]);
  await assert.rejects(fetchFile(file, baseUrl), /x\.0\.bin/);
  for (let wait = 0; wait < 50 && !hungUp; wait++) await new Promise((resolve) => setTimeout(resolve, 10));
  assert.ok(hungUp, "the request for the other chunk should have been cancelled");
});

test("at most six requests at a time", async () => {
  const { file, whole } = publish("x", Array(20).fill(10));
  let open = 0;
  let most = 0;
  for (const path of contents.keys()) {
    faults.set(path, [
      (reply, body) => {
        most = Math.max(most, ++open);
        setTimeout(() => {
          open--;
          reply.end(body);
        }, 15);
      },
    ]);
  }
  assert.deepEqual(Buffer.from(await fetchFile(file, baseUrl)), whole);
  assert.ok(most > 1 && most <= 6, `${most} at a time`);
});

test("progress counts every byte once, also after a retry, and names the file", async () => {
  const { file } = publish("x", [30_000, 50_000]);
  faults.set("x.0.bin", [sendGarbage]);
  /** @type {import("../../site_templates/kit/chunks.js").Transfer[]} */
  const seen = [];
  await fetchFiles([{ file, baseUrl }], { onProgress: (transfer) => seen.push(transfer) });
  assert.equal(seen.at(-1)?.loadedBytes, 80_000);
  assert.ok(seen.every((transfer) => transfer.totalBytes === 80_000 && transfer.file === "x"));
  assert.ok(seen.every((transfer) => transfer.loadedBytes >= 0 && transfer.loadedBytes <= 80_000));
  assert.ok(seen.some((transfer) => transfer.bytesPerSecond > 0));
});

test("a browser whose bodies are no byte streams is served as well", async (context) => {
  const { file, whole } = publish("weights", [3000, 70000, 5]);
  const real = globalThis.fetch;
  context.mock.method(globalThis, "fetch", async (/** @type {URL} */ url, /** @type {RequestInit} */ options) => {
    const body = new Uint8Array(await (await real(url, options)).arrayBuffer());
    return new Response(new ReadableStream({ start: (stream) => (stream.enqueue(body), stream.close()) }));
  });
  assert.deepEqual(Buffer.from(await fetchFile(file, baseUrl)), whole);
});
