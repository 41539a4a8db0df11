/** Rows with a bar and a value each. A row keeps its element while its key lasts, so that bars grow and rows slide. */

import { make } from "./dom.js";
import { reorder } from "./reorder.js";

/**
 * @typedef {object} Rank
 * @property {string} key what the row is about: one row each
 * @property {string} text
 * @property {number} share length of the bar, 0 to 1
 * @property {string} value as people read it
 * @property {string} [badge] a number before the text
 * @property {boolean} [isBest]
 */

/** @typedef {{row: HTMLLIElement, badge: HTMLElement | null, text: HTMLElement, value: HTMLElement, fill: HTMLElement}} Row */

/**
 * @param {HTMLElement} list with the class `ranks`
 * @param {(key: string) => void} [onChoose] makes a button of every text
 * @returns {(ranks: Rank[], none?: string) => void} draws them in this order; `none` stands there when there are none
 */
export function drawRanks(list, onChoose) {
  /** @type {Map<string, Row>} */
  let rows = new Map();
  return (ranks, none = "") => {
    const kept = new Map(ranks.map((rank) => [rank.key, rows.get(rank.key) ?? makeRow(rank, onChoose)]));
    rows = kept;
    for (const rank of ranks) fillRow(/** @type {Row} */ (kept.get(rank.key)), rank);
    const empty = ranks.length === 0 && none ? [make("li", { class: "ranks-none quiet" }, none)] : [];
    reorder(list, [...[...kept.values()].map(({ row }) => row), ...empty]);
  };
}

/**
 * @param {Rank} rank
 * @param {((key: string) => void) | undefined} onChoose
 * @returns {Row}
 */
function makeRow({ key, badge }, onChoose) {
  const number = badge === undefined ? null : make("span", { class: "badge number" });
  const text = onChoose ? make("button", { type: "button", class: "rank-text" }) : make("span", { class: "rank-text" });
  text.addEventListener("click", () => onChoose?.(key));
  const value = make("span", { class: "rank-value number" });
  const fill = make("span", { class: "rank-fill" });
  const track = make("span", { class: "rank-track", "aria-hidden": "true" }, fill);
  const row = make("li", { class: "rank" }, ...(number ? [number] : []), text, value, track);
  return { row, badge: number, text, value, fill };
}

/**
 * @param {Row} row
 * @param {Rank} rank
 */
function fillRow(row, { text, share, value, badge, isBest = false }) {
  if (row.text.textContent !== text) row.text.textContent = text;
  if (row.badge) row.badge.textContent = badge ?? "";
  row.value.textContent = value;
  row.fill.style.transform = `scaleX(${Math.max(0, Math.min(1, share))})`;
  row.row.classList.toggle("is-best", isBest);
}
