/** The chat that is open: what may be done to it, what that does to the page, and what is kept of it. */

import { makeConversation } from "./conversations.js";
import { generateAnswer, isContextFull } from "./generation.js";
import { findRoom, listLaterQuestions } from "./room.js";

/** @typedef {import("./chat-types.js").Conversation} Conversation */
/** @typedef {import("./chat-types.js").Message} Message */
/** @typedef {import("./kit/ui/shell.js").Model} Model */
/** @typedef {import("./turn.js").Answer} Answer */

/**
 * @typedef {object} Parts
 * @property {import("./conversations.js").ConversationStore} store
 * @property {import("./thread.js").Thread} thread
 * @property {import("./settings.js").Settings} settings
 * @property {Promise<Model | null>} model null when it could not start
 * @property {ReturnType<typeof import("./speaker.js").makeSpeaker>} speaker
 * @property {(event: ChatEvent) => void} onEvent
 *
 * @typedef {{kind: "changed" | "waiting" | "answering"} | Reading | {kind: "idle", error: unknown} | LeftOut} ChatEvent
 *   `changed`: which chat it is, its name, or its messages; the error of `idle` is null when all went well
 * @typedef {{kind: "reading", share: number}} Reading of what is new to the model, 0 to 1
 * @typedef {{kind: "left out", questions: number}} LeftOut how many more than before
 * @typedef {{needsRoom: boolean}} Task whether the oldest questions are to make room for this answer
 */

/** One chat at a time, and at most one answer being made in it. */
export class Chat {
  /** @type {Conversation} */
  conversation;
  #parts;
  #abort = new AbortController();
  /** @type {Answer | null} the answer being made */
  #answer = null;
  /** @type {Promise<void>} ends when nothing is being made */
  #work = Promise.resolve();
  #isBusy = false;

  /** @param {Parts} parts @param {Conversation} conversation */
  constructor(parts, conversation) {
    this.#parts = parts;
    this.conversation = conversation;
  }

  /** @param {Conversation} conversation */
  async open(conversation) {
    await this.stop();
    this.conversation = conversation;
    this.#parts.settings.system = conversation.system;
    this.#parts.thread.show(conversation);
    this.#parts.onEvent({ kind: "changed" });
  }

