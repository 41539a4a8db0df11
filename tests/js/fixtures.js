/** Manifests and devices for the tests: complete, small, and changed where a test says so. */

/**
 * @typedef {import("../../site_templates/kit/types.js").Manifest} Manifest
 * @typedef {import("../../site_templates/kit/types.js").Variant} Variant
 * @typedef {import("../../site_templates/kit/types.js").Device} Device
 */

/**
 * @param {string} name
 * @param {Partial<Variant>} [changes]
 * @returns {Variant}
 */
export function makeVariant(name, changes = {}) {
  return {
    name,
    dtype: name,
    backends: ["webgpu", "wasm"],
    requires: [],
    max_buffer_bytes: 1000,
    memory_bytes: 1000,
    download_bytes: 1000,
    files: [],
    graphs: {
      webgpu: { file: "a.onnx", expanded_bytes: 0, expand: [] },
      wasm: { file: "b.onnx", expanded_bytes: 0, expand: [] },
    },
    parity: { metric: "relative_error", value: 0, threshold: 0.01, max_abs_error: 0 },
    ...changes,
  };
}

/**
 * @param {Variant[]} variants
 * @param {Partial<Manifest>} [changes]
 * @returns {Manifest}
 */
export function makeManifest(variants, changes = {}) {
  return {
    schema: 1,
    name: "test",
    title: "Test",
    task: "tensor",
    license: "apache-2.0",
    source: { uri: "", revision: "", sha256: "" },
    tools: {},
    interface: { inputs: [], outputs: [] },
    variants,
    assets: [],
    golden: { path: "golden.json", sha256: "", count: 1 },
    settings: {},
    ...changes,
  };
}

/**
 * @param {Partial<Device>} [changes]
 * @returns {Device}
 */
export function makeDevice(changes = {}) {
  return {
    adapter: { vendor: "acme", architecture: "one", description: "", software: false },
    gpuReason: "",
    features: ["shader-f16"],
    maxBufferBytes: 2 ** 31,
    isolated: true,
    jspi: true,
    cores: 8,
    memoryBytes: 0,
    ...changes,
  };
}
