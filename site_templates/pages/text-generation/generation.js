/** One answer from the model, piece by piece, through the kit's chat API. */

/** @typedef {import("./chat-types.js").Conversation} Conversation */
/** @typedef {import("./chat-types.js").ChatMessage} ChatMessage */
/** @typedef {import("./chat-types.js").Figures} Figures */
/** @typedef {{prompt_tokens: number, completion_tokens: number}} Usage */
/** @typedef {{ending: import("./chat-types.js").Ending, figures: Figures | null, error: unknown}} Outcome */

/**
 * @param {import("./kit/ui/shell.js").Model} model
 * @param {Conversation} conversation
 * @param {object} options
 * @param {import("./chat-types.js").Sampling} options.sampling
 * @param {AbortSignal} options.signal
 * @param {(piece: string) => void} options.onText
 * @returns {Promise<Outcome>} never rejects: an error is an outcome too
 */
export async function generateAnswer(model, conversation, { sampling, signal, onText }) {
  /** @type {Usage | null} */
  let usage = null;
  let reason = "";
  try {
    const messages = listMessages(conversation);
    const how = { stream: /** @type {true} */ (true), stream_options: { include_usage: true }, signal };
    const stream = await model.chat.completions.create({ messages, ...sampling, ...how });
    for await (const chunk of stream) {
      const [choice] = chunk.choices;
      if (choice?.delta.content) onText(choice.delta.content);
      reason = choice?.finish_reason ?? reason;
      usage = chunk.usage ?? usage;
    }
  } catch (error) {
    if (!signal.aborted) return { ending: "failed", figures: null, error };
  }
  const figures = usage && readFigures(model, usage);
  return { ending: signal.aborted ? "stopped" : nameEnding(reason, figures), figures, error: null };
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
 * @param {import("./kit/ui/shell.js").Model} model
 * @param {Usage} usage
 * @returns {Figures}
 */
function readFigures(model, usage) {
  const { timings } = model;
  return {
    promptTokens: usage.prompt_tokens,
    completionTokens: usage.completion_tokens,
    tokensPerSecond: timings.tokensPerSecond ?? 0,
    firstTokenMs: timings.firstTokenMs ?? 0,
    contextLength: timings.contextLength ?? 0,
  };
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
