/** Many texts at once: a table is opened, classified with progress, looked at, and saved with its labels. */

import { find, make } from "./kit/ui/dom.js";
import { formatCount, groupDigits } from "./kit/ui/format.js";
import { Batch } from "./batch.js";
import { guessColumn, guessHeader, nameColumns } from "./columns.js";
import { takeFile } from "./drop.js";
import { measurePace } from "./pace.js";
import { drawRowDetail } from "./row-detail.js";
import { drawRowTable } from "./row-table.js";
import { saveTable } from "./save.js";
import { readTable, TableError } from "./table-file.js";

const MOST_COUNTS = 12;

/** @typedef {import("./table-file.js").Table} Table */

/** The part of the page for whole tables. */
export class BatchView {
  #parts = findParts();
  #rows = drawRowTable(this.#parts.scroll, this.#parts.table, (index) => this.#showRow(index));
  #showDetail;
  #classify;
  #batch;
  /** @type {Table | null} */
  #table = null;
  /** @type {AbortController | null} while it runs */
  #running = null;
  #isAllowed = false;
  #opened = 0;

  /**
   * @param {import("./batch.js").Classify} classify
   * @param {(text: string) => void} showLabels of one row, all of them
   */
  constructor(classify, showLabels) {
    this.#classify = classify;
    this.#showDetail = drawRowDetail(showLabels);
    this.#batch = new Batch([], classify);
    const { section, file, column, header, start, cancel, save } = this.#parts;
    takeFile(section, file, (chosen) => this.#open(chosen));
    column.addEventListener("change", () => this.#prepare());
    header.addEventListener("change", () => this.#fillColumns(column.value));
    start.addEventListener("click", () => this.#start());
    cancel.addEventListener("click", () => this.#running?.abort());
    save.addEventListener("click", async () => {
      if (this.#table) await saveTable(this.#table, header.checked, this.#batch.labels);
    });
  }

  /** The model is ready. */
  allow() {
    this.#isAllowed = true;
    this.#showButtons();
  }

  /** @param {File} file */
  async #open(file) {
    const { problem, hint, header, choices, work } = this.#parts;
    const turn = (this.#opened += 1);
    problem.textContent = "";
    hint.textContent = `Reading ${file.name} …`;
    try {
      const table = await readTable(file);
      if (turn !== this.#opened) return;
      this.#running?.abort();
      this.#table = table;
    } catch (error) {
      if (!(error instanceof TableError)) throw error;
      if (turn === this.#opened) problem.textContent = error.message;
    }
    hint.textContent = this.#table?.name ?? "or drop one here";
    if (!this.#table || problem.textContent) return;
    header.checked = guessHeader(this.#table);
    choices.hidden = this.#table.isPlain;
    work.hidden = false;
    this.#fillColumns(String(guessColumn({ rows: this.#table.rows, hasHeader: header.checked })));
  }

  /** @param {string} chosen index of the column */
  #fillColumns(chosen) {
    if (!this.#table) return;
    const { column, header } = this.#parts;
    const names = nameColumns(this.#table.rows, header.checked, this.#table.isPlain);
    column.replaceChildren(...names.map((name, index) => make("option", { value: index }, name)));
    column.value = chosen;
    this.#prepare();
  }

  /** Begins anew, with another table, column or header. */
  #prepare() {
    if (!this.#table) return;
    const { column, header, state } = this.#parts;
    const chosen = Number(column.value);
    const texts = this.#table.rows.slice(header.checked ? 1 : 0).map((row) => row[chosen] ?? "");
    this.#batch = new Batch(texts, this.#classify);
    this.#rows.open(this.#batch);
    this.#showDetail(null);
    const { blank } = this.#batch;
    state.textContent = blank > 0 ? `${formatCount(blank, "row")} without text will get no label.` : "";
    this.#showResults();
    this.#showButtons();
  }

  async #start() {
    const { problem, state } = this.#parts;
    const ending = (this.#running = new AbortController());
    const batch = this.#batch;
    const pace = measurePace(batch);
    problem.textContent = "";
    this.#showButtons();
    try {
      await batch.run(ending.signal, () => {
        if (batch !== this.#batch) return;
        state.textContent = pace.describe();
        this.#showResults();
      });
      if (batch === this.#batch) state.textContent = pace.conclude();
    } catch (error) {
      if (batch === this.#batch) problem.textContent = error instanceof Error ? error.message : String(error);
    } finally {
      if (this.#running === ending) this.#running = null;
      this.#showButtons();
    }
  }

  /** @param {number} index */
  #showRow(index) {
    const { texts, labels } = this.#batch;
    this.#showDetail({ text: texts[index], label: labels[index], index });
  }

  #showButtons() {
    const { start, cancel, save, column, header } = this.#parts;
    const { texts, done, left } = this.#batch;
    const isRunning = this.#running !== null;
    // When all is done there is nothing but the result to be had.
    const isOver = done > 0 && left === 0;
    start.hidden = isRunning || isOver;
    save.classList.toggle("button-main", isOver && !isRunning);
    start.disabled = !this.#isAllowed || left === 0;
    start.textContent = done > 0 && left > 0 ? `Go on with ${formatCount(left, "row")}` : `Classify ${formatCount(texts.length, "row")}`;
    cancel.hidden = !isRunning;
    save.disabled = isRunning || done === 0;
    column.disabled = isRunning;
    header.disabled = isRunning;
  }

  #showResults() {
    const { fill, bar, counts } = this.#parts;
    const { done, left } = this.#batch;
    const share = done / Math.max(1, done + left);
    fill.style.transform = `scaleX(${share})`;
    bar.setAttribute("aria-valuenow", String(Math.round(100 * share)));
    const counted = this.#batch.count();
    const items = counted.slice(0, MOST_COUNTS).map(([label, count]) => make("li", {}, make("span", {}, label), make("b", { class: "number" }, groupDigits(count))));
    const more = counted.length - items.length;
    counts.replaceChildren(...items, ...(more > 0 ? [make("li", {}, `and ${more} more labels`)] : []));
    this.#rows.redraw();
  }
}

function findParts() {
  return {
    section: find("#batch", HTMLElement),
    file: find("#batch-file", HTMLInputElement),
    hint: find("#batch-hint", HTMLElement),
    problem: find("#batch-problem", HTMLElement),
    work: find("#batch-work", HTMLElement),
    choices: find(".batch-choices", HTMLElement),
    column: find("#batch-column", HTMLSelectElement),
    header: find("#batch-header", HTMLInputElement),
    start: find("#batch-start", HTMLButtonElement),
    cancel: find("#batch-cancel", HTMLButtonElement),
    save: find("#batch-save", HTMLButtonElement),
    bar: find("#batch-bar", HTMLElement),
    fill: find("#batch-bar span", HTMLElement),
    state: find("#batch-state", HTMLElement),
    counts: find("#batch-counts", HTMLElement),
    scroll: find("#batch-scroll", HTMLElement),
    table: find("#batch-table", HTMLTableElement),
  };
}
