/**
 * ONNX Runtime's wasm heap, as far as the decode loop needs it: memory, tensors over it, and runs with both ends given.
 *
 * @typedef {import("../ort-instance.js").OrtInstance} OrtInstance
 * @typedef {"float32" | "float16" | "int64"} HeapDtype
 */

import { KitError } from "../errors.js";

/** ONNX's numbers for these dtypes. */
const dtypeNumbers = Object.freeze({ float32: 1, float16: 10, int64: 7 });
/** Where ONNX Runtime Web's C++ side finds a tensor's data: 0 is none, 1 the CPU. */
const onCpu = 1;
/** Of a 32-bit heap. */
const pointerBytes = 4;

/** Pointers are numbers; whoever allocates frees. */
export class OrtHeap {
  /**
   * @param {OrtInstance} instance
   */
  constructor(instance) {
    this.instance = instance;
  }

  /**
   * @param {number} bytes
   * @returns {number}
   */
  allocate(bytes) {
    const pointer = this.instance._malloc(bytes);
    if (pointer) return pointer;
    throw new KitError("run", `There is no memory for ${(bytes / 1e6).toFixed(0)} MB more of this conversation.`);
  }

  /**
   * @param {number} pointer
   */
  free(pointer) {
    this.instance._free(pointer);
  }

  /** @returns {ArrayBufferLike} asked for anew each time: a heap that grows may change it */
  get buffer() {
    return this.instance.HEAPU8.buffer;
  }

  /**
   * @param {string} text
   * @returns {number} zero-terminated
   */
  allocateText(text) {
    const bytes = new TextEncoder().encode(`${text}\0`);
    const pointer = this.allocate(bytes.length);
    this.instance.HEAPU8.set(bytes, pointer);
    return pointer;
  }

  /**
   * @param {readonly number[]} values
   * @returns {number} an array of pointers
   */
  allocateList(values) {
    const list = this.allocate(Math.max(1, values.length) * pointerBytes);
    values.forEach((value, index) => this.setItem(list, index, value));
    return list;
  }

  /**
   * @param {number} list
   * @param {number} index
   * @param {number} value
   */
  setItem(list, index, value) {
    this.instance.setValue(list + index * pointerBytes, value, "*");
  }

  /**
   * @param {HeapDtype} dtype
   * @param {number} data
   * @param {number} bytes
   * @param {readonly number[]} dims
   * @returns {number} a tensor over `data`, which stays the caller's
   */
  createTensor(dtype, data, bytes, dims) {
    const sizes = this.allocateList(dims);
    const tensor = this.instance._OrtCreateTensor(dtypeNumbers[dtype], data, bytes, sizes, dims.length, onCpu);
    this.free(sizes);
    if (!tensor) throw this.#readError();
    return tensor;
  }

  /**
   * @param {number} tensor
   */
  releaseTensor(tensor) {
    this.instance._OrtReleaseTensor(tensor);
  }

  /**
   * @param {number} session
   * @param {{names: number, values: number, count: number}} inputs  lists
   * @param {{names: number, values: number, count: number}} outputs  lists
   */
  async run(session, inputs, outputs) {
    const { names, values, count } = inputs;
    const code = await this.instance._OrtRun(
      ...[session, names, values, count],
      ...[outputs.names, outputs.count, outputs.values, 0],
    );
    if (code) throw this.#readError();
  }

  /** @returns {KitError} */
  #readError() {
    const place = this.allocate(2 * pointerBytes);
    this.instance._OrtGetLastError(place, place + pointerBytes);
    const message = this.instance.getValue(place + pointerBytes, "*");
    const words = message ? this.instance.UTF8ToString(message) : "no reason given";
    this.free(place);
    return new KitError("run", `ONNX Runtime failed while computing: ${words}`);
  }
}