  /**
   * The open chat went on in another tab: here it becomes what it is there. In the middle of an answer it becomes a chat
   * of its own instead, so that neither tab writes over the other's.
   *
   * @param {Conversation} changed
   */
  async follow(changed) {
    if (this.#isBusy) this.conversation.id = makeConversation("").id;
    else await this.open(changed);
  }

  async startNew() {
    await this.open(makeConversation(this.#parts.settings.system));
  }

  /** @param {string} content */
  send(content) {
    if (this.#isBusy) return;
    /** @type {Message} */
    const message = { role: "user", content };
    this.conversation.messages.push(message);
    this.#parts.thread.add(message);
    this.#start();
  }

  /** @param {number} index of a message of the visitor's @param {string} content */
  async edit(index, content) {
    await this.stop();
    this.#cut(index);
    this.send(content);
  }

  /** Answer the last question, again or for the first time. */
  async answer() {
    await this.#answerLast({ needsRoom: false });
  }

  /** Answer the last question, without the oldest ones that take up the room. */
  async leaveOutOldest() {
    await this.#answerLast({ needsRoom: true });
  }

  /** @returns {boolean} whether there is anything older than the last question */
  get canLeaveOut() {
    return listLaterQuestions(this.conversation).length > 0;
  }

  /** Resolves when what came so far is kept. */
  async stop() {
    this.#abort.abort();
    await this.#work;
  }

  /** @param {Partial<Pick<Conversation, "name" | "system">>} change */
  update(change) {
    Object.assign(this.conversation, change);
    if (this.conversation.messages.length > 0) this.#keep();
  }

  /** Keep an answer as far as it came, for a page that may be about to go. */
  keepNow() {
    if (!this.#answer?.text) return;
    const { conversation } = this;
    /** @type {Message} */
    const partial = { role: "assistant", content: this.#answer.text, ending: "stopped" };
    this.#parts.store.write({ ...conversation, messages: [...conversation.messages, partial] });
  }

  #keep() {
    this.conversation.updatedMs = Date.now();
    this.#parts.store.write(this.conversation);
    this.#parts.onEvent({ kind: "changed" });
  }

  /** @param {number} count how many messages stay */
  #cut(count) {
    const { conversation } = this;
    conversation.messages.length = count;
    // Cut that far back, there is room again.
    if (count < conversation.leftOut) conversation.leftOut = 0;
    this.#parts.thread.cut(count);
    this.#parts.thread.markLeftOut(conversation.leftOut);
  }

  /** @param {Task} task */
  async #answerLast(task) {
    await this.stop();
    this.#cut(this.conversation.messages.findLastIndex(({ role }) => role === "user") + 1);
    this.#start(task);
  }

  /** @param {Task} [task] */
  #start(task = { needsRoom: false }) {
    this.#isBusy = true;
    this.#abort = new AbortController();
    this.#keep();
    /** @param {unknown} error */
    const end = (error) => {
      this.#isBusy = false;
      this.#answer = null;
      this.#parts.onEvent({ kind: "idle", error });
    };
    this.#work = this.#makeAnswer(this.#abort.signal, task).then(end, end);
  }

  /**
   * @param {AbortSignal} signal
   * @param {Task} task
   * @returns {Promise<unknown>} what went wrong that the visitor can do nothing about, or null
   */
  async #makeAnswer(signal, { needsRoom }) {
    const { onEvent, thread, settings, speaker } = this.#parts;
    onEvent({ kind: "waiting" });
    const model = await orAborted(this.#parts.model, signal);
    if (!model || signal.aborted) return null;
    onEvent({ kind: "reading", share: 0 });
    speaker.start("Reading your message.");
    const answer = thread.open((words) => speaker.speak(words));
    this.#answer = answer;
    const { conversation } = this;
    const { sampling } = settings;
    const onText = /** @param {string} piece */ (piece) => {
      if (!answer.text) onEvent({ kind: "answering" });
      answer.append(piece);
    };
    const onRead = /** @param {number} done @param {number} total */ (done, total) =>
      onEvent({ kind: "reading", share: done / total });
    const makeRoom = needsRoom ? () => this.#makeRoom(model, conversation, sampling.max_tokens) : undefined;
    const outcome = await generateAnswer(model, conversation, { sampling, signal, onText, onRead, prepare: makeRoom });
    this.#close(answer, outcome);
    return isContextFull(outcome.error) ? null : outcome.error;
  }

  /** @param {Model} model @param {Conversation} conversation @param {number | undefined} longest answer, in tokens */
  async #makeRoom(model, conversation, longest) {
    const before = conversation.leftOut;
    conversation.leftOut = await findRoom(model, conversation, longest);
    const questions = conversation.messages.slice(before, conversation.leftOut).filter(({ role }) => role === "user");
    this.#parts.thread.markLeftOut(conversation.leftOut);
    this.#parts.onEvent({ kind: "left out", questions: questions.length });
  }

  /** @param {Answer} answer @param {import("./generation.js").Outcome} outcome */
  #close(answer, { ending, figures, lateFigures, error }) {
    const { thread, speaker } = this.#parts;
    const { messages } = this.conversation;
    if (ending === "stopped" && !answer.text) return thread.cut(messages.length);
    /** @type {Message} */
    const message = { role: "assistant", content: answer.text, ending };
    if (figures) message.figures = figures;
    if (ending === "failed") Object.assign(message, this.#explain(error));
    messages.push(message);
    thread.close(answer, message);
    if (message.problem) speaker.speak(message.problem);
    this.#keep();
    void lateFigures.then((late) => late && this.#addFigures(answer, message, late));
  }

  /** @param {Answer} answer @param {Message} message @param {import("./chat-types.js").Figures} figures */
  #addFigures(answer, message, figures) {
    message.figures = figures;
    answer.showFigures(figures);
    // By now another chat may be open, or the answer gone.
    if (this.conversation.messages.includes(message)) this.#keep();
  }

  /** @param {unknown} error @returns {Pick<Message, "ending" | "problem">} */
  #explain(error) {
    if (!isContextFull(error)) return { ending: "failed", problem: error instanceof Error ? error.message : String(error) };
    const problem = this.canLeaveOut
      ? "This chat has become longer than what the model can read at once."
      : "This message is longer than what the model can read at once. Make it shorter.";
    return { ending: "full", problem };
  }
}

/**
 * @template T
 * @param {Promise<T>} promise
 * @param {AbortSignal} signal
 * @returns {Promise<T | null>} null when it was aborted first
 */
function orAborted(promise, signal) {
  return Promise.race([
    promise,
    /** @type {Promise<null>} */ (new Promise((resolve) => signal.addEventListener("abort", () => resolve(null), { once: true }))),
  ]);
}
