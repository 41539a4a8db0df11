/** What the strip says about the last answer: speed, first token, memory. */

import { formatBytes, formatTime } from "./kit/ui/format.js";
import { formatSpeed } from "./turn.js";

/**
 * @param {import("./kit/ui/shell.js").Shell} shell
 * @param {import("./kit/ui/shell.js").Model | null} model null before it is ready
 * @param {import("./chat-types.js").Message[]} messages of the chat that is open
 */
export function showFigures(shell, model, messages) {
  const figures = messages.findLast((message) => message.figures)?.figures;
  shell.showFigures([
    ["Tokens/s", figures?.tokensPerSecond ? formatSpeed(figures.tokensPerSecond) : ""],
    ["First token", figures ? formatTime(figures.firstTokenMs) : ""],
    ["Memory", model ? formatBytes(model.memoryBytes) : ""],
  ]);
}
