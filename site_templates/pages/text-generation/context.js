/** How much of what the model can read at once the open chat takes. */

import { find } from "./kit/ui/dom.js";
import { groupDigits } from "./kit/ui/format.js";

/** From this share on the reader should know that it gets tight. */
const TIGHT = 0.85;

/** @typedef {import("./chat-types.js").Message} Message */

/**
 * @param {Message[]} messages
 * @returns {{used: number, length: number}} tokens, as the last answer left them; 0 before the first
 */
function measureContext(messages) {
  const figures = messages.findLast((message) => message.figures)?.figures;
  return { used: figures ? figures.promptTokens + figures.completionTokens : 0, length: figures?.contextLength ?? 0 };
}

/** @param {Message[]} messages */
export function drawContext(messages) {
  const { used, length } = measureContext(messages);
  const isKnown = used > 0 && length > 0;
  find("#context", HTMLElement).hidden = !isKnown;
  if (!isKnown) return;
  const share = Math.min(1, used / length);
  find("#context", HTMLElement).classList.toggle("is-tight", share >= TIGHT);
  find("#context-fill", HTMLElement).style.transform = `scaleX(${share})`;
  find("#context-words", HTMLElement).textContent = `${groupDigits(used)} of ${groupDigits(length)} tokens`;
}
