/** One turn of a chat on the page: what was asked, with its editor, or an answer with what there is to say about it. */

import { find, make } from "./kit/ui/dom.js";
import { formatCount, formatTime } from "./kit/ui/format.js";
import { AnswerBody } from "./answer-body.js";
import { copyText } from "./clipboard.js";
import { makeIconButton } from "./icons.js";
import { isSend } from "./keys.js";

/** @typedef {import("./chat-types.js").Message} Message */
/** @typedef {import("./chat-types.js").Figures} Figures */
/** @typedef {[label: string, press: () => void]} Action */

/** Longer questions are folded. */
const FOLD_CHARACTERS = 1_500;
const FOLD_LINES = 16;

/** Longer than this, a block of text without an end slows the page down for nobody's good. */
const LONGEST_SHOWN = 200_000;

/**
 * @param {Message} message
 * @param {{edit: (text: string) => void, answer: () => void}} actions
 * @returns {HTMLLIElement}
 */
export function makeQuestion(message, { edit, answer }) {
  const text = message.content.length > LONGEST_SHOWN ? `${message.content.slice(0, LONGEST_SHOWN)}…` : message.content;
  const bubble = make("div", { class: "bubble" }, text);
  const foot = make("div", { class: "turn-foot" });
  const turn = make("li", { class: "turn turn-question" }, make("h3", { class: "only-spoken" }, "You"), bubble, foot);
  const answerNow = make("button", { type: "button", class: "button button-quiet answer-now" }, "Get an answer");
  answerNow.addEventListener("click", answer);
  const copy = makeIconButton("copy", "Copy message", () => void copyText(copy, message.content));
  foot.append(answerNow, copy, makeIconButton("edit", "Edit message", () => openEditor(turn, message.content, edit), "edit"));
  if (message.content.length > FOLD_CHARACTERS || message.content.split("\n", FOLD_LINES + 1).length > FOLD_LINES) fold(bubble, foot);
  return turn;
}

/** @param {HTMLElement} bubble @param {HTMLElement} foot */
function fold(bubble, foot) {
  bubble.classList.add("is-folded");
  const more = make("button", { type: "button", class: "button button-quiet fold", "aria-expanded": "false" }, "Show all");
  more.addEventListener("click", () => {
    const isFolded = bubble.classList.toggle("is-folded");
    more.setAttribute("aria-expanded", String(!isFolded));
    more.textContent = isFolded ? "Show all" : "Show less";
  });
  foot.prepend(more);
}

/**
 * @param {HTMLLIElement} turn
 * @param {string} text
 * @param {(text: string) => void} send
 */
export function openEditor(turn, text, send) {
  if (turn.querySelector(".editor")) return;
  const field = make("textarea", { class: "field", rows: 2, "aria-label": "Edit your message" });
  const save = make("button", { type: "submit", class: "button button-main" }, "Send");
  const cancel = make("button", { type: "button", class: "button" }, "Cancel");
  const note = make("span", { class: "quiet" }, "What follows is answered anew.");
  const editor = make("form", { class: "editor" }, field, make("div", { class: "editor-foot" }, note, cancel, save));
  field.value = text;
  const close = () => {
    editor.remove();
    turn.classList.remove("is-edited");
    find(".edit", HTMLButtonElement, turn).focus();
  };
  cancel.addEventListener("click", close);
  field.addEventListener("input", () => (save.disabled = field.value.trim() === ""));
  editor.addEventListener("keydown", (event) => {
    if (event.key === "Escape") close();
    else if (event.target === field && isSend(event)) editor.requestSubmit(save);
    else return;
    event.preventDefault();
    event.stopPropagation();
  });
  editor.addEventListener("submit", (event) => {
    event.preventDefault();
    if (field.value.trim()) send(field.value);
  });
  turn.classList.add("is-edited");
  turn.append(editor);
  field.focus();
}

/** An answer: first awaited, then growing, then done. */
export class Answer {
  element = make("li", { class: "turn turn-answer" });
  #body;
  #note = make("div", { class: "turn-note", hidden: true });
  #figures = make("span", { class: "turn-figures number" });
  #again = make("span", { class: "turn-again" });

  /**
   * @param {string} model its title
   * @param {import("./markdown.js").Markdown | null} markdown
   * @param {{again: () => void, read?: (words: string) => void}} actions
   */
  constructor(model, markdown, { again, read }) {
    this.#body = new AnswerBody(markdown, read);
    const waiting = make("p", { class: "waiting" }, make("span", { class: "only-spoken" }, "Reading your message"));
    for (let part = 0; part < 5; part += 1) waiting.append(make("i"));
    const copy = makeIconButton("copy", "Copy answer", () => void copyText(copy, this.#body.text));
    this.#again.append(makeIconButton("again", "Answer again", again));
    const foot = make("div", { class: "turn-foot" }, copy, this.#again, this.#figures);
    this.element.append(make("h3", { class: "only-spoken" }, model), waiting, this.#body.element, this.#note, foot);
    this.element.dataset.state = "waiting";
  }

  /** @returns {string} */
  get text() {
    return this.#body.text;
  }

  /** @param {string} piece */
  append(piece) {
    this.element.dataset.state = "open";
    this.#body.append(piece);
  }

  /**
   * @param {Message} message the answer as it will be kept
   * @param {Action[]} actions what can be done about how it ended
   */
  finish(message, actions) {
    this.#body.finish((message.ending ?? "stop") !== "stop");
    this.element.dataset.state = "done";
    this.element.classList.toggle("is-empty", message.content === "");
    this.element.dataset.ending = message.ending ?? "stop";
    if (message.figures) this.showFigures(message.figures);
    this.showNote(describeEnding(message), actions);
  }

  /** @param {Figures} figures */
  showFigures(figures) {
    this.#figures.replaceChildren(...describeFigures(figures));
  }

  /** @param {string} words @param {Action[]} actions */
  showNote(words, actions) {
    const buttons = actions.map(([label, press]) => {
      const button = make("button", { type: "button", class: "button" }, label);
      button.addEventListener("click", press);
      return button;
    });
    this.#note.hidden = words === "";
    this.#note.replaceChildren(make("p", {}, words), ...buttons);
  }
}

/** @param {Message} message @returns {string} "" when there is nothing to explain */
function describeEnding({ ending, problem, figures }) {
  switch (ending) {
    case "failed":
      return problem || "The answer failed.";
    case "length":
      return `Cut off after ${formatCount(figures?.completionTokens ?? 0, "token")}, the longest answer that the settings allow.`;
    case "full":
      return problem || "The context is full: the model has no room left to go on in this chat.";
    case "stopped":
      return "Stopped.";
    default:
      return "";
  }
}

/** @param {Figures} figures @returns {HTMLElement[]} */
function describeFigures({ tokensPerSecond, firstTokenMs, completionTokens }) {
  const speed = tokensPerSecond > 0 ? [`${formatSpeed(tokensPerSecond)} tokens/s`] : [];
  const parts = [...speed, `first after ${formatTime(firstTokenMs)}`, formatCount(completionTokens, "token")];
  return parts.map((words, index) => make("span", {}, index > 0 ? ` · ${words}` : words));
}

/** @param {number} tokensPerSecond @returns {string} */
export function formatSpeed(tokensPerSecond) {
  return tokensPerSecond.toFixed(tokensPerSecond < 99.95 ? 1 : 0);
}
