/** A document, opened at a passage, which is marked. */

import { find, make, prefersStillness } from "./kit/ui/dom.js";
import { nameOf } from "./passages.js";

/** @typedef {import("./kit/search/collection.js").IndexedDocument} IndexedDocument */
/** @typedef {import("./kit/search/collection.js").Found} Found */

/**
 * @param {IndexedDocument} document
 * @param {Found} found
 */
export function openReader({ text }, found) {
  const dialog = find("#reader", HTMLDialogElement);
  const body = find("#reader-body", HTMLElement);
  find("#reader-title", HTMLElement).textContent = nameOf(found);
  body.replaceChildren(...drawText(text, found));
  if (!dialog.open) dialog.showModal();
  body.querySelector("mark")?.scrollIntoView({ block: "center", behavior: prefersStillness() ? "auto" : "smooth" });
}

/**
 * @param {string} text
 * @param {{start: number, end: number}} marked
 * @returns {HTMLElement[]} a paragraph for each block of lines, headings as such
 */
function drawText(text, marked) {
  return [...text.matchAll(/[ \t]*#{1,6}[ \t][^\n]*|[^\n](?:[^\n]|\n(?![ \t]*\n|[ \t]*#{1,6}[ \t]))*/g)].map((match) => {
    const isHeading = /^[ \t]*#{1,6}[ \t]/.test(match[0]);
    const from = match.index + (isHeading ? match[0].search(/[^#\s]|$/) : 0);
    const to = match.index + match[0].length;
    const [start, end] = [marked.start, marked.end].map((place) => Math.min(to, Math.max(from, place)));
    const parts = [text.slice(from, start), text.slice(end, to)];
    const middle = end > start ? [make("mark", {}, text.slice(start, end))] : [];
    return make(isHeading ? "h3" : "p", {}, parts[0], ...middle, parts[1]);
  });
}
