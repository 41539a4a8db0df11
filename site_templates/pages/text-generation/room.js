/** What the model no longer gets of a chat that has become too long for it. */

import { isContextFull, listMessages } from "./generation.js";

/** @typedef {import("./chat-types.js").Conversation} Conversation */

/** An answer of this length says something: so many tokens, or this share of the context where that is less. */
const ROOM_TOKENS = 512;
const ROOM_SHARE = 0.25;

/**
 * The oldest questions go, with their answers, until there is room for an answer; the last question stays, and so does
 * the system prompt.
 *
 * @param {import("./kit/ui/shell.js").Model} model
 * @param {Conversation} conversation
 * @param {number | undefined} longest  answer that the visitor wants, in tokens
 * @returns {Promise<number>} how many of the first messages to leave out: at least one more question than now, where there is one
 */
export async function findRoom(model, conversation, longest) {
  const { context_length: length, defaults } = model.manifest.settings.generation;
  const room = Math.min(longest ?? defaults?.max_tokens ?? Infinity, ROOM_TOKENS, ROOM_SHARE * length);
  const starts = listLaterQuestions(conversation);
  let [low, high] = [0, starts.length - 1];
  while (low < high) {
    const middle = (low + high) >> 1;
    const used = await countTokens(model, { ...conversation, leftOut: starts[middle] });
    if (used + room <= length) high = middle;
    else low = middle + 1;
  }
  return starts[high] ?? conversation.leftOut;
}

/** @param {Conversation} conversation @returns {number[]} where the model could begin to read, later than it does */
export function listLaterQuestions({ messages, leftOut }) {
  return messages.flatMap(({ role }, index) => (index > leftOut && role === "user" ? [index] : []));
}

/**
 * @param {import("./kit/ui/shell.js").Model} model
 * @param {Conversation} conversation
 * @returns {Promise<number>} Infinity where it is hopeless
 */
async function countTokens(model, conversation) {
  try {
    return await model.countPromptTokens(listMessages(conversation));
  } catch (error) {
    if (isContextFull(error)) return Infinity;
    throw error;
  }
}
