/** Arrays that visitors bring: JSON, nested or flat, and NumPy's .npy files. */

import { halfToFloat } from "./kit/float16.js";
import { arrayTypeOf, countElements } from "./kit/tensors.js";
import { formatCount } from "./kit/ui/format.js";
import { formatShape } from "./shapes.js";

/** What is wrong with an array, in words for the visitor. */
export class ArrayProblem extends Error {}

/** @typedef {{shape: number[], values: ArrayLike<number | bigint>}} GivenArray */

/** @type {Record<string, number>} */
const WORDS = { NaN: NaN, Infinity: Infinity, "-Infinity": -Infinity };

/** The dtype that .npy calls so, little-endian or of one byte. */
const NPY_DTYPES = Object.freeze({
  "|b1": "bool", "|i1": "int8", "|u1": "uint8", "<i2": "int16", "<u2": "uint16", "<i4": "int32",
  "<u4": "uint32", "<i8": "int64", "<u8": "uint64", "<f2": "float16", "<f4": "float32", "<f8": "float64",
});

/**
 * @param {string} text a number, or arrays of numbers; also `{"data": …}` as this page downloads it
 * @returns {GivenArray}
 */
export function parseJson(text) {
  if (text.trim() === "") throw new ArrayProblem("Paste numbers, or load a file.");
  let value;
  try {
    value = JSON.parse(text);
  } catch (error) {
    const words = error instanceof Error ? error.message : String(error);
    throw new ArrayProblem(`This is not JSON: ${words}`, { cause: error });
  }
  const isDownload = value !== null && typeof value === "object" && !Array.isArray(value) && "data" in value;
  /** @type {(number | bigint)[]} */
  const values = [];
  const shape = flatten(isDownload ? value.data : value, values, []);
  return { shape: isDownload && Array.isArray(value.shape) ? value.shape : shape, values };
}

/**
 * @param {unknown} value
 * @param {(number | bigint)[]} values gets the numbers in order
 * @param {number[]} path where `value` lies, for messages
 * @returns {number[]} the shape of `value`
 */
function flatten(value, values, path) {
  if (!Array.isArray(value)) {
    values.push(readNumber(value, path));
    return [];
  }
  const shapes = value.map((inner, index) => flatten(inner, values, [...path, index]));
  const [first = []] = shapes;
  const odd = shapes.findIndex((shape) => shape.join() !== first.join());
  if (odd >= 0) {
    const where = `item [${[...path, odd]}]`;
    throw new ArrayProblem(`The rows differ: ${where} is ${formatShape(shapes[odd])}, the first one is ${formatShape(first)}.`);
  }
  return [value.length, ...first];
}

/**
 * @param {unknown} value
 * @param {number[]} path
 * @returns {number | bigint}
 */
function readNumber(value, path) {
  if (typeof value === "number") return value;
  if (typeof value === "boolean") return Number(value);
  if (typeof value === "string" && value in WORDS) return WORDS[value];
  if (typeof value === "string" && /^-?\d+$/.test(value)) return BigInt(value);
  throw new ArrayProblem(`Item [${path}] is ${JSON.stringify(value)}, which is not a number.`);
}

/**
 * @param {ArrayBuffer} buffer
 * @returns {GivenArray}
 */
export function parseNpy(buffer) {
  const bytes = new Uint8Array(buffer);
  if (bytes.length < 12 || bytes[0] !== 0x93 || String.fromCharCode(...bytes.subarray(1, 6)) !== "NUMPY") {
    throw new ArrayProblem("This is not an .npy file.");
  }
  const view = new DataView(buffer);
  const start = bytes[6] === 1 ? 10 : 12;
  const end = start + (bytes[6] === 1 ? view.getUint16(8, true) : view.getUint32(8, true));
  const header = new TextDecoder("latin1").decode(bytes.subarray(start, end));
  const descr = /'descr':\s*'([^']+)'/.exec(header)?.[1] ?? "";
  const sizes = /'shape':\s*\(([\d,\s]*)\)/.exec(header)?.[1];
  if (!Object.hasOwn(NPY_DTYPES, descr) || sizes === undefined) {
    throw new ArrayProblem(`.npy files of dtype ${descr || "unknown"} are not read here.`);
  }
  const shape = sizes.split(",").filter((size) => size.trim()).map(Number);
  if (/'fortran_order':\s*True/.test(header) && shape.length > 1) {
    throw new ArrayProblem("This .npy file is in Fortran order. Save it again with numpy.ascontiguousarray(array).");
  }
  const dtype = NPY_DTYPES[/** @type {keyof typeof NPY_DTYPES} */ (descr)];
  const arrayType = /** @type {typeof Float32Array} one of them, whichever: all take a buffer */ (arrayTypeOf(dtype));
  const count = countElements(shape);
  if (bytes.length - end < count * arrayType.BYTES_PER_ELEMENT) throw new ArrayProblem("This .npy file is cut short.");
  const data = new arrayType(buffer.slice(end, end + count * arrayType.BYTES_PER_ELEMENT));
  return { shape, values: dtype === "float16" ? Float32Array.from(data, halfToFloat) : data };
}

/**
 * Check that an array fits an input before it goes in.
 *
 * @param {GivenArray} given
 * @param {string} dtype
 * @param {number[]} shape
 */
export function checkArray({ values }, dtype, shape) {
  const expected = countElements(shape);
  if (values.length !== expected) {
    const found = `there ${values.length === 1 ? "is" : "are"} ${formatCount(values.length, "number")}`;
    throw new ArrayProblem(`${formatShape(shape)} takes ${formatCount(expected, "number")}; ${found}.`);
  }
  if (dtype.startsWith("float")) return;
  const [least, most] = rangeOf(dtype);
  for (let index = 0; index < values.length; index += 1) {
    const value = values[index];
    const found = `number ${index + 1} is ${value}`;
    if (typeof value === "number" && !Number.isInteger(value)) throw new ArrayProblem(`${dtype} takes whole numbers; ${found}.`);
    if (value < least || value > most) throw new ArrayProblem(`${dtype} goes from ${least} to ${most}; ${found}.`);
  }
}

/**
 * @param {string} dtype a whole-number one
 * @returns {[least: bigint, most: bigint]}
 */
function rangeOf(dtype) {
  if (dtype === "bool") return [0n, 1n];
  const bits = BigInt(8 * arrayTypeOf(dtype).BYTES_PER_ELEMENT);
  return dtype.startsWith("u") ? [0n, 2n ** bits - 1n] : [-(2n ** (bits - 1n)), 2n ** (bits - 1n) - 1n];
}
