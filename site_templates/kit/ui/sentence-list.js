/** The list of sentences: each a row to type in; Enter adds one, Backspace in an empty one takes it away. */

import { find, make } from "./dom.js";
import { FITS_ITSELF, fitHeight } from "./fit-height.js";
import { formatCount } from "./format.js";

/** Above this nobody has an overview any more. */
const MOST_ROWS = 60;

/** @typedef {{id: string, number: number, text: string, isSelected: boolean}} Sentence one that has text; numbers count rows from 1 */
/** @typedef {{id: string, item: HTMLLIElement, field: HTMLTextAreaElement, badge: HTMLElement, remove: HTMLButtonElement}} Row */

/**
 * @typedef {object} Options
 * @property {() => void} onChange called after every edit and every other selection
 * @property {string} [noun] what a row is called
 * @property {boolean} [selects] whether one row is always the selected one
 */

/** The rows on the page, in order. */
export class SentenceList {
  /** @type {Row[]} */
  #rows = [];
  /** @type {Row | null} */
  #selected = null;
  #list = find("#sentences", HTMLOListElement);
  #add = find("#add", HTMLButtonElement);
  #count = find("#count", HTMLElement);
  #made = 0;
  #onChange;
  #noun;
  #selects;

  /**
   * @param {string[]} texts what to start with
   * @param {Options} options
   */
  constructor(texts, { onChange, noun = "sentence", selects = true }) {
    this.#onChange = onChange;
    this.#noun = noun;
    this.#selects = selects;
    this.#fill(texts);
    this.#add.addEventListener("click", () => this.#open(this.#rows.length));
    // Rows wrap differently when the page gets narrower.
    if (!FITS_ITSELF) new ResizeObserver(() => this.#rows.forEach(({ field }) => fitHeight(field))).observe(this.#list);
    this.#refresh();
  }

  /** @param {string[]} texts in place of what is there */
  write(texts) {
    this.#rows = [];
    this.#fill(texts);
    this.#refresh();
    this.#onChange();
  }

  /** @returns {Sentence[]} */
  read() {
    return this.#rows
      .map((row, index) => ({ id: row.id, number: index + 1, text: row.field.value.trim(), isSelected: row === this.#selected }))
      .filter(({ text }) => text !== "");
  }

  /** @param {number} number of the row, from 1 */
  select(number) {
    this.#selected = this.#rows[number - 1] ?? this.#selected;
    this.#refresh();
    this.#onChange();
  }

  /** @param {string[]} texts */
  #fill(texts) {
    // The page came with the same rows as plain text, which kept their place.
    this.#list.replaceChildren();
    for (const text of texts.length > 0 ? texts : ["", ""]) this.#insert(this.#rows.length, text);
    if (this.#selects) this.#selected = this.#rows[0];
  }

  /**
   * @param {number} index
   * @param {string} text
   * @returns {Row}
   */
  #insert(index, text) {
    const badge = make("span", { class: "badge number", "aria-hidden": "true" });
    const field = make("textarea", { rows: 1, spellcheck: "true", placeholder: `Type a ${this.#noun}` });
    const remove = make("button", { type: "button", class: "remove" }, "×");
    const item = make("li", { class: "sentence" }, badge, field, remove);
    const row = { id: String((this.#made += 1)), item, field, badge, remove };
    field.value = text;
    if (this.#selects) field.addEventListener("focus", () => this.select(this.#rows.indexOf(row) + 1));
    field.addEventListener("input", () => this.#edit(field));
    field.addEventListener("keydown", (event) => this.#press(event, row));
    field.addEventListener("paste", (event) => this.#paste(event, row));
    remove.addEventListener("click", () => this.#remove(row));
    this.#list.insertBefore(item, this.#rows[index]?.item ?? null);
    this.#rows.splice(index, 0, row);
    fitHeight(field);
    return row;
  }

  /** @param {number} index where to make a new row, and type on */
  #open(index) {
    if (this.#rows.length >= MOST_ROWS) return;
    this.#insert(index, "").field.focus();
  }

  /** @param {HTMLTextAreaElement} field */
  #edit(field) {
    fitHeight(field);
    this.#onChange();
  }

  /**
   * @param {KeyboardEvent} event
   * @param {Row} row
   */
  #press(event, row) {
    const index = this.#rows.indexOf(row);
    if (event.key === "Enter" && !event.isComposing) {
      event.preventDefault();
      this.#open(index + 1);
    } else if (event.key === "Backspace" && row.field.value === "" && this.#rows.length > 1) {
      event.preventDefault();
      this.#remove(row);
    }
  }

  /**
   * Many lines become many sentences.
   *
   * @param {ClipboardEvent} event
   * @param {Row} row
   */
  #paste(event, row) {
    const lines = (event.clipboardData?.getData("text") ?? "").split(/\r?\n/).map((line) => line.trim()).filter(Boolean);
    if (lines.length < 2) return;
    event.preventDefault();
    const { field } = row;
    field.setRangeText(lines[0], field.selectionStart, field.selectionEnd, "end");
    fitHeight(field);
    let last = row;
    for (const line of lines.slice(1, 1 + MOST_ROWS - this.#rows.length)) last = this.#insert(this.#rows.indexOf(last) + 1, line);
    last.field.focus();
    this.#refresh();
    this.#onChange();
  }

  /** @param {Row} row */
  #remove(row) {
    const index = this.#rows.indexOf(row);
    const hadFocus = row.item.contains(document.activeElement);
    this.#rows.splice(index, 1);
    row.item.remove();
    if (this.#rows.length === 0) this.#insert(0, "");
    const neighbour = this.#rows[Math.max(0, index - 1)];
    if (this.#selected === row) this.#selected = neighbour;
    if (hadFocus) neighbour.field.focus();
    this.#refresh();
    this.#onChange();
  }

  #refresh() {
    const name = this.#noun[0].toUpperCase() + this.#noun.slice(1);
    this.#rows.forEach((row, index) => {
      row.badge.textContent = String(index + 1);
      row.field.setAttribute("aria-label", `${name} ${index + 1}`);
      row.remove.setAttribute("aria-label", `Remove ${this.#noun} ${index + 1}`);
      row.item.classList.toggle("is-selected", row === this.#selected);
    });
    const isFull = this.#rows.length >= MOST_ROWS;
    this.#add.disabled = isFull;
    this.#count.textContent = isFull ? `${MOST_ROWS} is the most this page shows.` : formatCount(this.#rows.length, this.#noun);
  }
}
