/**
 * What `chat.completions.create` takes, checked on the page so that a mistake is told at once. The names are those of
 * OpenAI's API, with the few that local models add.
 *
 * @typedef {import("../types.js").ChatMessage} ChatMessage
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
 * @property {AbortSignal} [signal]
 *
 * @typedef {object} JsonSchemaFormat
 * @property {string} name
 * @property {string} [description]
 * @property {Record<string, unknown>} [schema]
 * @property {boolean | null} [strict]  a schema is always kept to
 * @typedef {{type: "text"} | {type: "json_object"} | {type: "json_schema", json_schema: JsonSchemaFormat}} ResponseFormat
 *
 * @typedef {{role: string, content?: string | readonly {type: string}[] | null}} MessageParam
 */

import { KitError, describeError } from "../errors.js";

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

/** In characters of JSON. */
const longestSchema = 200_000;

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
  tools: (value) => Array.isArray(value) && !value.length,
  tool_choice: (value) => value === "none" || value === "auto",
  parallel_tool_calls: () => true,
  modalities: (value) => Array.isArray(value) && value.every((each) => each === "text"),
  logit_bias: (value) => !Object.keys(value).length,
};
/** What can be done instead. @type {Record<string, string>} */
const advice = {
  tools: " Describe the tools in the system message, and ask for the call with response_format and a json_schema.",
};
const unsupported = [...Object.keys(harmless), "top_logprobs", "functions", "function_call", "audio", "prediction"];
const known = new Set([
  ...Object.keys(ranges),
  ...lengths,
  "messages",
  "stream",
  "stream_options",
  "stop",
  "signal",
  "response_format",
]);

/**
 * @param {CreateOptions} options
 * @returns {GenerationRequest}
 */
export function readRequest(options) {
  if (options === null || typeof options !== "object") throw bad("messages", "The request must be an object.");
  checkNames(options);
  const { max_completion_tokens: longest, max_tokens: older } = options;
  for (const name of lengths) checkNumber(name, options, [1, Infinity, "whole"]);
  return {
    messages: readMessages(options.messages),
    sampling: readSampling(options),
    stop: readStop(options.stop),
    maxTokens: longest ?? older ?? null,
    format: readFormat(options.response_format ?? null),
  };
}

/**
 * @param {CreateOptions} options
 */
function checkNames(options) {
  for (const [name, value] of Object.entries(options)) {
    if (value === undefined || value === null || known.has(name) || ignored.has(name)) continue;
    if (!unsupported.includes(name)) throw bad(name, `There is no parameter "${name}".`);
    if (harmless[name]?.(value)) continue;
    throw new KitError(
      "unsupported",
      `This model's page does not support the parameter "${name}" as it is given.${advice[name] ?? ""}`,
      {
        param: name,
      },
    );
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
 * @param {unknown} messages
 * @returns {ChatMessage[]}
 */
function readMessages(messages) {
  if (!Array.isArray(messages) || !messages.length) {
    throw bad("messages", "messages must be a list of one or more messages.");
  }
  return messages.map((message, index) => readMessage(message, `messages[${index}]`));
}

/**
 * @param {any} message
 * @param {string} param
 * @returns {ChatMessage}
 */
function readMessage(message, param) {
  const role = message?.role === "developer" ? "system" : message?.role;
  if (role === "tool" || role === "function" || message?.tool_calls?.length) {
    throw new KitError("unsupported", `This model's page does not support tools (${param}).`, { param });
  }
  if (role !== "system" && role !== "user" && role !== "assistant") {
    throw bad(`${param}.role`, `${param}.role must be system, user or assistant, not ${describe(message?.role)}.`);
  }
  return { role, content: readContent(message.content ?? (role === "assistant" ? "" : undefined), `${param}.content`) };
}

/**
 * @param {unknown} content
 * @param {string} param
 * @returns {string}
 */
function readContent(content, param) {
  if (typeof content === "string") return content;
  if (!Array.isArray(content)) throw bad(param, `${param} must be a text, not ${describe(content)}.`);
  const parts = content.map((part) => (part?.type === "text" && typeof part.text === "string" ? part.text : null));
  const other = parts.indexOf(null);
  if (other < 0) return parts.join("");
  throw new KitError("unsupported", `This model reads text only, but ${param}[${other}] is something else.`, { param });
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
  if (given.schema === null || typeof given.schema !== "object" || Array.isArray(given.schema)) {
    throw bad(
      "response_format.json_schema.schema",
      `response_format.json_schema.schema must be an object, not ${describe(given.schema)}.`,
    );
  }
  return { type: "json_schema", schema: copySchema(given.schema, "response_format.json_schema.schema") };
}

/**
 * @param {Record<string, unknown>} schema
 * @param {string} param
 * @returns {Record<string, unknown>} as JSON has it: what is sent to the worker is what the schema says
 */
function copySchema(schema, param) {
  let text;
  try {
    text = JSON.stringify(schema);
  } catch (error) {
    throw bad(param, `${param} is not JSON: ${describeError(error)}`);
  }
  if (text.length <= longestSchema) return JSON.parse(text);
  throw bad(param, `${param} has ${text.length} characters; at most ${longestSchema} can be compiled here.`);
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
