import assert from "node:assert/strict";
import { afterEach, beforeEach, test } from "node:test";

import { listCandidates } from "../../site_templates/kit/candidates.js";
import { Model } from "../../site_templates/kit/model.js";
import { Walk } from "../../site_templates/kit/walk.js";
import { makeDevice, makeManifest, makeVariant } from "./fixtures.js";

/**
 * @typedef {import("../../site_templates/kit/protocol.js").Request} Request
 * @typedef {(worker: ScriptedWorker, request: Request) => void} Behaviour
 */

/** Stands where the browser's Worker stands, and behaves as the test says. */
class ScriptedWorker extends EventTarget {
  /** @type {ScriptedWorker[]} */
  static all = [];
  /** @type {Behaviour} */
  static behave = answerWell;

  /** @type {Request[]} */
  requests = [];
  terminated = false;

  constructor() {
    super();
    ScriptedWorker.all.push(this);
  }

  /** @param {Request} request */
  postMessage(request) {
    this.requests.push(structuredClone(request));
    queueMicrotask(() => ScriptedWorker.behave(this, request));
  }

  terminate() {
    this.terminated = true;
  }

  /** @param {import("../../site_templates/kit/protocol.js").WorkerMessage} message */
  say(message) {
    this.dispatchEvent(new MessageEvent("message", { data: message }));
  }

  /** @param {Request} request @param {unknown} result */
  answer({ id }, result) {
    this.say({ kind: "result", id, result });
  }

  /** @param {Request} request @param {string} message @param {boolean} [fatal] */
  refuse({ id }, message, fatal = false) {
    this.say({ kind: "error", id, error: { code: "session", message, fatal } });
  }
}

const started = { threads: 2, build: "wasm", downloadMs: 1, sessionMs: 2, selfTestMs: 3, downloadedBytes: 4 };

/** @type {Behaviour} */
function answerWell(worker, request) {
  if (request.method === "start") worker.answer(request, started);
  else if (request.method === "run") worker.answer(request, { outputs: {}, timeMs: 1, echo: request.params });
  else worker.answer(request, request.method);
}

const realWorker = globalThis.Worker;

beforeEach(() => {
  ScriptedWorker.all = [];
  ScriptedWorker.behave = answerWell;
  Object.assign(globalThis, { Worker: ScriptedWorker });
});

afterEach(() => {
  for (const worker of ScriptedWorker.all) if (!worker.terminated) worker.dispatchEvent(new Event("messageerror")); // stops its watchdog
  Object.assign(globalThis, { Worker: realWorker });
});

const auto = /** @type {const} */ ({ backend: "auto", variant: "auto" });

/** @param {import("../../site_templates/kit/candidates.js").Choice} [choice] */
function makeWalk(choice = auto) {
  const manifest = makeManifest([makeVariant("q4")]);
  const sources = {
    manifest,
    manifestUrl: "http://x/m.json",
    runtime: /** @type {any} */ ({}),
    runtimeUrl: "http://x/",
  };
  return new Walk(sources, makeDevice(), listCandidates(manifest, makeDevice(), choice), () => {});
}

async function openModel() {
  const walk = makeWalk();
  return new Model(walk, await walk.open(), performance.now());
}

test("the memory that is told is that of the backend in use", async () => {
  const graph = { file: "a.onnx", expanded_bytes: 0, expand: [] };
  const model = await openModel();
  const [entry] = model.manifest.variants;
  entry.graphs = { webgpu: { ...graph, memory_bytes: 11 }, wasm: { ...graph, memory_bytes: 22 } };
  assert.equal(model.memoryBytes, model.backend === "webgpu" ? 11 : 22);
  entry.graphs = {};
  assert.equal(model.memoryBytes, entry.memory_bytes);
});

const place = (/** @type {Model} */ model) => `${model.variant}@${model.backend}`;
const latest = () => /** @type {ScriptedWorker} */ (ScriptedWorker.all.at(-1));
const settle = () => new Promise((resolve) => setTimeout(resolve, 5));
/** @type {Behaviour} answers everything but runs */
const neverFinish = (worker, request) => void (request.method !== "run" && answerWell(worker, request));

