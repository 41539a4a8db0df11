import assert from "node:assert/strict";
import { test } from "node:test";

import { explainChoice, explainDefeat, formatBytes, listCandidates } from "../../site_templates/kit/candidates.js";
import { makeDevice, makeManifest, makeVariant } from "./fixtures.js";

/** @typedef {import("../../site_templates/kit/candidates.js").Choice} Choice */

/** @type {Choice} */
const auto = { backend: "auto", variant: "auto" };
const names = (/** @type {import("../../site_templates/kit/types.js").Pair[]} */ pairs) =>
  pairs.map(({ variant, backend }) => `${variant}@${backend}`);
const gigabyte = 2 ** 30;

test("best first: the manifest's order on WebGPU, then on wasm", () => {
  const { pairs, passed } = listCandidates(makeManifest([makeVariant("q4"), makeVariant("fp32")]), makeDevice(), auto);
  assert.deepEqual(names(pairs), ["q4@webgpu", "fp32@webgpu", "q4@wasm", "fp32@wasm"]);
  assert.deepEqual(passed, []);
});

test("without an adapter only wasm is left, and every WebGPU pair says why", () => {
  const device = makeDevice({
    adapter: null,
    gpuReason: "This browser has no WebGPU adapter",
    features: [],
    maxBufferBytes: 0,
  });
  const manifest = makeManifest([makeVariant("q4"), makeVariant("fp32")]);
  const { pairs, passed } = listCandidates(manifest, device, auto);
  assert.deepEqual(names(pairs), ["q4@wasm", "fp32@wasm"]);
  assert.deepEqual(
    passed.map(({ reason }) => reason),
    Array(2).fill("This browser has no WebGPU adapter."),
  );
  assert.equal(
    explainChoice(pairs[0], passed, manifest, auto),
    "This browser has no WebGPU adapter, so the model runs on the CPU (wasm).",
  );
});

test("a missing feature bars WebGPU only", () => {
  const manifest = makeManifest([makeVariant("q4f16", { requires: ["shader-f16", "subgroups"] }), makeVariant("q4")]);
  const { pairs, passed } = listCandidates(manifest, makeDevice({ features: ["subgroups"] }), auto);
  assert.deepEqual(names(pairs), ["q4@webgpu", "q4f16@wasm", "q4@wasm"]);
  assert.match(passed[0].reason, /^The variant q4f16 needs shader-f16, which/);
  assert.match(explainChoice(pairs[0], passed, manifest, auto), /needs shader-f16, .* so the model runs as q4\.$/);
});

test("a backend that the variant is not made for", () => {
  const manifest = makeManifest([
    makeVariant("q4f16", { backends: ["webgpu"] }),
    makeVariant("fp32", { backends: ["wasm"] }),
  ]);
  const { pairs, passed } = listCandidates(manifest, makeDevice(), auto);
  assert.deepEqual(names(pairs), ["q4f16@webgpu", "fp32@wasm"]);
  assert.deepEqual(
    passed.map(({ reason }) => reason),
    ["The variant fp32 is not made for webgpu.", "The variant q4f16 is not made for wasm."],
  );
});

test("operators that one backend lacks are named", () => {
  const manifest = makeManifest([makeVariant("fp32", { backends: ["wasm"] })]);
  manifest.settings.unsupported = { webgpu: "ONNX Runtime Web's WebGPU build lacks ai.onnx.ml::Normalizer" };
  const { passed } = listCandidates(manifest, makeDevice(), auto);
  assert.deepEqual(
    passed.map(({ reason }) => reason),
    ["ONNX Runtime Web's WebGPU build lacks ai.onnx.ml::Normalizer."],
  );
});

test("buffers larger than the adapter's limit", () => {
  const manifest = makeManifest([makeVariant("fp32", { max_buffer_bytes: 2 * gigabyte })]);
  const { pairs, passed } = listCandidates(manifest, makeDevice({ maxBufferBytes: gigabyte }), auto);
  assert.deepEqual(names(pairs), ["fp32@wasm"]);
  assert.match(passed[0].reason, /needs a GPU buffer of 2\.15 GB, but .* allows 1\.07 GB\.$/);
});

