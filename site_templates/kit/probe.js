/**
 * What this browser can do, asked in the worker: that `navigator.gpu` exists proves nothing, and a worker may have no
 * adapter although the page has one.
 *
 * @typedef {import("./types.js").Device} Device
 * @typedef {import("./types.js").Adapter} Adapter
 */

/** Names that software adapters go by: SwiftShader (Chrome), llvmpipe (Mesa), WARP (Windows). */
const softwareNames = /swiftshader|llvmpipe|lavapipe|software|microsoft basic render/i;

const adapterTries = 8;
const adapterPauseMs = 200;

/** @returns {Promise<Device>} */
export async function probeDevice() {
  const { adapter, reason } = await findAdapter();
  const limits = adapter?.limits;
  const memory = /** @type {{deviceMemory?: number}} */ (navigator).deviceMemory;
  return {
    adapter: adapter && describeAdapter(adapter),
    gpuReason: reason,
    features: adapter ? [...adapter.features].sort() : [],
    maxBufferBytes: limits ? Math.min(limits.maxBufferSize, limits.maxStorageBufferBindingSize) : 0,
    isolated: globalThis.crossOriginIsolated === true,
    jspi: "Suspending" in WebAssembly && "promising" in WebAssembly,
    cores: navigator.hardwareConcurrency || 1,
    memoryBytes: (memory ?? 0) * 2 ** 30,
  };
}

/**
 * After the GPU process has crashed the browser gives no adapter for a fraction of a second: ask again for a while.
 * @param {Device} device  as probed first
 * @returns {Promise<Device>}
 */
export async function awaitAdapter(device) {
  for (let tries = 0; !device.adapter && tries < adapterTries; tries++) {
    await new Promise((resolve) => setTimeout(resolve, adapterPauseMs));
    device = await probeDevice();
  }
  return device;
}

/** @returns {Promise<{adapter: GPUAdapter | null, reason: string}>} */
async function findAdapter() {
  if (!globalThis.isSecureContext) {
    return { adapter: null, reason: "Without https the browser hides WebGPU from this page" };
  }
  if (!navigator.gpu) return { adapter: null, reason: "This browser has no WebGPU" };
  try {
    const adapter = await navigator.gpu.requestAdapter({ powerPreference: "high-performance" });
    return { adapter, reason: adapter ? "" : "This browser has no WebGPU adapter" };
  } catch (error) {
    return {
      adapter: null,
      reason: `This browser's WebGPU failed (${error instanceof Error ? error.message : error})`,
    };
  }
}

/**
 * @param {GPUAdapter} adapter
 * @returns {Adapter}
 */
function describeAdapter(adapter) {
  const { vendor = "", architecture = "", description = "", device = "" } = adapter.info ?? {};
  // Where `isFallbackAdapter` sits has changed between browser versions.
  const declared = [adapter, adapter.info].some((place) => /** @type {any} */ (place)?.isFallbackAdapter === true);
  const software = declared || softwareNames.test([vendor, architecture, description, device].join(" "));
  return { vendor, architecture, description: description || device, software };
}
