/** The list of sentences: each a row to type in; Enter adds one, Backspace in an empty one takes it away. */

import { find, make } from "./kit/ui/dom.js";
import { formatCount } from "./kit/ui/format.js";

/** Above this the heat map is a wall, not a map. */
const MOST_ROWS = 60;

/** Whether the style sheet alone lets a field grow with its text, which spares measuring every row. */
const FITS_ITSELF = CSS.supports("field-sizing", "content");

/** @typedef {{number: number, text: string, isSelected: boolean}} Sentence one that has text; numbers count rows from 1 */
/** @typedef {{item: HTMLLIElement, field: HTMLTextAreaElement, badge: HTMLElement, remove: HTMLButtonElement}} Row */

/** The rows on the page, in order; one of them is selected. */
export class SentenceList {
  /** @type {Row[]} */
  #rows = [];
  /** @type {Row | null} */
  #selected = null;
  #list = find("#sentences", HTMLOListElement);
  #add = find("#add", HTMLButtonElement);
  #count = find("#count", HTMLElement);
  #onChange;

  /**
   * @param {string[]} texts what to start with
   * @param {() => void} onChange called after every edit and every other selection
   */
  constructor(texts, onChange) {
    this.#onChange = onChange;
    // The page came with the same rows as plain text, which kept their place.
    this.#list.replaceChildren();
    for (const text of texts.length > 0 ? texts : ["", ""]) this.#insert(this.#rows.length, text);
    this.#selected = this.#rows[0];
    this.#add.addEventListener("click", () => this.#open(this.#rows.length));
    // Rows wrap differently when the page gets narrower.
    if (!FITS_ITSELF) new ResizeObserver(() => this.#rows.forEach(({ field }) => fitHeight(field))).observe(this.#list);
    this.#refresh();
  }

  /** @returns {Sentence[]} */
  read() {
    return this.#rows
      .map((row, index) => ({ number: index + 1, text: row.field.value.trim(), isSelected: row === this.#selected }))
      .filter(({ text }) => text !== "");
  }

  /** @param {number} number of the row, from 1 */
  select(number) {
    this.#selected = this.#rows[number - 1] ?? this.#selected;
    this.#refresh();
    this.#onChange();
  }

  /**
   * @param {number} index
   * @param {string} text
   * @returns {Row}
   */
  #insert(index, text) {
    const badge = make("span", { class: "badge number", "aria-hidden": "true" });
    const field = make("textarea", { rows: 1, spellcheck: "true", placeholder: "Type a sentence" });
    const remove = make("button", { type: "button", class: "remove" }, "×");
    const item = make("li", { class: "sentence" }, badge, field, remove);
    const row = { item, field, badge, remove };
    field.value = text;
    field.addEventListener("focus", () => this.select(this.#rows.indexOf(row) + 1));
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
    this.#rows.forEach((row, index) => {
      row.badge.textContent = String(index + 1);
      row.field.setAttribute("aria-label", `Sentence ${index + 1}`);
      row.remove.setAttribute("aria-label", `Remove sentence ${index + 1}`);
      row.item.classList.toggle("is-selected", row === this.#selected);
    });
    const isFull = this.#rows.length >= MOST_ROWS;
    this.#add.disabled = isFull;
    this.#count.textContent = isFull ? `${MOST_ROWS} is the most this page shows.` : formatCount(this.#rows.length, "sentence");
  }
}

/** @param {HTMLTextAreaElement} field grows with its text */
function fitHeight(field) {
  if (FITS_ITSELF) return;
  field.style.height = "auto";
  field.style.height = `${field.scrollHeight}px`;
}
