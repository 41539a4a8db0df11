/**
 * Which (variant, backend) pairs fit this browser, best first, and why the others do not. Pure: decided before a
 * single byte of the model is fetched.
 *
 * @typedef {import("./types.js").Manifest} Manifest
 * @typedef {import("./types.js").Variant} Variant
 * @typedef {import("./types.js").Device} Device
 * @typedef {import("./types.js").Backend} Backend
 * @typedef {import("./types.js").Pair} Pair
 * @typedef {import("./types.js").Attempt} Attempt
 * @typedef {{backend: "auto" | Backend, variant: string}} Choice  variant: a name, or "auto"
 * @typedef {{choice: Choice, pairs: Pair[], passed: Attempt[]}} Plan  the pairs to try in order, and those passed over
 */

import { KitError, asSentence } from "./errors.js";

/** @type {readonly Backend[]} */
const backends = ["webgpu", "wasm"];

/** A 32-bit wasm heap ends here, whatever the machine has. */
const wasmHeapBytes = 4 * 2 ** 30;

/** Browsers report at most 8 GiB so as not to identify the machine: from there on the number says "or more". */
const reportedMemoryCap = 8 * 2 ** 30;

/** The part of the machine's memory that one page can hope for. */
const usableMemory = 0.75;

/**
 * @param {Manifest} manifest
 * @param {Device} device
 * @param {Choice} choice
 * @returns {Plan}
 */
export function listCandidates(manifest, device, choice) {
  checkChoice(manifest, choice);
  const software = choice.backend === "auto" && device.adapter?.software === true;
  /** @type {Pair[]} */
  const pairs = [];
  /** @type {Pair[]} */
  const lastResorts = [];
  /** @type {Attempt[]} */
  const passed = [];
  for (const { variant, backend } of orderPairs(manifest, choice)) {
    const pair = { variant: variant.name, backend };
    const reason = findObstacle(manifest, variant, backend, device);
    if (reason) passed.push({ ...pair, ok: false, reason: asSentence(reason) });
    else if (software && backend === "webgpu") lastResorts.push(pair);
    else pairs.push(pair);
  }
  // Only worth saying when there is something better than the software adapter.
  if (pairs.length)
    passed.push(...lastResorts.map((pair) => ({ ...pair, ok: false, reason: asSentence(softwareReason(device)) })));
  return { choice, pairs: [...pairs, ...lastResorts], passed };
}

/**
 * @param {Manifest} manifest
 * @param {Choice} choice
 */
function checkChoice(manifest, { backend, variant }) {
  if (backend !== "auto" && !backends.includes(backend)) {
    throw new KitError("no-candidate", `There is no backend "${backend}". There are: ${backends.join(", ")}.`);
  }
  const names = manifest.variants.map(({ name }) => name);
  if (variant !== "auto" && !names.includes(variant)) {
    throw new KitError("no-candidate", `This model has no variant "${variant}". It has: ${names.join(", ")}.`);
  }
}

/**
 * Every pair that the choice leaves, best first: the manifest's order on WebGPU, then again on wasm.
 * @param {Manifest} manifest
 * @param {Choice} choice
 * @returns {{variant: Variant, backend: Backend}[]}
 */
function orderPairs(manifest, choice) {
  const variants = manifest.variants.filter(({ name }) => choice.variant === "auto" || choice.variant === name);
  return backends
    .filter((backend) => choice.backend === "auto" || choice.backend === backend)
    .flatMap((backend) => variants.map((variant) => ({ variant, backend })));
}

/**
 * @param {Manifest} manifest
 * @param {Variant} variant
 * @param {Backend} backend
 * @param {Device} device
 * @returns {string} why the pair cannot run here; "" when it can
 */
function findObstacle(manifest, variant, backend, device) {
  if (!variant.backends.includes(backend) || !variant.graphs[backend]) {
    const unsupported = /** @type {Record<string, string>} */ (manifest.settings.unsupported ?? {});
    return unsupported[backend] ?? `The variant ${variant.name} is not made for ${backend}`;
  }
  return (backend === "webgpu" && findGpuObstacle(variant, device)) || findMemoryObstacle(variant, backend, device);
}

/**
 * @param {Variant} variant
 * @param {Device} device
 * @returns {string}
 */
