/** A table of any number of rows, of which only those in sight are in the document. */

import { make } from "./kit/ui/dom.js";
import { formatShare } from "./kit/ui/format.js";

/** As in the style sheet. */
const ROW_PX = 44;
const MORE_ROWS = 6;

/** @typedef {{texts: string[], labels: (import("./batch.js").Label | null)[]}} Rows */

/**
 * @param {HTMLElement} scroll
 * @param {HTMLTableElement} table
 * @returns {{open: (rows: Rows) => void, redraw: () => void}} `redraw` after the labels have changed
 */
export function drawRowTable(scroll, table) {
  const above = make("tbody", { "aria-hidden": "true" }, make("tr"));
  const body = make("tbody");
  const below = make("tbody", { "aria-hidden": "true" }, make("tr"));
  const heads = ["Row", "Text", "Label", "Score"].map((name) => make("th", { scope: "col" }, name));
  table.append(make("thead", {}, make("tr", { "aria-rowindex": 1 }, ...heads)), above, body, below);
  /** @type {Rows} */
  let rows = { texts: [], labels: [] };
  let frame = 0;

  const draw = () => {
    frame = 0;
    const inSight = Math.ceil(scroll.clientHeight / ROW_PX) + 2 * MORE_ROWS;
    const first = Math.max(0, Math.min(Math.floor(scroll.scrollTop / ROW_PX) - MORE_ROWS, rows.texts.length - inSight));
    const last = Math.min(rows.texts.length, first + inSight);
    body.replaceChildren(...Array.from({ length: last - first }, (_, place) => makeRow(rows, first + place)));
    above.rows[0].style.height = `${first * ROW_PX}px`;
    below.rows[0].style.height = `${(rows.texts.length - last) * ROW_PX}px`;
  };
  const redraw = () => {
    if (!frame) frame = requestAnimationFrame(draw);
  };
  scroll.addEventListener("scroll", redraw, { passive: true });
  new ResizeObserver(redraw).observe(scroll);

  return {
    redraw,
    open(next) {
      rows = next;
      table.setAttribute("aria-rowcount", String(rows.texts.length + 1));
      scroll.scrollTop = 0;
      draw();
    },
  };
}

/**
 * @param {Rows} rows
 * @param {number} index
 * @returns {HTMLTableRowElement}
 */
function makeRow({ texts, labels }, index) {
  const label = labels[index];
  const words = texts[index].slice(0, 300);
  const fill = make("span");
  fill.style.transform = `scaleX(${label?.score ?? 0})`;
  const score = make("span", { class: "row-score" }, make("span", { class: "number" }, label ? formatShare(label.score) : ""), make("span", { class: "row-track" }, fill));
  return make(
    "tr",
    { "aria-rowindex": index + 2 },
    make("td", { class: "number row-number" }, String(index + 1)),
    make("td", { class: "row-text", title: words }, words),
    make("td", { class: "row-label", title: label?.label ?? false }, label?.label ?? ""),
    make("td", {}, label ? score : ""),
  );
}
