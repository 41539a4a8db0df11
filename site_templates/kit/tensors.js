/**
 * Tensors: plain objects that cross `postMessage`, their JSON form, and ONNX Runtime's own.
 *
 * @typedef {Float32Array|Float64Array|Int8Array|Uint8Array|Int16Array|Uint16Array|Int32Array|Uint32Array|BigInt64Array|BigUint64Array} TensorData
 * @typedef {{dtype: string, shape: number[], data: TensorData}} Tensor  float16 data is a Uint16Array of raw bits
 * @typedef {{dtype: string, shape: number[], data: string}} EncodedTensor  data is base64 of the little-endian bytes
 */

import { KitError } from "./errors.js";
import { encodeHalves, halfTable } from "./float16.js";

/**
 * @template {TensorData} T
 * @typedef {{new (length: number): T, new (buffer: ArrayBufferLike, offset?: number, length?: number): T, BYTES_PER_ELEMENT: number, name: string}} ArrayType
 */

/** The array that holds each ONNX dtype. */
const arrayTypes = Object.freeze({
  float32: Float32Array,
  float16: Uint16Array,
  float64: Float64Array,
  int8: Int8Array,
  uint8: Uint8Array,
  bool: Uint8Array,
  int16: Int16Array,
  uint16: Uint16Array,
  int32: Int32Array,
  uint32: Uint32Array,
  int64: BigInt64Array,
  uint64: BigUint64Array,
});

/** The ONNX dtypes that a page can carry. */
export const dtypes = Object.freeze(Object.keys(arrayTypes));

/**
 * @param {string} dtype
 * @returns {ArrayType<TensorData>}
 */
export function arrayTypeOf(dtype) {
  if (Object.hasOwn(arrayTypes, dtype)) {
    return /** @type {ArrayType<any>} */ (arrayTypes[/** @type {keyof typeof arrayTypes} */ (dtype)]);
  }
  throw new KitError("bad-input", `Tensors of dtype "${dtype}" are not supported. Supported: ${dtypes.join(", ")}.`);
}

/**
 * @param {readonly number[]} shape
 * @returns {number}
 */
export function countElements(shape) {
  return shape.reduce((product, size) => product * size, 1);
}

/**
 * Say what is wrong with a tensor before ONNX Runtime does it in its own words.
 * @param {unknown} value
 * @param {string} name  for the message
 * @returns {Tensor}
 */
export function checkTensor(value, name) {
  const { dtype, shape, data } = /** @type {Partial<Tensor>} */ (value ?? {});
  if (typeof dtype !== "string" || !Array.isArray(shape) || !ArrayBuffer.isView(data)) {
    throw new KitError("bad-input", `${name} must be {dtype, shape, data} with a typed array as data.`);
  }
  const arrayType = arrayTypeOf(dtype);
  if (!shape.every((size) => Number.isInteger(size) && size >= 0)) {
    throw new KitError("bad-input", `${name} has the shape [${shape}]; sizes must be whole numbers from 0 up.`);
  }
  const given = isFloat16Array(data) && dtype === "float16" ? viewAs(data, Uint16Array) : data;
  if (!(given instanceof arrayType)) {
    throw new KitError(
      "bad-input",
      `${name} is ${dtype}, so its data must be a ${arrayType.name}, not a ${data.constructor.name}.`,
    );
  }
  if (given.length !== countElements(shape)) {
    throw new KitError(
      "bad-input",
      `${name} has ${given.length} numbers, but its shape [${shape}] takes ${countElements(shape)}.`,
    );
  }
  return { dtype, shape, data: given };
}

/**
 * @param {Tensor} tensor
 * @returns {EncodedTensor}
 */
export function encodeTensor(tensor) {
  const { dtype, shape, data } = checkTensor(tensor, "The tensor");
  return { dtype, shape: [...shape], data: toBase64(viewAs(data, Uint8Array)) };
}

/**
 * @param {EncodedTensor} encoded
 * @returns {Tensor}
 */
export function decodeTensor(encoded) {
  const bytes = fromBase64(encoded.data);
  const arrayType = arrayTypeOf(encoded.dtype);
  if (bytes.length % arrayType.BYTES_PER_ELEMENT) {
    throw new KitError("bad-input", `A ${encoded.dtype} tensor cannot have ${bytes.length} bytes of data.`);
  }
  const data = new arrayType(bytes.buffer, 0, bytes.length / arrayType.BYTES_PER_ELEMENT);
  return checkTensor({ dtype: encoded.dtype, shape: encoded.shape, data }, "The tensor");
}