/** @param {string} message @returns {Behaviour} */
const failOnGpu = (message) => (worker, request) => {
  const { pair } = /** @type {any} */ (request.params) ?? {};
  if (pair?.backend === "webgpu") worker.refuse(request, message);
  else answerWell(worker, request);
};

test("a pair that fails is recorded, its worker ended, and the next one tried", async () => {
  ScriptedWorker.behave = failOnGpu("It broke");
  const model = await openModel();
  assert.equal(place(model), "q4@wasm");
  assert.deepEqual(
    ScriptedWorker.all.map(({ terminated }) => terminated),
    [true, false],
  );
  assert.deepEqual(
    model.attempts.map(({ backend, ok, reason }) => [backend, ok, reason]),
    [
      ["webgpu", false, "It broke."],
      ["wasm", true, ""],
    ],
  );
  assert.equal(model.reason, "It broke, so the model runs on the CPU (wasm).");
});

test("when all fail, the error gives every reason", async () => {
  ScriptedWorker.behave = (worker, request) => worker.refuse(request, `No luck ${ScriptedWorker.all.length}`);
  await assert.rejects(makeWalk().open(), { code: "no-candidate", message: /No luck 1\. No luck 2\./ });
  assert.ok(ScriptedWorker.all.every(({ terminated }) => terminated));
});

test("an aborted walk ends its worker and tries nothing else", async () => {
  ScriptedWorker.behave = () => {};
  const controller = new AbortController();
  const walk = makeWalk();
  const opening = walk.open({ signal: controller.signal });
  await settle();
  controller.abort();
  await assert.rejects(opening, { name: "AbortError" });
  assert.deepEqual(
    ScriptedWorker.all.map(({ terminated }) => terminated),
    [true],
  );
  assert.deepEqual(walk.attempts, []);
});

test("runs wait for each other", async () => {
  const model = await openModel();
  /** @type {Request[]} */
  const open = [];
  ScriptedWorker.behave = (_, request) => void open.push(request);
  const answers = [model.run(1), model.run(2)];
  await settle();
  assert.equal(open.length, 1);
  latest().answer(open[0], "first");
  await settle();
  latest().answer(open[1], "second");
  assert.deepEqual(await Promise.all(answers), ["first", "second"]);
});

test("a failed run does not stop the next", async () => {
  const model = await openModel();
  ScriptedWorker.behave = (worker, request) =>
    request.params === 1 ? worker.refuse(request, "no") : answerWell(worker, request);
  const results = await Promise.allSettled([model.run(1), model.run(2)]);
  assert.deepEqual(
    results.map(({ status }) => status),
    ["rejected", "fulfilled"],
  );
  assert.equal(ScriptedWorker.all.length, 1);
});

test("an aborted run is never sent when it still waits, and the one under way is waited for", async () => {
  const model = await openModel();
  /** @type {Request[]} */
  const open = [];
  ScriptedWorker.behave = (_, request) => void open.push(request);
  const controller = new AbortController();
  const [first, second, third] = [
    model.run(1, { signal: controller.signal }),
    model.run(2, { signal: controller.signal }),
    model.run(3),
  ];
  await settle();
  controller.abort();
  await assert.rejects(first, { name: "AbortError" });
  await assert.rejects(second, { name: "AbortError" });
  await settle();
  assert.equal(open.length, 1, "the third waits for the first, which the worker still computes");
  latest().answer(open[0], "too late");
  await settle();
  latest().answer(open[1], "third");
  assert.equal(await third, "third");
  assert.deepEqual(
    open.map(({ params }) => params),
    [1, 3],
  );
});

