/** The answer as it comes, with the numbers of the passages that its sentences come from. */

import { find, make } from "./kit/ui/dom.js";
import { nameOf } from "./passages.js";
import { findSupport } from "./support.js";

/** @typedef {import("./kit/search/collection.js").Found} Found */
/** @typedef {import("./quotes.js").Quote} Quote */

/** One answer at a time. */
export class AnswerView {
  #section = find("#answer", HTMLElement);
  #question = find("#answer-question", HTMLElement);
  #text = find("#answer-text", HTMLElement);
  #note = find("#answer-note", HTMLElement);
  #stop = find("#answer-stop", HTMLButtonElement);
  #open;

  /** @param {(found: Found) => void} open */
  constructor(open) {
    this.#open = open;
  }

  /** A sentence of the page's own in place of an answer. @param {string} question @param {string} words */
  say(question, words) {
    this.#begin(question, false);
    this.#note.textContent = words;
  }

  /** @param {string} question */
  start(question) {
    this.#begin(question, true);
  }

  /** @param {string} words  what is going on */
  showNote(words) {
    this.#note.textContent = words;
  }

  /** @param {string} text  as it comes, not yet checked against the passages */
  showDraft(text) {
    this.#text.classList.add("is-draft");
    this.#text.textContent = text;
  }

  /**
   * Keep what stands in the passages. Where nothing does, the sentence that comes closest is quoted instead.
   * @param {string} text
   * @param {readonly Found[]} passages
   * @param {readonly Quote[]} quotes
   * @param {string} note
   */
  finish(text, passages, quotes, note) {
    const sentences = findSupport(text, passages.map((each) => each.text));
    const kept = sentences.filter(({ passage }) => passage !== null);
    const dropped = sentences.length - kept.length;
    const shown = kept.length ? kept : quotes.slice(0, 1).map((quote) => ({ ...quote, text: `“${quote.text}”` }));
    this.#text.classList.remove("is-draft");
    this.#text.replaceChildren(...shown.flatMap(({ text: words, passage }) => {
      return [words.trim(), this.#cite(passages, /** @type {number} */ (passage)), " "];
    }));
    this.#stop.hidden = true;
    this.#note.textContent = `${describeDropped(kept.length, dropped)} ${note}`.trim();
  }

  /**
   * @param {readonly Found[]} passages
   * @param {number} place
   * @returns {HTMLButtonElement} which opens the passage
   */
  #cite(passages, place) {
    const label = `Passage ${place + 1}, ${nameOf(passages[place])}`;
    const cite = make("button", { type: "button", class: "cite number", title: label, "aria-label": label }, String(place + 1));
    cite.addEventListener("click", () => this.#open(passages[place]));
    return cite;
  }

  /** @param {string} question @param {boolean} isBusy */
  #begin(question, isBusy) {
    this.#section.hidden = false;
    this.#question.textContent = question;
    this.#text.replaceChildren();
    this.#text.classList.remove("is-draft");
    this.#note.textContent = "";
    this.#stop.hidden = !isBusy;
  }
}

/** @param {number} kept @param {number} dropped @returns {string} */
function describeDropped(kept, dropped) {
  if (!kept) return dropped ? "What the model wrote does not stand in your files, so the closest sentence is quoted." : "";
  if (!dropped) return "";
  return `${dropped === 1 ? "One sentence was" : `${dropped} sentences were`} left out: not in your files.`;
}
