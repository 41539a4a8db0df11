/**
 * What `embeddings.create` takes, checked on the page so that a mistake is told at once.
 *
 * @typedef {object} CreateEmbeddingOptions
 * @property {string | readonly string[] | readonly number[] | readonly (readonly number[])[]} input
 *   texts, or token ids as the model's tokenizer gives them, special tokens included
 * @property {string} [model]  echoed in the answer
 * @property {"float" | "base64" | null} [encoding_format]
 * @property {number | null} [dimensions]  the model's own, if any
 * @property {string} [user]
 * @property {AbortSignal} [signal]
 *
 * @typedef {{inputs: (string | number[])[], isBase64: boolean}} ReadEmbeddingRequest
 */

import { KitError } from "../errors.js";

const known = new Set(["input", "model", "encoding_format", "dimensions", "user", "signal"]);

/** As many as OpenAI's API takes at a time. */
const mostInputs = 2048;

/**
 * @param {CreateEmbeddingOptions} options
 * @param {number} dimensions  of the model
 * @returns {ReadEmbeddingRequest}
 */
export function readEmbeddingRequest(options, dimensions) {
  if (options === null || typeof options !== "object") throw bad("input", "The request must be an object.");
  const unknown = Object.keys(options).find((name) => !known.has(name));
  if (unknown) throw bad(unknown, `There is no parameter "${unknown}".`);
  const format = options.encoding_format ?? "float";
  if (format !== "float" && format !== "base64") {
    throw bad("encoding_format", `encoding_format must be "float" or "base64", not ${describe(format)}.`);
  }
  checkDimensions(options.dimensions ?? dimensions, dimensions);
  return { inputs: readInputs(options.input), isBase64: format === "base64" };
}

/**
 * @param {unknown} asked
 * @param {number} dimensions  of the model
 */
function checkDimensions(asked, dimensions) {
  if (asked === dimensions) return;
  if (!Number.isInteger(asked) || Number(asked) < 1) {
    throw bad("dimensions", `dimensions must be a whole number from 1 on, not ${describe(asked)}.`);
  }
  const words = `This model's embeddings have ${dimensions} dimensions and mean nothing with ${asked}.`;
  throw new KitError("unsupported", words, { param: "dimensions" });
}

/**
 * @param {unknown} input
 * @returns {(string | number[])[]}
 */
function readInputs(input) {
  if (input === "") throw bad("input", "input is an empty text.");
  const list = typeof input === "string" || isTokens(input) ? [input] : input;
  if (!Array.isArray(list) || !list.length) {
    throw bad("input", `input must be a text, a list of texts, or a list of tokens, not ${describe(input)}.`);
  }
  if (list.length > mostInputs) throw bad("input", `input has ${list.length} entries; at most ${mostInputs} are taken.`);
  const noToken = typeof list[0] === "number" ? list.findIndex((id) => !isToken(id)) : -1;
  if (noToken >= 0) throw bad("input", `input[${noToken}] is ${describe(list[noToken])}: a token is a whole number from 0 on.`);
  const wrong = list.findIndex((each) => (typeof list[0] === "string" ? typeof each !== "string" : !isTokens(each)));
  if (wrong >= 0) throw bad("input", `input[${wrong}] is ${describe(list[wrong])}: all must be texts, or all tokens.`);
  const empty = list.indexOf("");
  if (empty >= 0) throw bad("input", `input[${empty}] is empty.`);
  return list;
}

/**
 * @param {unknown} value
 * @returns {value is number[]}
 */
function isTokens(value) {
  return Array.isArray(value) && value.length > 0 && value.every(isToken);
}

/**
 * @param {unknown} id
 * @returns {boolean}
 */
function isToken(id) {
  return Number.isInteger(id) && Number(id) >= 0;
}

/**
 * @param {string} param
 * @param {string} message
 * @returns {KitError}
 */
function bad(param, message) {
  return new KitError("bad-input", message, { param });
}

/**
 * @param {unknown} value
 * @returns {string} short
 */
function describe(value) {
  return (JSON.stringify(value) ?? String(value)).slice(0, 80);
}
