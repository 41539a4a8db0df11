/** A table of any number of rows, of which only those in sight are in the document. */

import { make } from "./kit/ui/dom.js";
import { formatShare } from "./kit/ui/format.js";

/** As in the style sheet. */
const ROW_PX = 44;
const MORE_ROWS = 6;

/** How far a key goes, in rows, given how many are in sight. @type {Record<string, (inSight: number) => number>} */
const STEPS = {
  ArrowDown: () => 1,
  ArrowUp: () => -1,
  PageDown: (inSight) => inSight,
  PageUp: (inSight) => -inSight,
  Home: () => -Infinity,
  End: () => Infinity,
};

/** @typedef {{texts: string[], labels: (import("./batch.js").Label | null)[]}} Rows */

/**
 * @param {HTMLElement} scroll
 * @param {HTMLTableElement} table
 * @param {(index: number) => void} onChoose a row, pressed or come to with the arrow keys; again after its label has changed
 * @returns {{open: (rows: Rows) => void, redraw: () => void}} `redraw` after the labels have changed
 */
export function drawRowTable(scroll, table, onChoose) {
  const above = make("tbody", { "aria-hidden": "true" }, make("tr"));
  const body = make("tbody");
  const below = make("tbody", { "aria-hidden": "true" }, make("tr"));
  const heads = ["Row", "Text", "Label", "Score"].map((name) => make("th", { scope: "col" }, name));
  table.append(make("thead", {}, make("tr", { "aria-rowindex": 1 }, ...heads)), above, body, below);
  /** @type {Rows} */
  let rows = { texts: [], labels: [] };
  let frame = 0;
  let current = -1;

  const draw = () => {
    frame = 0;
    const inSight = Math.ceil(scroll.clientHeight / ROW_PX) + 2 * MORE_ROWS;
    const first = Math.max(0, Math.min(Math.floor(scroll.scrollTop / ROW_PX) - MORE_ROWS, rows.texts.length - inSight));
    const last = Math.min(rows.texts.length, first + inSight);
    body.replaceChildren(...Array.from({ length: last - first }, (_, place) => makeRow(rows, first + place, first + place === current)));
    above.rows[0].style.height = `${first * ROW_PX}px`;
    below.rows[0].style.height = `${(rows.texts.length - last) * ROW_PX}px`;
  };
  const redraw = () => {
    if (!frame) frame = requestAnimationFrame(draw);
  };
  scroll.addEventListener("scroll", redraw, { passive: true });
  new ResizeObserver(redraw).observe(scroll);

  /** @param {number} index */
  const choose = (index) => {
    current = index;
    onChoose(index);
    const head = table.tHead?.offsetHeight ?? 0;
    const top = index * ROW_PX;
    scroll.scrollTop = Math.min(top, Math.max(scroll.scrollTop, top + ROW_PX + head - scroll.clientHeight));
    redraw();
  };
  body.addEventListener("click", ({ target }) => {
    const row = target instanceof Element && target.closest("tr");
    if (row) choose(Number(row.getAttribute("aria-rowindex")) - 2);
  });
  scroll.addEventListener("keydown", (event) => {
    const step = STEPS[event.key]?.(Math.max(1, Math.floor(scroll.clientHeight / ROW_PX) - 1));
    if (!step || event.ctrlKey || event.metaKey || event.altKey || rows.texts.length === 0) return;
    event.preventDefault();
    choose(Math.max(0, Math.min(rows.texts.length - 1, current < 0 && step > 0 && step < Infinity ? 0 : current + step)));
  });

  return {
    redraw() {
      if (current >= 0) onChoose(current);
      redraw();
    },
    open(next) {
      rows = next;
      current = -1;
      table.setAttribute("aria-rowcount", String(rows.texts.length + 1));
      scroll.scrollTop = 0;
      draw();
    },
  };
}

/**
 * @param {Rows} rows
 * @param {number} index
 * @param {boolean} isCurrent
 * @returns {HTMLTableRowElement}
 */
function makeRow({ texts, labels }, index, isCurrent) {
  const label = labels[index];
  const words = texts[index].slice(0, 300);
  const fill = make("span");
  fill.style.transform = `scaleX(${label?.score ?? 0})`;
  const score = make("span", { class: "row-score" }, make("span", { class: "number" }, label ? formatShare(label.score) : ""), make("span", { class: "row-track" }, fill));
  return make(
    "tr",
    { "aria-rowindex": index + 2, class: isCurrent && "is-current", "aria-current": isCurrent && "true" },
    make("td", { class: "number row-number" }, String(index + 1)),
    make("td", { class: "row-text", title: words }, words),
    make("td", { class: "row-label", title: label?.label ?? false }, label?.label ?? ""),
    make("td", {}, label ? score : ""),
  );
}
