/** The keys that send: those of a real keyboard. One on the screen has a single key for a new line, and needs it. */

import { make } from "./kit/ui/dom.js";

/** False on a phone or a tablet, where a keyboard would come up over the page with every focus. */
export const HAS_KEYS = !matchMedia("(hover: none) and (pointer: coarse)").matches;

/** @param {KeyboardEvent} event in a field for text @returns {boolean} */
export function isSend({ key, shiftKey, ctrlKey, metaKey, isComposing }) {
  return key === "Enter" && !isComposing && (ctrlKey || metaKey || (HAS_KEYS && !shiftKey));
}

/**
 * @param {"send" | "stop"} action
 * @returns {(string | Node)[]} which keys do it, for those who have keys
 */
export function describeKeys(action) {
  if (!HAS_KEYS) return [];
  if (action === "stop") return [make("kbd", {}, "Esc"), " stops"];
  return [make("kbd", {}, "Enter"), " sends, ", make("kbd", {}, "Shift"), " ", make("kbd", {}, "Enter"), " starts a new line"];
}