function findGpuObstacle(variant, device) {
  if (!device.adapter) return device.gpuReason;
  const missing = variant.requires.filter((feature) => !device.features.includes(feature));
  if (missing.length) {
    return `The variant ${variant.name} needs ${missing.join(" and ")}, which this browser's WebGPU adapter does not have`;
  }
  if (variant.max_buffer_bytes > device.maxBufferBytes) {
    const [needed, allowed] = [formatBytes(variant.max_buffer_bytes), formatBytes(device.maxBufferBytes)];
    return `The variant ${variant.name} needs a GPU buffer of ${needed}, but this browser's WebGPU adapter allows ${allowed}`;
  }
  return "";
}

/**
 * @param {Variant} variant
 * @param {Backend} backend
 * @param {Device} device
 * @returns {string}
 */
function findMemoryObstacle({ name, graphs, memory_bytes: most }, backend, { memoryBytes }) {
  const needed = graphs[backend]?.memory_bytes || most;
  const heap = graphs[backend]?.heap_bytes || needed;
  if (backend === "wasm" && heap > wasmHeapBytes) {
    return `The variant ${name} needs ${formatBytes(heap)} of memory, but wasm can only use ${formatBytes(wasmHeapBytes)}`;
  }
  const known = memoryBytes > 0 && memoryBytes < reportedMemoryCap;
  if (known && needed > memoryBytes * usableMemory) {
    return `The variant ${name} needs ${formatBytes(needed)} of memory, too much for a device with ${formatBytes(memoryBytes)}`;
  }
  return "";
}

/**
 * @param {Device} device
 * @returns {string}
 */
function softwareReason({ adapter }) {
  const name = adapter?.description || adapter?.architecture || "no graphics card";
  return `This browser's WebGPU adapter is software (${name}), which is far slower than wasm`;
}

/**
 * Why `chosen` is not the best pair, as one sentence: what became of the same variant on the better backend, else of
 * the first better pair that this model has.
 * @param {Pair} chosen
 * @param {Attempt[]} attempts
 * @param {Manifest} manifest
 * @param {Choice} choice
 * @returns {string} "" when it is the best pair that there is
 */
export function explainChoice(chosen, attempts, manifest, choice) {
  const made = listMadePairs(manifest, choice);
  const better = made.slice(
    0,
    made.findIndex((pair) => isSame(pair, chosen)),
  );
  const failed = better.flatMap((pair) => attempts.find((attempt) => !attempt.ok && isSame(attempt, pair)) ?? []);
  const told = failed.find(({ variant }) => variant === chosen.variant) ?? failed[0];
  if (told) return `${told.reason.replace(/\.$/, "")}, so the model runs ${describePlace(chosen, told.backend)}.`;
  return choice.backend === "wasm" ? "The page was asked for wasm, so the model runs on the CPU." : "";
}

/**
 * Why nothing runs here: the last word on each pair that this model has.
 * @param {Attempt[]} attempts
 * @param {Manifest} manifest
 * @param {Choice} choice
 * @returns {string}
 */
export function explainDefeat(attempts, manifest, choice) {
  const made = listMadePairs(manifest, choice);
  const last = made.flatMap((pair) => attempts.findLast((attempt) => isSame(attempt, pair)) ?? []);
  const reasons = new Set((last.length ? last : attempts).map(({ reason }) => asSentence(reason)));
  const asked = [choice.variant, choice.backend].filter((word) => word !== "auto").join(" on ");
  const verdict = asked
    ? `This model cannot run here as ${asked}, as it was asked to.`
    : "This model cannot run in this browser.";
  return [verdict, ...reasons].join(" ");
}

/**
 * @param {Manifest} manifest
 * @param {Choice} choice
 * @returns {Pair[]} those that the model was built for, best first
 */
function listMadePairs(manifest, choice) {
  const made = orderPairs(manifest, choice).filter(({ variant, backend }) => variant.backends.includes(backend));
  return made.map(({ variant, backend }) => ({ variant: variant.name, backend }));
}

/**
 * @param {Pair} left
 * @param {Pair} right
 * @returns {boolean}
 */
function isSame(left, right) {
  return left.variant === right.variant && left.backend === right.backend;
}

/**
 * @param {Pair} chosen
 * @param {Backend} better  the backend of the pair that fell out
 * @returns {string}
 */
function describePlace({ variant, backend }, better) {
  if (backend === better) return `as ${variant}`;
  return backend === "wasm" ? "on the CPU (wasm)" : "on the GPU (webgpu)";
}

/**
 * @param {number} bytes
 * @returns {string}
 */
export function formatBytes(bytes) {
  const units = ["bytes", "kB", "MB", "GB"];
  const power = Math.min(Math.floor(Math.log10(Math.max(bytes, 1)) / 3), 3);
  return `${Number((bytes / 1000 ** power).toPrecision(3))} ${units[power]}`;
}
