/** The labels as chips: each can be edited where it stands; Enter or a comma adds one, Backspace takes the last away. */

import { find, make } from "./kit/ui/dom.js";
import { splitLabels } from "./labels.js";

const MOST_LABELS = 40;

export class LabelChips {
  /** @type {string[]} each once */
  #labels = [];
  /** @type {Map<string, HTMLLIElement>} */
  #chips = new Map();
  #list = find("#label-chips", HTMLUListElement);
  #field = find("#label-new", HTMLInputElement);
  #onChange;

  /**
   * @param {string[]} labels
   * @param {() => void} onChange called after every change but `write`
   */
  constructor(labels, onChange) {
    this.#onChange = onChange;
    this.#field.addEventListener("keydown", (event) => this.#press(event));
    this.#field.addEventListener("input", () => this.#takeFinished());
    // A paste of many lines would lose its line breaks in the field.
    this.#field.addEventListener("paste", (event) => this.#paste(event));
    this.#field.addEventListener("blur", () => this.#takeField());
    // All of the card looks like a field.
    this.#list.replaceChildren(); // the page came with the same labels, which kept their place
    find("#labels", HTMLElement).addEventListener("click", ({ target }) => {
      if (target instanceof Element && !target.closest(".label-chip")) this.#field.focus();
    });
    this.write(labels);
  }

  /** @returns {string[]} */
  read() {
    return [...this.#labels];
  }

  /** @param {string[]} labels in place of those there are */
  write(labels) {
    this.#labels = [...new Set(labels)].slice(0, MOST_LABELS);
    this.#draw();
  }

  #draw() {
    // Chips that stay are not touched: one of them may be just about to be clicked.
    for (const [label, chip] of this.#chips) {
      if (this.#labels.includes(label)) continue;
      chip.remove();
      this.#chips.delete(label);
    }
    for (const label of this.#labels) {
      const chip = this.#chips.get(label) ?? this.#makeChip(label);
      if (!this.#chips.has(label)) this.#list.append(chip);
      this.#chips.set(label, chip);
    }
    this.#field.disabled = this.#labels.length >= MOST_LABELS;
    this.#field.placeholder = this.#field.disabled ? `${MOST_LABELS} labels are the most` : "Add a label";
  }

  /**
   * @param {string} label
   * @returns {HTMLLIElement}
   */
  #makeChip(label) {
    const edit = make("button", { type: "button", class: "label-edit", "aria-label": `Edit ${label}` }, label);
    const remove = make("button", { type: "button", class: "label-remove", "aria-label": `Remove ${label}` }, "×");
    const chip = make("li", { class: "label-chip" }, edit, remove);
    edit.addEventListener("click", () => this.#edit(label));
    remove.addEventListener("click", () => this.#remove(label));
    return chip;
  }

  /** @param {string[]} labels */
  #add(labels) {
    const before = this.#labels.length;
    this.write([...this.#labels, ...labels]);
    if (this.#labels.length !== before) this.#onChange();
  }

  /** @param {string} label */
  #remove(label) {
    const place = this.#labels.indexOf(label);
    this.write(this.#labels.filter((other) => other !== label));
    this.#onChange();
    const next = this.#list.querySelectorAll(".label-remove")[Math.max(0, place - 1)];
    if (next instanceof HTMLElement) next.focus();
    else this.#field.focus();
  }

  /** @param {string} label goes back into the field, to be typed on */
  #edit(label) {
    this.#takeField();
    this.write(this.#labels.filter((other) => other !== label));
    this.#field.value = label;
    this.#field.focus();
    this.#field.select();
    this.#onChange();
  }

  /** @param {KeyboardEvent} event */
  #press(event) {
    if (event.isComposing) return;
    if (event.key === "Enter") {
      event.preventDefault();
      this.#takeField();
    } else if (event.key === "Backspace" && this.#field.value === "" && this.#labels.length > 0) {
      event.preventDefault();
      this.#edit(this.#labels[this.#labels.length - 1]);
    }
  }

  /** What stands before a comma is a label; what comes after is still being typed. */
  #takeFinished() {
    const end = Math.max(this.#field.value.lastIndexOf(","), this.#field.value.lastIndexOf(";"));
    if (end < 0) return;
    const finished = this.#field.value.slice(0, end);
    this.#field.value = this.#field.value.slice(end + 1).trimStart();
    this.#add(splitLabels(finished));
  }

  /** @param {ClipboardEvent} event */
  #paste(event) {
    const text = event.clipboardData?.getData("text") ?? "";
    const labels = splitLabels(text);
    if (labels.length < 2) return;
    event.preventDefault();
    this.#takeField();
    this.#add(labels);
  }

  #takeField() {
    const labels = splitLabels(this.#field.value);
    this.#field.value = "";
    this.#add(labels);
  }
}