test("memory: wasm's 4 GiB, and what a small device has", () => {
  const manifest = makeManifest([
    makeVariant("big", { memory_bytes: 5 * gigabyte }),
    makeVariant("small", { memory_bytes: gigabyte }),
  ]);
  const roomy = listCandidates(manifest, makeDevice({ memoryBytes: 8 * gigabyte }), auto);
  assert.deepEqual(names(roomy.pairs), ["big@webgpu", "small@webgpu", "small@wasm"], "8 means 8 or more");
  assert.match(roomy.passed[0].reason, /wasm can only use 4\.29 GB/);
  const narrow = listCandidates(manifest, makeDevice({ memoryBytes: 2 * gigabyte }), auto);
  assert.deepEqual(names(narrow.pairs), ["small@webgpu", "small@wasm"]);
  assert.match(narrow.passed[0].reason, /too much for a device with 2\.15 GB/);
  const silent = listCandidates(manifest, makeDevice({ memoryBytes: 0 }), auto);
  assert.deepEqual(names(silent.pairs), ["big@webgpu", "small@webgpu", "small@wasm"]);
});

test("memory: each backend counts its own", () => {
  const graphs = {
    webgpu: { file: "a.onnx", expanded_bytes: 0, memory_bytes: gigabyte, expand: [] },
    wasm: { file: "b.onnx", expanded_bytes: 0, memory_bytes: 3 * gigabyte, expand: [] },
  };
  const manifest = makeManifest([makeVariant("q4", { graphs, memory_bytes: 3 * gigabyte })]);
  const { pairs, passed } = listCandidates(manifest, makeDevice({ memoryBytes: 2 * gigabyte }), auto);
  assert.deepEqual(names(pairs), ["q4@webgpu"]);
  assert.match(passed[0].reason, /q4 needs 3\.22 GB of memory, too much for a device with 2\.15 GB/);
});

test("memory: wasm's 4 GiB hold no download, a small device's memory does", () => {
  const graph = { file: "b.onnx", expanded_bytes: 0, memory_bytes: 4.2 * gigabyte, expand: [] };
  const graphs = { wasm: { ...graph, heap_bytes: 3.8 * gigabyte } };
  const fits = makeManifest([makeVariant("q8", { graphs, backends: ["wasm"] })]);
  assert.deepEqual(names(listCandidates(fits, makeDevice({}), auto).pairs), ["q8@wasm"]);
  const small = listCandidates(fits, makeDevice({ memoryBytes: 4 * gigabyte }), { ...auto, backend: "wasm" });
  assert.match(small.passed[0].reason, /q8 needs 4\.51 GB of memory, too much for a device with 4\.29 GB/);
  const over = makeManifest([
    makeVariant("q8", { graphs: { wasm: { ...graph, heap_bytes: 4.1 * gigabyte } }, backends: ["wasm"] }),
  ]);
  const { passed } = listCandidates(over, makeDevice({}), { ...auto, backend: "wasm" });
  assert.match(passed[0].reason, /q8 needs 4\.4 GB of memory, but wasm can only use 4\.29 GB/);
});

const software = makeDevice({
  adapter: { vendor: "google", architecture: "swiftshader", description: "", software: true },
});

test("a software adapter comes last, and the reason says so", () => {
  const manifest = makeManifest([makeVariant("q4"), makeVariant("f16", { backends: ["webgpu"] })]);
  const { pairs, passed } = listCandidates(manifest, software, auto);
  assert.deepEqual(names(pairs), ["q4@wasm", "q4@webgpu", "f16@webgpu"]);
  assert.match(
    explainChoice(pairs[0], passed, manifest, auto),
    /is software \(swiftshader\), .* so the model runs on the CPU \(wasm\)\.$/,
  );
});

