/** JSON Schemas of requests, on their way to the worker. */

import { describeError } from "../errors.js";
import { bad, describe } from "./faults.js";

/** In characters of JSON. */
const longestSchema = 200_000;

/**
 * @param {unknown} schema
 * @param {string} param
 * @returns {Record<string, unknown>} as JSON has it: what is sent to the worker is what the schema says
 */
export function copySchema(schema, param) {
  if (schema === null || typeof schema !== "object" || Array.isArray(schema)) {
    throw bad(param, `${param} must be an object, not ${describe(schema)}.`);
  }
  let text;
  try {
    text = JSON.stringify(schema);
  } catch (error) {
    throw bad(param, `${param} is not JSON: ${describeError(error)}`);
  }
  if (text.length <= longestSchema) return JSON.parse(text);
  throw bad(param, `${param} has ${text.length} characters; at most ${longestSchema} can be compiled here.`);
}