/**
 * Decode every tensor inside a JSON value, however deep.
 * @param {any} value
 * @returns {any}
 */
export function decodeDeep(value) {
  if (Array.isArray(value)) return value.map(decodeDeep);
  if (value === null || typeof value !== "object") return value;
  if (typeof value.dtype === "string" && typeof value.data === "string") return decodeTensor(value);
  return Object.fromEntries(Object.entries(value).map(([name, inner]) => [name, decodeDeep(inner)]));
}

/**
 * The numbers of a tensor as float32, whatever its dtype (64-bit integers lose digits).
 * @param {Tensor} tensor
 * @returns {Float32Array}
 */
export function toFloat32(tensor) {
  const { dtype, data } = tensor;
  if (data instanceof Float32Array) return data;
  if (dtype === "float16") {
    const values = halfTable();
    return Float32Array.from(/** @type {Uint16Array} */ (data), (half) => values[half]);
  }
  return Float32Array.from(/** @type {Iterable<number>} */ (data), Number);
}

/**
 * Numbers as a tensor of any dtype: rounded to nearest even for float16, truncated for integers, 0 or 1 for bool.
 * @param {string} dtype
 * @param {number[]} shape
 * @param {ArrayLike<number>} values
 * @returns {Tensor}
 */
export function fromNumbers(dtype, shape, values) {
  const data = new (arrayTypeOf(dtype))(values.length);
  if (dtype === "float16") encodeHalves(Float32Array.from(values), /** @type {Uint16Array} */ (data));
  else for (let index = 0; index < data.length; index++) data[index] = asElement(data, dtype, values[index]);
  return checkTensor({ dtype, shape, data }, "The tensor");
}

/**
 * @param {TensorData} data
 * @param {string} dtype
 * @param {number} value
 * @returns {any} a bigint for the 64-bit arrays, a number for the others
 */
function asElement(data, dtype, value) {
  if (dtype === "bool") return value ? 1 : 0;
  return data instanceof BigInt64Array || data instanceof BigUint64Array ? BigInt(Math.trunc(value)) : value;
}

/**
 * @param {Tensor} tensor
 * @param {typeof import("onnxruntime-common")} ort
 * @returns {import("onnxruntime-common").Tensor}
 */
export function toOrtTensor(tensor, ort) {
  return new ort.Tensor(/** @type {any} */ (tensor.dtype), /** @type {any} */ (tensor.data), tensor.shape);
}

/**
 * @param {import("onnxruntime-common").Tensor} tensor  on the CPU
 * @returns {Tensor}
 */
export function fromOrtTensor(tensor) {
  const data = /** @type {ArrayBufferView} */ (/** @type {unknown} */ (tensor.data));
  return { dtype: tensor.type, shape: [...tensor.dims], data: viewAs(data, arrayTypeOf(tensor.type)) };
}

/**
 * The buffers to hand over with `postMessage`, each once.
 * @param {any} value
 * @returns {ArrayBuffer[]}
 */
export function collectBuffers(value) {
  const found = new Set();
  /** @param {any} inner */
  const visit = (inner) => {
    if (ArrayBuffer.isView(inner)) found.add(inner.buffer);
    else if (inner && typeof inner === "object") Object.values(inner).forEach(visit);
  };
  visit(value);
  return [...found].filter((buffer) => buffer instanceof ArrayBuffer);
}

/**
 * The same bytes as another kind of array.
 * @template {TensorData} T
 * @param {ArrayBufferView} view
 * @param {ArrayType<T>} arrayType
 * @returns {T}
 */
function viewAs(view, arrayType) {
  if (view instanceof arrayType) return view;
  return new arrayType(view.buffer, view.byteOffset, view.byteLength / arrayType.BYTES_PER_ELEMENT);
}

/**
 * @param {ArrayBufferView} view
 * @returns {boolean}
 */
function isFloat16Array(view) {
  return view.constructor.name === "Float16Array";
}

/**
 * @param {Uint8Array} bytes
 * @returns {string}
 */
function toBase64(bytes) {
  const parts = [];
  // In steps, because the arguments of a call live on the stack; a multiple of 3, so that the pieces just join.
  for (let start = 0; start < bytes.length; start += 0x6000) {
    parts.push(btoa(String.fromCharCode(...bytes.subarray(start, start + 0x6000))));
  }
  return parts.join("");
}

/**
 * @param {string} text
 * @returns {Uint8Array<ArrayBuffer>}
 */
function fromBase64(text) {
  const binary = atob(text);
  const bytes = new Uint8Array(binary.length);
  for (let index = 0; index < binary.length; index++) bytes[index] = binary.charCodeAt(index);
  return bytes;
}
