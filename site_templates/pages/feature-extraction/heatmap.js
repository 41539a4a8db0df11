/** The heat map: a real table, a number in every cell, and a colour whose lightness alone carries the value. */

import { find, make } from "./kit/ui/dom.js";
import { formatSimilarity } from "./kit/ui/format.js";

/** Where the scale has its middle colour; from there on the number is written in the opposite tone, for contrast. */
const MIDDLE = 0.55;

/** Up to here there is room for each row's text beside its number. */
const MOST_WORDY_ROWS = 7;

/** @typedef {import("./kit/ui/sentence-list.js").Sentence} Sentence */

/**
 * @param {(number: number) => void} onSelect
 * @returns {(sentences: Sentence[], compare: (a: string, b: string) => number | null) => void} draws it anew
 */
export function drawHeatMap(onSelect) {
  const table = find("#heat", HTMLTableElement);
  /** @type {HTMLTableCellElement[][]} */
  let cells = [];
  let shown = "";

  return (sentences, compare) => {
    const numbers = sentences.map(({ number }) => number).join();
    if (numbers !== shown) cells = buildTable(table, sentences, onSelect);
    shown = numbers;
    table.classList.toggle("is-dense", sentences.length > MOST_WORDY_ROWS);
    sentences.forEach((row, y) => {
      const header = find("button", HTMLButtonElement, table.rows[y + 1]);
      find(".heat-text", HTMLElement, header).textContent = row.text;
      header.setAttribute("aria-pressed", String(row.isSelected));
      table.rows[y + 1].classList.toggle("is-selected", row.isSelected);
      sentences.forEach((column, x) => fillCell(cells[y][x], x === y ? 1 : compare(row.text, column.text), x === y));
    });
  };
}

/**
 * @param {HTMLTableElement} table
 * @param {Sentence[]} sentences
 * @param {(number: number) => void} onSelect
 * @returns {HTMLTableCellElement[][]}
 */
function buildTable(table, sentences, onSelect) {
  const columns = sentences.map(({ number }) => make("th", { scope: "col", class: "number" }, String(number)));
  const corner = make("td", {}, make("span", { class: "only-spoken" }, "Sentence"));
  const rows = sentences.map(({ number }) => {
    const badge = make("span", { class: "badge number" }, String(number));
    const button = make("button", { type: "button", title: "Rank the others by this one" }, badge, make("span", { class: "heat-text" }));
    button.addEventListener("click", () => onSelect(number));
    return make("tr", {}, make("th", { scope: "row" }, button), ...sentences.map(() => make("td", { class: "number" })));
  });
  table.replaceChildren(
    make("caption", { class: "only-spoken" }, "Similarity of every pair of sentences, from 0 (unrelated) to 1 (same meaning)"),
    make("thead", {}, make("tr", {}, corner, ...columns)),
    make("tbody", {}, ...rows),
  );
  return rows.map((row) => [...row.cells].slice(1));
}

/**
 * @param {HTMLTableCellElement} cell
 * @param {number | null} similarity
 * @param {boolean} isSame whether both are one and the same sentence
 */
function fillCell(cell, similarity, isSame) {
  const heat = Math.max(0, Math.min(1, similarity ?? 0));
  cell.textContent = isSame ? "1" : formatSimilarity(similarity);
  const isStrong = heat >= MIDDLE;
  const part = isStrong ? (heat - MIDDLE) / (1 - MIDDLE) : heat / MIDDLE;
  cell.style.setProperty("--part", `${(100 * part).toFixed(1)}%`);
  cell.dataset.tone = isSame ? "same" : isStrong ? "strong" : "faint";
}
