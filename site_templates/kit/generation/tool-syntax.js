/**
 * How models write their calls of functions. A chat template tells which way is its model's: it shows earlier calls so.
 *
 * @typedef {object} ToolSyntax
 * @property {string} opening  what calls begin with; "" where an answer that begins with a brace is a call
 * @property {string} start  in the grammar's notation: what stands before the first call,
 * @property {string} next  between two calls ("" where there is only one),
 * @property {string} end  and after the last
 * @property {"arguments" | "parameters"} inputs  what the call calls them
 * @property {string[]} signs  special tokens of some tokenizers, that are text here
 *
 * @typedef {import("../types.js").GenerationRequest} GenerationRequest
 */

import { KitError } from "../errors.js";

/** The parts of a template's text that it must have, and those with which it is another syntax. */
const table = Object.freeze([
  {
    has: ["<tool_call>", "</tool_call>", "arguments"],
    lacks: ["<function=", "<arg_key>"],
    syntax: {
      ...{ opening: "<tool_call>", start: '"\\n"?', next: '"\\n"? "</tool_call>" "\\n"? "<tool_call>" "\\n"?' },
      ...{ end: '"\\n"? "</tool_call>"', inputs: /** @type {const} */ ("arguments") },
      signs: ["<tool_call>", "</tool_call>"],
    },
  },
  {
    has: ["[TOOL_CALLS]"],
    lacks: ["[ARGS]", "[CALL_ID]"],
    syntax: {
      ...{ opening: "[TOOL_CALLS]", start: 'space "["', next: '"," space', end: '"]"' },
      ...{ inputs: /** @type {const} */ ("arguments"), signs: ["[TOOL_CALLS]"] },
    },
  },
  {
    has: ["<|start_header_id|>", '{"name": ', '"parameters": '],
    lacks: [],
    syntax: {
      ...{ opening: "", start: "", next: "", end: "" },
      ...{ inputs: /** @type {const} */ ("parameters"), signs: /** @type {string[]} */ ([]) },
    },
  },
]);

const wayOut =
  'Describe the functions in the system message instead, and ask for the call with response_format {type: "json_schema"}.';

/**
 * @param {string} template  the source of the model's chat template
 * @returns {ToolSyntax}
 */
export function findToolSyntax(template) {
  if (!/\btools\b/.test(template)) {
    throw refuse("tools", "This model's chat template has no place for tools, so it was not taught to call them.");
  }
  const found = table.find(
    ({ has, lacks }) => has.every((part) => template.includes(part)) && !lacks.some((part) => template.includes(part)),
  );
  if (found) return found.syntax;
  throw refuse(
    "tools",
    "This model's chat template writes tool calls in a way that this page cannot read: it knows <tool_call> with JSON " +
      "(Hermes, Qwen), [TOOL_CALLS] with a JSON list (Mistral) and Llama 3's JSON.",
  );
}

/**
 * A template without a word for them would leave calls and their results out, and say nothing.
 * @param {GenerationRequest} request
 * @param {string} template
 * @returns {ToolSyntax | null} null where this answer calls nothing
 */
export function readToolSyntax({ messages, format }, template) {
  const index = messages.findIndex(({ role, tool_calls: calls }) => role === "tool" || calls);
  if (index >= 0 && !/\btool/.test(template)) {
    throw refuse(`messages[${index}]`, "This model's chat template has no place for tool calls and their results.");
  }
  return format?.type === "tools" ? findToolSyntax(template) : null;
}

/**
 * @param {string} param
 * @param {string} what
 * @returns {KitError}
 */
function refuse(param, what) {
  return new KitError("unsupported", `${what} ${wayOut}`, { param });
}
