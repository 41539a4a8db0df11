/** Where messages are written: it grows with the text, and while an answer comes its button stops it. */

import { find } from "./kit/ui/dom.js";
import { formatBytes, formatCount } from "./kit/ui/format.js";
import { HAS_KEYS, isSend } from "./keys.js";

/** Whether the style sheet alone lets the field grow with its text. */
const FITS_ITSELF = CSS.supports("field-sizing", "content");

/** A browser's text field stops responding with much more, and no model here reads as much. */
const LONGEST_TEXT = 200_000;

/**
 * @typedef {object} ComposerActions
 * @property {(text: string) => void} send
 * @property {() => void} stop
 * @property {() => void} editLast
 */

/** The form at the foot of the chat. */
export class Composer {
  #field = find("#prompt", HTMLTextAreaElement);
  #send = find("#send", HTMLButtonElement);
  #stop = find("#stop", HTMLButtonElement);
  #note = find("#composer-note", HTMLElement);
  #problem = find("#composer-problem", HTMLElement);
  #isBusy = false;
  #isClosed = false;
  #actions;

  /** @param {ComposerActions} actions */
  constructor(actions) {
    this.#actions = actions;
    if (!HAS_KEYS) this.#field.enterKeyHint = "enter";
    const form = find("#composer", HTMLFormElement);
    form.addEventListener("submit", (event) => {
      event.preventDefault();
      this.#submit();
    });
    this.#stop.addEventListener("click", () => actions.stop());
    this.#field.addEventListener("input", () => this.#refresh());
    this.#field.addEventListener("keydown", (event) => this.#press(event));
    this.#field.addEventListener("beforeinput", (event) => this.#limit(event));
    document.addEventListener("keydown", (event) => {
      if (event.key === "Escape" && this.#isBusy && !document.querySelector("dialog[open]")) actions.stop();
    });
    this.#refresh();
  }

  /** @param {boolean} isBusy */
  setBusy(isBusy) {
    const hadFocus = document.activeElement === this.#stop || document.activeElement === this.#send;
    this.#isBusy = isBusy;
    this.#send.hidden = isBusy;
    this.#stop.hidden = !isBusy;
    if (hadFocus) (isBusy ? this.#stop : HAS_KEYS ? this.#field : find("#log", HTMLElement)).focus({ preventScroll: true });
    this.#refresh();
  }

  /** Nothing can be sent any more: the model could not start. */
  close() {
    this.#isClosed = true;
    this.#refresh();
  }

  /** @param {...(string | Node)} words */
  showNote(...words) {
    this.#note.replaceChildren(...words);
  }

  /** @param {string} words "" when there is none */
  showProblem(words) {
    this.#problem.textContent = words;
  }

  focus() {
    this.#field.focus();
  }

  #submit() {
    const text = this.#field.value;
    if (!text.trim() || this.#isBusy || this.#isClosed) return;
    this.#field.value = "";
    this.#refresh();
    this.#actions.send(text);
  }

  /** @param {KeyboardEvent} event */
  #press(event) {
    if (isSend(event)) {
      event.preventDefault();
      this.#submit();
    } else if (event.key === "ArrowUp" && this.#field.value === "" && !this.#isBusy) {
      event.preventDefault();
      this.#actions.editLast();
    }
  }

  /** @param {InputEvent} event refused when the text would become longer than can be handled */
  #limit(event) {
    const added = event.data ?? event.dataTransfer?.getData("text/plain") ?? "";
    if (this.#field.value.length + added.length <= LONGEST_TEXT) return;
    event.preventDefault();
    const most = formatCount(LONGEST_TEXT, "character");
    this.showProblem(`That is ${formatBytes(added.length)} of text; a message can have ${most}. Nothing was pasted.`);
  }

  #refresh() {
    if (this.#problem.textContent) this.showProblem("");
    this.#send.disabled = this.#isClosed || this.#field.value.trim() === "";
    if (FITS_ITSELF) return;
    this.#field.style.height = "auto";
    this.#field.style.height = `${this.#field.scrollHeight}px`;
  }
}
