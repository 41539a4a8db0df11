/**
 * The functions that a request lets the model call, checked on the page.
 *
 * @typedef {import("../types.js").Tool} Tool
 * @typedef {import("../types.js").ToolFormat} ToolFormat
 * @typedef {import("../types.js").Callable} Callable
 *
 * @typedef {object} ToolParam
 * @property {string} type
 * @property {{name: string, description?: string, parameters?: Record<string, unknown>, strict?: boolean | null}} [function]
 * @typedef {string | {type: string, function?: {name: string}}} ToolChoice
 *
 * @typedef {object} ToolOptions
 * @property {readonly ToolParam[] | null} [tools]  functions that the model may call: the arguments of its calls parse
 *   and fit their `parameters`, which are kept to as `response_format` keeps to its schema
 * @property {ToolChoice | null} [tool_choice]  `none` (the model is not shown them), `auto` (as without it), `required`,
 *   or the one function to call
 * @property {boolean | null} [parallel_tool_calls]  with false an answer has one call at most
 * @property {unknown} [response_format]
 * @property {unknown} [stop]
 */

import { bad, describe, unsupported } from "./faults.js";
import { copySchema } from "./schema.js";

const mostTools = 128;

/**
 * @param {ToolOptions} options
 * @returns {{tools: Tool[] | null, format: ToolFormat | null}} what the model is shown, and what it is held to; null
 *   where it is to call nothing
 */
export function readTools(options) {
  const functions = readDefinitions(options.tools ?? []);
  const { parallel_tool_calls: parallel = null } = options;
  if (parallel !== null && typeof parallel !== "boolean") {
    throw bad("parallel_tool_calls", `parallel_tool_calls must be true or false, not ${describe(parallel)}.`);
  }
  const choice = readChoice(options.tool_choice ?? "auto", functions);
  if (choice === "none" || !functions.length) return { tools: null, format: null };
  checkNeighbours(options);
  const tools = functions.map(({ param, ...definition }) => {
    return { type: /** @type {const} */ ("function"), function: definition };
  });
  const named = typeof choice === "object";
  const allowed = named ? [choice] : functions;
  const required = named || choice === "required";
  return { tools, format: { type: "tools", functions: allowed, required, parallel: parallel !== false && !named } };
}

/**
 * @param {unknown} tools
 * @returns {Callable[]}
 */
function readDefinitions(tools) {
  if (!Array.isArray(tools)) throw bad("tools", `tools must be a list, not ${describe(tools)}.`);
  if (tools.length > mostTools) {
    throw bad("tools", `tools has ${tools.length} functions; at most ${mostTools} are taken.`);
  }
  const functions = tools.map((tool, index) => readDefinition(tool, `tools[${index}]`));
  functions.forEach(({ name }, index) => {
    if (functions.findIndex((other) => other.name === name) === index) return;
    throw bad(`tools[${index}].function.name`, `tools has two functions with the name ${describe(name)}.`);
  });
  return functions;
}

/**
 * @param {any} tool
 * @param {string} param
 * @returns {Callable}
 */
function readDefinition(tool, param) {
  if (tool?.type === "custom") {
    throw unsupported(`${param}.type`, `${param} is a custom tool; only functions can be called here.`);
  }
  if (tool?.type !== "function") {
    throw bad(`${param}.type`, `${param}.type must be function, not ${describe(tool?.type)}.`);
  }
  const { name, description, parameters } = tool.function ?? {};
  if (typeof name !== "string" || !/^[\w-]{1,64}$/.test(name)) {
    throw bad(
      `${param}.function.name`,
      `${param}.function.name must be 1 to 64 letters, digits, _ or -, not ${describe(name)}.`,
    );
  }
  if (description !== undefined && typeof description !== "string") {
    const place = `${param}.function.description`;
    throw bad(place, `${place} must be a text, not ${describe(description)}.`);
  }
  // Templates count on all three.
  return { name, description: description ?? "", ...readParameters(parameters, `${param}.function.parameters`) };
}

/**
 * @param {any} parameters
 * @param {string} param
 * @returns {Pick<Callable, "parameters" | "param">}
 */
function readParameters(parameters, param) {
  const none = { type: "object", properties: {} };
  const schema = parameters === undefined ? none : copySchema(parameters, param);
  if (schema.type === "object") return { parameters: schema, param };
  throw bad(param, `${param} must be the schema of an object (type "object"), not of ${describe(schema.type)}.`);
}

/**
 * @param {any} choice
 * @param {readonly Callable[]} functions
 * @returns {"none" | "auto" | "required" | Callable}
 */
function readChoice(choice, functions) {
  if (choice === "none" || choice === "auto") return choice;
  if (choice !== "required" && choice?.type !== "function") {
    const words = 'none, auto, required or {type: "function", function: {name}}';
    throw bad("tool_choice", `tool_choice must be ${words}, not ${describe(choice)}.`);
  }
  if (!functions.length) throw bad("tool_choice", `tool_choice is ${describe(choice)}, but there are no tools.`);
  if (choice === "required") return choice;
  const found = functions.find(({ name }) => name === choice.function?.name);
  if (found) return found;
  throw bad("tool_choice", `tool_choice names ${describe(choice.function?.name)}, which is not among the tools.`);
}

/**
 * @param {ToolOptions} options
 */
function checkNeighbours({ response_format: format, stop }) {
  if (/** @type {any} */ (format ?? { type: "text" }).type !== "text") {
    throw unsupported(
      "response_format",
      'An answer is held to response_format or calls tools, not both: leave one out, or set tool_choice to "none".',
    );
  }
  if (stop !== undefined && stop !== null && !(Array.isArray(stop) && !stop.length)) {
    throw unsupported(
      "stop",
      'A stop string could cut a call in two: leave out stop or tools, or set tool_choice to "none".',
    );
  }
}