test("a lost device rejects at once; the next run has a fresh worker on the same pair", async () => {
  const model = await openModel();
  ScriptedWorker.behave = neverFinish;
  const run = model.run(1);
  await settle();
  latest().say({ kind: "lost", reason: "unplugged" });
  await assert.rejects(run, { code: "device-lost", message: /unplugged/ });
  assert.ok(latest().terminated);
  ScriptedWorker.behave = answerWell;
  assert.equal((await model.run(2)).echo, 2);
  assert.equal(place(model), "q4@webgpu");
  assert.equal(ScriptedWorker.all.length, 2);
  assert.match(model.attempts[1].reason, /took the GPU away/);
});

test("a second loss with no answer between walks on", async () => {
  const model = await openModel();
  for (const expected of ["q4@webgpu", "q4@wasm"]) {
    latest().say({ kind: "lost", reason: "unplugged" });
    assert.equal(await model.stats(), "stats");
    assert.equal(place(model), expected);
  }
  assert.match(model.reason, /^The browser took the GPU away \(unplugged\), so the model runs on the CPU/);
});

test("an answer between two losses clears the first", async () => {
  const model = await openModel();
  for (let round = 0; round < 4; round++) {
    latest().say({ kind: "lost", reason: "unplugged" });
    await model.run(1);
    assert.equal(place(model), "q4@webgpu");
  }
});

test("a pair that cannot be opened again after a loss gives way to the next", async () => {
  const model = await openModel();
  latest().say({ kind: "lost", reason: "unplugged" });
  ScriptedWorker.behave = failOnGpu("No adapter any more");
  await model.run(1);
  assert.equal(place(model), "q4@wasm");
});

test("calls at the same time after a loss share one fresh worker", async () => {
  const model = await openModel();
  latest().say({ kind: "lost", reason: "unplugged" });
  await Promise.all([model.run(1), model.stats(), model.golden()]);
  assert.equal(ScriptedWorker.all.length, 2);
});

test("a worker whose wasm heap is broken is ended after its error", async () => {
  const model = await openModel();
  ScriptedWorker.behave = (worker, request) => worker.refuse(request, "memory access out of bounds", true);
  await assert.rejects(model.run(1), /out of bounds/);
  assert.ok(latest().terminated);
  ScriptedWorker.behave = answerWell;
  await model.run(2);
  assert.equal(ScriptedWorker.all.length, 2);
});

test("dispose rejects what waits, and everything after", async () => {
  const model = await openModel();
  ScriptedWorker.behave = neverFinish;
  const runs = [model.run(1), model.run(2)];
  await settle();
  await model.dispose();
  for (const run of runs) await assert.rejects(run, { code: "disposed" });
  await assert.rejects(model.golden(), { code: "disposed" });
  assert.equal(ScriptedWorker.all.length, 1);
});

test("dispose ends a restart that is under way", async () => {
  const model = await openModel();
  latest().say({ kind: "lost", reason: "unplugged" });
  ScriptedWorker.behave = () => {};
  const run = model.run(1);
  await settle();
  await model.dispose();
  await assert.rejects(run, { code: "disposed" });
  assert.ok(ScriptedWorker.all.every(({ terminated }) => terminated));
});

test("what cannot be sent is refused, and the model lives on", async () => {
  const model = await openModel();
  await assert.rejects(model.run({ image: () => {} }), { code: "bad-input" });
  assert.equal((await model.run(5)).echo, 5);
});

test("only the part of a buffer that a view shows is sent", async () => {
  const model = await openModel();
  const large = new Float32Array(1000);
  await model.run({ inputs: { x: { dtype: "float32", shape: [2], data: large.subarray(10, 12) } } });
  const sent = /** @type {any} */ (latest().requests.at(-1)?.params).inputs.x.data;
  assert.equal(sent.buffer.byteLength, 8);
  assert.equal(large.length, 1000, "the caller keeps its array");
});

test("timings and progress of the pair in use", async () => {
  const model = await openModel();
  const { readyMs, ...rest } = model.timings;
  assert.deepEqual(rest, { downloadMs: 1, sessionMs: 2, selfTestMs: 3, downloadedBytes: 4 });
  assert.ok(readyMs >= 0);
  assert.equal(model.threads, 2);
});

