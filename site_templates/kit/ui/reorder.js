/** Puts rows into another order, and lets each slide from where it was: the eye can follow what rose and what fell. */

import { prefersStillness } from "./dom.js";

const SLIDE_MS = 320;
const EASING = "cubic-bezier(0.2, 0.7, 0.3, 1)";

/**
 * @param {HTMLElement} list
 * @param {HTMLElement[]} rows what it holds from now on, in order
 */
export function reorder(list, rows) {
  const before = [...list.children];
  if (rows.length === before.length && rows.every((row, index) => row === before[index])) return;
  const isStill = before.length === 0 || prefersStillness();
  const tops = new Map(isStill ? [] : before.map((row) => [row, row.getBoundingClientRect().top]));
  const focused = document.activeElement;
  list.replaceChildren(...rows);
  // An element that is moved loses the focus.
  if (focused instanceof HTMLElement && list.contains(focused)) focused.focus({ preventScroll: true });
  if (isStill) return;
  const places = rows.map((row) => row.getBoundingClientRect().top);
  rows.forEach((row, index) => {
    const top = tops.get(row);
    if (top === places[index]) return;
    const from = top === undefined ? { opacity: 0 } : { transform: `translateY(${top - places[index]}px)` };
    row.animate([from, {}], { duration: SLIDE_MS, easing: EASING });
  });
}
