/**
 * ONNX Runtime's WebAssembly instance. Its public API copies every tensor into the wasm heap and out again, with each
 * run; who works on the heap itself, as the decode loop does with its cache, copies nothing.
 *
 * @typedef {object} OrtInstance  the part of the instance that the kit uses; pointers are numbers
 * @property {Uint8Array} HEAPU8
 * @property {(bytes: number) => number} _malloc
 * @property {(pointer: number) => void} _free
 * @property {(pointer: number, value: number, type: "i32" | "*") => void} setValue
 * @property {(pointer: number, type: "i32" | "*") => number} getValue
 * @property {(pointer: number) => string} UTF8ToString
 * @property {(codePointer: number, messagePointer: number) => number} _OrtGetLastError
 * @property {(dtype: number, data: number, bytes: number, dims: number, dimsLength: number, location: number) => number} _OrtCreateTensor
 * @property {(tensor: number) => number} _OrtReleaseTensor
 * @property {(session: number, inputNames: number, inputs: number, inputCount: number, outputNames: number, outputCount: number, outputs: number, options: number) => number | Promise<number>} _OrtRun
 */

/** @type {OrtInstance | null} */
let kept = null;

/**
 * @param {OrtInstance} instance
 */
export function keepInstance(instance) {
  kept = instance;
}

/** @returns {OrtInstance | null} null until ONNX Runtime has started */
export function keptInstance() {
  return kept;
}

/**
 * The module that ONNX Runtime imports in place of its own glue: it starts that, and keeps the instance.
 * @param {string} glueUrl
 * @returns {string}
 */
export function wrapGlue(glueUrl) {
  return new URL(`./ort-glue.js?${encodeURIComponent(glueUrl)}`, import.meta.url).href;
}