test("a software adapter is used where it is asked for, or where there is nothing else", () => {
  const manifest = makeManifest([makeVariant("q4")]);
  const forced = listCandidates(manifest, software, { backend: "webgpu", variant: "auto" });
  assert.deepEqual([names(forced.pairs), forced.passed], [["q4@webgpu"], []]);
  const only = listCandidates(makeManifest([makeVariant("q4", { backends: ["webgpu"] })]), software, auto);
  assert.deepEqual(names(only.pairs), ["q4@webgpu"]);
  assert.deepEqual(
    only.passed.map(({ backend }) => backend),
    ["wasm"],
  );
});

test("a forced choice leaves no way to another backend or variant", () => {
  const manifest = makeManifest([makeVariant("q4"), makeVariant("fp32")]);
  assert.deepEqual(names(listCandidates(manifest, makeDevice(), { backend: "wasm", variant: "auto" }).pairs), [
    "q4@wasm",
    "fp32@wasm",
  ]);
  assert.deepEqual(names(listCandidates(manifest, makeDevice(), { backend: "auto", variant: "fp32" }).pairs), [
    "fp32@webgpu",
    "fp32@wasm",
  ]);
  assert.deepEqual(names(listCandidates(manifest, makeDevice(), { backend: "wasm", variant: "fp32" }).pairs), [
    "fp32@wasm",
  ]);
});

test("a choice that does not exist names those that do", () => {
  const manifest = makeManifest([makeVariant("q4"), makeVariant("fp32")]);
  assert.throws(() => listCandidates(manifest, makeDevice(), { ...auto, variant: "q3" }), {
    code: "no-candidate",
    message: /no variant "q3". It has: q4, fp32/,
  });
  const cuda = /** @type {any} */ ("cuda");
  assert.throws(() => listCandidates(manifest, makeDevice(), { ...auto, backend: cuda }), {
    code: "no-candidate",
    message: /no backend "cuda"/,
  });
});

test("the reason is about the pair's own variant on the better backend, when there is one", () => {
  const manifest = makeManifest([
    makeVariant("q4f16", { requires: ["shader-f16"], backends: ["webgpu"] }),
    makeVariant("q4"),
  ]);
  const { passed } = listCandidates(manifest, makeDevice({ features: [] }), auto);
  const attempts = [
    ...passed,
    { variant: "q4", backend: /** @type {const} */ ("webgpu"), ok: false, reason: "It broke." },
  ];
  assert.equal(
    explainChoice({ variant: "q4", backend: "wasm" }, attempts, manifest, auto),
    "It broke, so the model runs on the CPU (wasm).",
  );
});

test("the best pair needs no reason; a forced wasm has one", () => {
  const manifest = makeManifest([makeVariant("q4")]);
  assert.equal(explainChoice({ variant: "q4", backend: "webgpu" }, [], manifest, auto), "");
  assert.match(
    explainChoice({ variant: "q4", backend: "wasm" }, [], manifest, { ...auto, backend: "wasm" }),
    /asked for wasm/,
  );
});

test("defeat tells the last word on every pair that exists, once", () => {
  const manifest = makeManifest([
    makeVariant("q4", { backends: ["webgpu"] }),
    makeVariant("fp32", { backends: ["webgpu"] }),
  ]);
  const failed = (/** @type {string} */ variant, /** @type {string} */ reason) => ({
    variant,
    backend: /** @type {const} */ ("webgpu"),
    ok: false,
    reason,
  });
  const attempts = [failed("q4", "It is slow."), failed("q4", "No memory"), failed("fp32", "No memory")];
  assert.equal(explainDefeat(attempts, manifest, auto), "This model cannot run in this browser. No memory.");
  assert.match(
    explainDefeat(attempts, manifest, { backend: "webgpu", variant: "q4" }),
    /cannot run here as q4 on webgpu, as it was asked to\. No memory\.$/,
  );
});

test("bytes in words", () => {
  assert.deepEqual([0, 999, 1000, 25e6, 4.29e9].map(formatBytes), ["0 bytes", "999 bytes", "1 kB", "25 MB", "4.29 GB"]);
});
