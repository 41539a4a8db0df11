/** The answer as it comes, with the numbers of the passages that its sentences come from. */

import { find, make } from "./kit/ui/dom.js";
import { nameOf } from "./passages.js";
import { findSupport } from "./support.js";

/** @typedef {import("./kit/search/collection.js").Found} Found */
/** @typedef {import("./quotes.js").Quote} Quote */
/** @typedef {"answered" | "refused" | "stopped" | "failed"} Ending */

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

  /**
   * A sentence of the page's own in place of an answer.
   * @param {string} question
   * @param {string} words
   * @param {Ending} [ending]
   */
  say(question, words, ending = "refused") {
    this.#begin(question);
    this.#note.textContent = words;
    this.#end({ ending });
  }

  /** Whether it is a sentence of the page's own that stands there. @returns {boolean} */
  get isRefusal() {
    return this.#section.dataset.ending === "refused";
  }

  clear() {
    this.#section.hidden = true;
    delete this.#section.dataset.ending;
  }

  /** @param {string} question  whose passages are looked for */
  look(question) {
    this.#begin(question);
    this.#note.textContent = "Looking in your files";
  }

  /** @param {string} question */
  start(question) {
    this.#begin(question);
    this.#note.textContent = "Reading the passages";
    this.#stop.hidden = false;
  }

  /** @param {string} words  what is going on */
  showNote(words) {
    this.#note.textContent = words;
  }

  /** @param {string} text  as it comes, not yet checked against the passages */
  showDraft(text) {
    this.#note.textContent = "";
    this.#text.classList.add("is-draft");
    this.#text.textContent = text;
  }

  /**
   * Keep what stands in the passages. Where nothing does, the sentence that comes closest is quoted instead.
   * @param {string} text
   * @param {readonly Found[]} passages
   * @param {readonly Quote[]} quotes
   * @param {{ending: Ending, note: string, variant?: string, backend?: string}} end  with the pair that answered
   */
  finish(text, passages, quotes, { note, ...end }) {
    const sentences = findSupport(text, passages.map((each) => each.text));
    const kept = sentences.filter(({ passage }) => passage !== null);
    const dropped = sentences.length - kept.length;
    const shown = kept.length ? kept : quotes.slice(0, 1).map((quote) => ({ ...quote, text: `“${quote.text}”` }));
    this.#text.classList.remove("is-draft");
    this.#text.replaceChildren(...shown.flatMap(({ text: words, passage }) => {
      return [words.trim(), this.#cite(passages, /** @type {number} */ (passage)), " "];
    }));
    const isCut = end.ending === "stopped" && !kept.length;
    this.#note.textContent = isCut ? `${note} This is the closest sentence.` : `${describeDropped(kept.length, dropped)} ${note}`.trim();
    this.#end(end);
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

  /** @param {string} question */
  #begin(question) {
    this.#section.hidden = false;
    for (const name of Object.keys(this.#section.dataset)) delete this.#section.dataset[name];
    this.#section.dataset.state = "open";
    this.#question.textContent = question;
    this.#text.replaceChildren();
    this.#text.classList.remove("is-draft");
    this.#note.textContent = "";
  }

  /** @param {{ending: Ending, variant?: string, backend?: string}} end */
  #end(end) {
    this.#stop.hidden = true;
    Object.assign(this.#section.dataset, { state: "done", ...end });
  }
}

/** @param {number} kept @param {number} dropped @returns {string} */
function describeDropped(kept, dropped) {
  if (!kept) return dropped ? "What the model wrote does not stand in your files, so the closest sentence is quoted." : "";
  if (!dropped) return "";
  return `${dropped === 1 ? "One sentence was" : `${dropped} sentences were`} left out: not in your files.`;
}
