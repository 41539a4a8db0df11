/**
 * What `chat.completions.create` takes, checked on the page so that a mistake is told at once. The names are those of
 * OpenAI's API, with the few that local models add.
 *
 * @typedef {import("../types.js").GenerationRequest} GenerationRequest
 *
 * @typedef {object} CreateOptions
 * @property {readonly MessageParam[]} messages
 * @property {boolean | null} [stream]
 * @property {{include_usage?: boolean} | null} [stream_options]
 * @property {string} [model]  echoed in the answer
 * @property {number | null} [temperature]
 * @property {number | null} [top_p]
 * @property {number | null} [top_k]
 * @property {number | null} [min_p]
 * @property {number | null} [repetition_penalty]
 * @property {number | null} [frequency_penalty]
 * @property {number | null} [presence_penalty]
 * @property {number | null} [seed]
 * @property {string | readonly string[] | null} [stop]
 * @property {number | null} [max_tokens]
 * @property {number | null} [max_completion_tokens]
 * @property {ResponseFormat | null} [response_format]  with `json_object` the answer is a JSON object, with `json_schema`
 *   one that fits the schema, whatever the model: properties come in the schema's order, no others unless it says so
 *   (additionalProperties), and what cannot be kept is refused by name. Cut short by its limit (finish_reason "length")
 *   it may not parse
 * @property {import("./tools.js").ToolOptions["tools"]} [tools]  functions that the model may call: the arguments of its
 *   calls parse and fit their `parameters`, which are kept to as a json_schema is; not beside response_format and stop
 * @property {import("./tools.js").ToolOptions["tool_choice"]} [tool_choice]
 * @property {boolean | null} [parallel_tool_calls]  with false an answer has one call at most
 * @property {AbortSignal} [signal]
 *
 * @typedef {object} JsonSchemaFormat
 * @property {string} name
 * @property {string} [description]
 * @property {Record<string, unknown>} [schema]
 * @property {boolean | null} [strict]  a schema is always kept to
 * @typedef {{type: "text"} | {type: "json_object"} | {type: "json_schema", json_schema: JsonSchemaFormat}} ResponseFormat
 *
 * @typedef {import("./messages.js").MessageParam} MessageParam
 */

import { bad, describe, unsupported } from "./faults.js";
import { readMessages } from "./messages.js";
import { copySchema } from "./schema.js";
import { readTools } from "./tools.js";

/** @type {Record<string, [number, number, "whole" | "any"]>} */
const ranges = {
  temperature: [0, 2, "any"],
  top_p: [0, 1, "any"],
  top_k: [0, Infinity, "whole"],
  min_p: [0, 1, "any"],
  repetition_penalty: [0.01, 100, "any"],
  frequency_penalty: [-2, 2, "any"],
  presence_penalty: [-2, 2, "any"],
  seed: [-Number.MAX_SAFE_INTEGER, Number.MAX_SAFE_INTEGER, "whole"],
};
const lengths = ["max_tokens", "max_completion_tokens"];

/** What changes nothing here, and so may be there. */
const ignored = new Set(
  "model user metadata store service_tier safety_identifier prompt_cache_key prompt_cache_retention verbosity".split(
    " ",
  ),
);

/** Values under which a parameter that is not supported asks for nothing. @type {Record<string, (value: any) => boolean>} */
const harmless = {
  n: (value) => value === 1,
  logprobs: (value) => value === false,
  modalities: (value) => Array.isArray(value) && value.every((each) => each === "text"),
  logit_bias: (value) => !Object.keys(value).length,
  reasoning_effort: (value) => value === "none",
};

/** What is not supported, and what to do instead. @type {Record<string, string>} */
const notHere = {
  n: "one answer is made at a time: ask again for another",
  logprobs: "answers come without the probabilities of their tokens",
  top_logprobs: "answers come without the probabilities of their tokens",
  logit_bias: "tokens cannot be made likelier one by one",
  modalities: "this model reads and writes text only",
  audio: "this model reads and writes text only",
  reasoning_effort: "this model's effort cannot be set",
  prediction: "answers cannot be predicted",
  functions: "use tools",
  function_call: "use tool_choice",
  web_search_options: "nothing is sent anywhere",
};
const known = new Set([
  ...Object.keys(ranges),
  ...lengths,
  "messages",
  "stream",
  "stream_options",
  "stop",
  "signal",
  "response_format",
  "tools",
  "tool_choice",
  "parallel_tool_calls",
]);

