/** The list of turns: one element for each message, and at most one more for the answer being made. */

import { make } from "./kit/ui/dom.js";
import { formatCount } from "./kit/ui/format.js";
import { copyText } from "./clipboard.js";
import { Answer, makeQuestion, openEditor } from "./turn.js";

/** @typedef {import("./chat-types.js").Message} Message */
/** @typedef {import("./chat-types.js").Conversation} Conversation */

/**
 * @typedef {object} ThreadActions
 * @property {(index: number, text: string) => void} edit
 * @property {() => void} answer the last question, again or for the first time
 * @property {(message: Message) => import("./turn.js").Action[]} offer what can be done about how an answer ended
 */

/** The turns of the chat that is open. */
export class Thread {
  #list;
  #model;
  #actions;
  /** @type {Message[]} as they are on the page */
  #shown = [];
  #divider = make("li", { class: "left-out quiet" });
  /** @type {import("./markdown.js").Markdown | null} */
  markdown = null;

  /**
   * @param {HTMLElement} list
   * @param {string} model its title
   * @param {ThreadActions} actions
   */
  constructor(list, model, actions) {
    this.#list = list;
    this.#model = model;
    this.#actions = actions;
    list.addEventListener("click", ({ target }) => {
      const button = target instanceof Element && target.closest("[data-copy]");
      const code = button && button.closest(".code-frame")?.querySelector("code");
      if (button instanceof HTMLButtonElement && code) void copyText(button, code.textContent ?? "");
    });
  }

  /** @param {Conversation} conversation drawn from nothing */
  show({ messages, leftOut }) {
    this.#shown = [];
    this.#list.replaceChildren();
    for (const message of messages) this.add(message);
    this.markLeftOut(leftOut);
  }

  /** @param {Message} message */
  add(message) {
    const index = this.#shown.push(message) - 1;
    if (message.role === "user") {
      const edit = /** @param {string} text */ (text) => this.#actions.edit(index, text);
      this.#list.append(makeQuestion(message, { edit, answer: this.#actions.answer }));
    } else {
      const answer = this.#makeAnswer();
      if (message.content) answer.append(message.content);
      answer.finish(message, this.#actions.offer(message));
    }
  }

  /** @param {(words: string) => void} read @returns {Answer} one that is still to come */
  open(read) {
    return this.#makeAnswer(read);
  }

  /** @param {Answer} answer @param {Message} message what the open answer became */
  close(answer, message) {
    this.#shown.push(message);
    answer.finish(message, this.#actions.offer(message));
  }

  /** @param {number} count how many messages stay; an answer that is still open goes too */
  cut(count) {
    this.#shown.length = Math.min(count, this.#shown.length);
    const turns = this.#list.querySelectorAll(":scope > .turn");
    [...turns].slice(count).forEach((turn) => turn.remove());
  }

  /** @param {number} leftOut how many of the first messages the model does not get any more */
  markLeftOut(leftOut) {
    this.#divider.remove();
    if (leftOut === 0) return;
    this.#divider.textContent = `The model no longer gets the ${formatCount(leftOut, "message")} above`;
    this.#list.querySelectorAll(":scope > .turn")[leftOut - 1]?.after(this.#divider);
  }

  /** Open the editor of the last question. */
  editLast() {
    const index = this.#shown.findLastIndex(({ role }) => role === "user");
    const turn = this.#list.querySelectorAll(":scope > .turn")[index];
    if (turn instanceof HTMLLIElement) openEditor(turn, this.#shown[index].content, (text) => this.#actions.edit(index, text));
  }

  /** @param {(words: string) => void} [read] @returns {Answer} */
  #makeAnswer(read) {
    const answer = new Answer(this.#model, this.markdown, { again: this.#actions.answer, read });
    this.#list.append(answer.element);
    return answer;
  }
}