const hello = { messages: [{ role: "user", content: "Hi" }] };
const timingsOfOne = {
  ...{ firstTokenMs: 1, tokensPerSecond: 2, promptTokens: 3 },
  ...{ cachedTokens: 0, completionTokens: 1, contextLength: 9 },
};

/** Says "Hi" and waits for a cancel before it ends, as a worker in the middle of an answer. @type {Behaviour} */
const talk = (worker, request) => {
  if (/** @type {string} */ (request.method) === "cancel") {
    return worker.answer(request, { finishReason: "aborted", timings: timingsOfOne });
  }
  if (request.method !== "generate") return answerWell(worker, request);
  worker.say({ kind: "piece", id: request.id, piece: { start: { promptTokens: 3, cachedTokens: 0 } } });
  worker.say({ kind: "piece", id: request.id, piece: { text: "Hi" } });
};

test("a generation: its pieces come as chunks, and its timings are the model's", async () => {
  const model = await openModel();
  ScriptedWorker.behave = (worker, request) => {
    talk(worker, request);
    if (request.method === "generate") worker.answer(request, { finishReason: "stop", timings: timingsOfOne });
  };
  const { choices, usage } = await model.chat.completions.create(hello);
  assert.equal(choices[0].message.content, "Hi");
  assert.equal(usage.total_tokens, 4);
  assert.equal(model.timings.tokensPerSecond, 2);
});

test("an abort is passed on to the worker, and the next generation waits until that has stopped", async () => {
  const model = await openModel();
  ScriptedWorker.behave = (worker, request) =>
    /** @type {string} */ (request.method) === "cancel" ? undefined : talk(worker, request);
  const controller = new AbortController();
  const first = await model.chat.completions.create({ ...hello, stream: true, signal: controller.signal });
  const second = model.chat.completions.create({ ...hello, stream: true });
  controller.abort();
  for await (const _ of first);
  await settle();
  const worker = latest();
  assert.deepEqual(worker.requests.slice(-2).map(({ method }) => method), ["generate", "cancel"]);
  assert.equal(worker.requests.at(-1)?.id, worker.requests.at(-2)?.id);
  ScriptedWorker.behave = talk;
  worker.answer(/** @type {Request} */ (worker.requests.at(-2)), { finishReason: "aborted", timings: timingsOfOne });
  for await (const { choices } of await second) if (choices[0].delta.content) break;
  assert.equal(worker.requests.filter(({ method }) => method === "generate").length, 2);
});

test("an answer that was stopped has timings, on its stream and as the model's; one never taken up has none", async () => {
  const model = await openModel();
  ScriptedWorker.behave = talk;
  const controller = new AbortController();
  const stream = await model.chat.completions.create({ ...hello, stream: true, signal: controller.signal });
  const waiting = model.chat.completions.create({ ...hello, stream: true, signal: controller.signal });
  waiting.catch(() => {});
  assert.equal(model.timings.tokensPerSecond, undefined);
  controller.abort();
  assert.deepEqual(await stream.timings, timingsOfOne);
  assert.equal(model.timings.tokensPerSecond, timingsOfOne.tokensPerSecond);
  await assert.rejects(waiting, { name: "AbortError" });
  const lost = await model.chat.completions.create({ ...hello, stream: true });
  latest().say({ kind: "lost", reason: "unplugged" });
  assert.equal(await lost.timings, null);
});

test("a worker that dies in the middle of a sentence: the loop gets what was said, then the error", async () => {
  const model = await openModel();
  ScriptedWorker.behave = talk;
  const stream = await model.chat.completions.create({ ...hello, stream: true });
  latest().say({ kind: "lost", reason: "unplugged" });
  let said = "";
  await assert.rejects(
    async () => {
      for await (const { choices } of stream) said += choices[0].delta.content ?? "";
    },
    { code: "device-lost" },
  );
  assert.equal(said, "Hi");
  ScriptedWorker.behave = answerWell;
  assert.equal((await model.run(5)).echo, 5);
});