/**
 * @param {CreateOptions} options
 * @returns {GenerationRequest}
 */
export function readRequest(options) {
  if (options === null || typeof options !== "object") throw bad("messages", "The request must be an object.");
  checkNames(options);
  checkManner(options);
  const { max_completion_tokens: longest, max_tokens: older } = options;
  for (const name of lengths) checkNumber(name, options, [1, Infinity, "whole"]);
  const { tools, format } = readTools(options);
  return {
    messages: readMessages(options.messages),
    sampling: readSampling(options),
    stop: readStop(options.stop),
    maxTokens: longest ?? older ?? null,
    tools,
    format: format ?? readFormat(options.response_format ?? null),
  };
}

/**
 * @param {CreateOptions} options
 */
function checkNames(options) {
  for (const [name, value] of Object.entries(options)) {
    if (value === undefined || value === null || known.has(name) || ignored.has(name)) continue;
    if (!Object.hasOwn(notHere, name)) throw bad(name, `There is no parameter "${name}".`);
    if (harmless[name]?.(value)) continue;
    throw unsupported(name, `${name} cannot be ${describe(value)} here: ${notHere[name]}.`);
  }
}

/**
 * @param {CreateOptions} options
 */
function checkManner({ model, signal, stream, stream_options: streamOptions }) {
  if (typeof (model ?? "") !== "string") throw bad("model", `model must be a text, not ${describe(model)}.`);
  if (typeof (stream ?? false) !== "boolean") {
    throw bad("stream", `stream must be true or false, not ${describe(stream)}.`);
  }
  if (streamOptions && !stream) throw bad("stream_options", "stream_options are for answers with stream: true.");
  if (signal && typeof signal.throwIfAborted !== "function") {
    throw bad("signal", `signal must be an AbortSignal, not ${describe(signal)}.`);
  }
}

/**
 * @param {CreateOptions} options
 * @returns {GenerationRequest["sampling"]}
 */
function readSampling(options) {
  const given = Object.entries(ranges).flatMap(([name, range]) => {
    const value = checkNumber(name, options, range);
    return value === null ? [] : [[name, value]];
  });
  return Object.fromEntries(given);
}

/**
 * @param {string} name
 * @param {CreateOptions} options
 * @param {[number, number, "whole" | "any"]} range
 * @returns {number | null} null where it is left out
 */
function checkNumber(name, options, [least, most, kind]) {
  const value = /** @type {any} */ (options)[name] ?? null;
  if (value === null) return null;
  const fits = kind === "whole" ? Number.isInteger(value) : Number.isFinite(value);
  if (fits && value >= least && value <= most) return value;
  const limits = most === Infinity ? `from ${least} up` : `from ${least} to ${most}`;
  throw bad(name, `${name} must be a ${kind === "whole" ? "whole " : ""}number ${limits}, not ${describe(value)}.`);
}

/**
 * @param {unknown} stop
 * @returns {string[]}
 */
function readStop(stop) {
  const list = stop === undefined || stop === null ? [] : Array.isArray(stop) ? stop : [stop];
  if (list.every((each) => typeof each === "string" && each)) return list;
  throw bad("stop", "stop must be a text or a list of texts, none of them empty.");
}

/**
 * @param {any} format
 * @returns {GenerationRequest["format"]} null for plain text
 */
function readFormat(format) {
  if (format === null || format?.type === "text") return null;
  if (format?.type === "json_object") return { type: "json_object" };
  if (format?.type !== "json_schema") {
    throw bad(
      "response_format.type",
      `response_format.type must be text, json_object or json_schema, not ${describe(format?.type)}.`,
    );
  }
  const given = format.json_schema;
  if (typeof given?.name !== "string" || !/^[\w-]{1,64}$/.test(given.name)) {
    throw bad(
      "response_format.json_schema.name",
      `response_format.json_schema.name must be 1 to 64 letters, digits, _ or -, not ${describe(given?.name)}.`,
    );
  }
  return { type: "json_schema", schema: copySchema(given.schema, "response_format.json_schema.schema") };
}
