/**
 * The messages of a request, from OpenAI's shape to that of chat templates.
 *
 * @typedef {import("../types.js").ChatMessage} ChatMessage
 *
 * @typedef {{id: string, type: string, function?: {name: string, arguments: string}}} ToolCallParam
 * @typedef {object} MessageParam
 * @property {string} role
 * @property {string | readonly {type: string}[] | null} [content]
 * @property {readonly ToolCallParam[]} [tool_calls]
 * @property {string} [tool_call_id]
 */

import { bad, describe, unsupported } from "./faults.js";

const roles = ["system", "user", "assistant", "tool"];

/**
 * @param {unknown} messages
 * @returns {ChatMessage[]}
 */
export function readMessages(messages) {
  if (!Array.isArray(messages) || !messages.length) {
    throw bad("messages", "messages must be a list of one or more messages.");
  }
  /** The functions that were called, by the ids of the calls. @type {Map<string, string>} */
  const called = new Map();
  return messages.map((message, index) => {
    const read = readMessage(message, `messages[${index}]`, called);
    for (const call of read.tool_calls ?? []) called.set(call.id, call.function.name);
    return read;
  });
}

/**
 * @param {any} message
 * @param {string} param
 * @param {ReadonlyMap<string, string>} called
 * @returns {ChatMessage}
 */
function readMessage(message, param, called) {
  const role = message?.role === "developer" ? "system" : message?.role;
  if (!roles.includes(role)) {
    const words = "system, user, assistant or tool";
    throw bad(`${param}.role`, `${param}.role must be ${words}, not ${describe(message?.role)}.`);
  }
  const content = role === "assistant" ? (message.content ?? "") : message.content;
  const said = { role, content: readContent(content, `${param}.content`) };
  if (role === "tool") return { ...said, ...readCallId(message.tool_call_id, `${param}.tool_call_id`, called) };
  const calls = message.tool_calls ?? [];
  if (!Array.isArray(calls) || (calls.length && role !== "assistant")) {
    throw bad(`${param}.tool_calls`, `${param}.tool_calls must be a list, in a message of the assistant.`);
  }
  if (!calls.length) return said;
  return { ...said, tool_calls: calls.map((call, index) => readCall(call, `${param}.tool_calls[${index}]`)) };
}

/**
 * @param {unknown} id
 * @param {string} param
 * @param {ReadonlyMap<string, string>} called
 * @returns {{tool_call_id: string, name: string}}
 */
function readCallId(id, param, called) {
  const name = typeof id === "string" ? called.get(id) : undefined;
  if (typeof id === "string" && name !== undefined) return { tool_call_id: id, name };
  throw bad(param, `${param} must be the id of a call in a message before it, not ${describe(id)}.`);
}

/**
 * @param {any} call
 * @param {string} param
 * @returns {NonNullable<ChatMessage["tool_calls"]>[number]}
 */
function readCall(call, param) {
  if (call?.type !== "function") {
    throw bad(`${param}.type`, `${param}.type must be function, not ${describe(call?.type)}.`);
  }
  if (typeof call.id !== "string" || !call.id) {
    throw bad(`${param}.id`, `${param}.id must be a text, not ${describe(call.id)}.`);
  }
  const name = call.function?.name;
  if (typeof name !== "string" || !name) {
    throw bad(`${param}.function.name`, `${param}.function.name must be a text, not ${describe(name)}.`);
  }
  const inputs = readArguments(call.function.arguments, `${param}.function.arguments`);
  return { id: call.id, type: "function", function: { name, arguments: inputs } };
}

/**
 * Templates write the arguments as JSON themselves.
 * @param {unknown} text
 * @param {string} param
 * @returns {Record<string, unknown>}
 */
function readArguments(text, param) {
  let inputs;
  try {
    inputs = JSON.parse(String(text));
  } catch {
    inputs = null;
  }
  const isObject = inputs !== null && typeof inputs === "object" && !Array.isArray(inputs);
  if (typeof text === "string" && isObject) return inputs;
  throw bad(param, `${param} must be the JSON text of an object, not ${describe(text)}.`);
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
  throw unsupported(param, `This model reads text only, but ${param}[${other}] is ${describe(content[other]?.type)}.`);
}
