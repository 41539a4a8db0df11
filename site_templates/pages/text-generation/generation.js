/** One answer from the model, piece by piece, through the kit's chat API. */

/** @typedef {import("./chat-types.js").Conversation} Conversation */
/** @typedef {import("./chat-types.js").ChatMessage} ChatMessage */
/** @typedef {import("./chat-types.js").Figures} Figures */
/** @typedef {import("./kit/types.js").GenerationTimings} Timings */

/**
 * @typedef {object} Outcome
 * @property {import("./chat-types.js").Ending} ending
 * @property {Figures | null} figures
 * @property {Promise<Figures | null>} lateFigures of an answer that was stopped: the model tells them once it has put
 *   its work down, which nobody should wait for
 * @property {unknown} error
 */

/** @type {Promise<null>} */
const none = Promise.resolve(null);

/**
 * @param {import("./kit/ui/shell.js").Model} model
 * @param {Conversation} conversation
 * @param {object} options
 * @param {import("./chat-types.js").Sampling} options.sampling
 * @param {AbortSignal} options.signal
 * @param {(piece: string) => void} options.onText
 * @param {(done: number, total: number) => void} options.onRead how much of a long prompt the model has read
 * @param {() => Promise<void>} [options.prepare] the conversation, before anything is sent
 * @returns {Promise<Outcome>} never rejects: an error is an outcome too
 */
export async function generateAnswer(model, conversation, { sampling, signal, onText, onRead, prepare }) {
  /** @type {Promise<Timings | null>} */
  let timings = Promise.resolve(null);
  let reason = "";
  try {
    await prepare?.();
    const messages = listMessages(conversation);
    const stream = await model.chat.completions.create({ messages, ...sampling, stream: true, signal });
    stream.onRead = onRead;
    timings = stream.timings;
    for await (const chunk of stream) {
      const [choice] = chunk.choices;
      if (choice?.delta.content) onText(choice.delta.content);
      reason = choice?.finish_reason ?? reason;
    }
  } catch (error) {
    if (!signal.aborted) return { ending: "failed", figures: null, lateFigures: none, error };
  }
  const lateFigures = timings.then((found) => found && readFigures(found));
  if (signal.aborted) return { ending: "stopped", figures: null, lateFigures, error: null };
  const figures = await lateFigures;
  return { ending: nameEnding(reason, figures), figures, lateFigures: none, error: null };
}

/**
 * What the model gets: the system prompt, then turns that alternate, since templates insist on that.
 *
 * @param {Conversation} conversation
 * @returns {ChatMessage[]}
 */
export function listMessages({ system, messages, leftOut }) {
  /** @type {ChatMessage[]} */
  const list = system.trim() ? [{ role: "system", content: system }] : [];
  for (const { role, content } of messages.slice(leftOut)) {
    const last = list[list.length - 1];
    // Questions that got no answer are asked together with the next one.
    if (last?.role === role) last.content += `\n\n${content}`;
    else if (content) list.push({ role, content });
  }
  return list;
}

/** @param {unknown} error @returns {boolean} whether the messages are longer than what the model can read */
export function isContextFull(error) {
  const { code, error: inner } = /** @type {{code?: string, error?: {code?: string}}} */ (error ?? {});
  return [code, inner?.code].some((name) => name === "context_length_exceeded" || name === "context-full");
}

/**
 * @param {Timings} timings
 * @returns {Figures}
 */
function readFigures({ promptTokens, completionTokens, tokensPerSecond, firstTokenMs, contextLength }) {
  return { promptTokens, completionTokens, tokensPerSecond, firstTokenMs, contextLength };
}

/**
 * @param {string} reason OpenAI's finish_reason
 * @param {Figures | null} figures
 * @returns {import("./chat-types.js").Ending}
 */
function nameEnding(reason, figures) {
  if (reason !== "length") return "stop";
  const isFull = figures && figures.contextLength > 0 && figures.promptTokens + figures.completionTokens >= figures.contextLength;
  return isFull ? "full" : "length";
}
