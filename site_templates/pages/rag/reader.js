/** A document, opened at a passage, which is marked. */

import { find, make, prefersStillness } from "./kit/ui/dom.js";
import { nameOf } from "./passages.js";

/** @typedef {import("./kit/search/collection.js").IndexedDocument} IndexedDocument */
/** @typedef {import("./kit/search/collection.js").Found} Found */

/** In characters. Through a longer document the way to the mark is not shown: it would be seconds of a blur. */
const longestGlide = 20_000;

const block = /[ \t]*#{1,6}[ \t][^\n]*|[^\n](?:[^\n]|\n(?![ \t]*\n|[ \t]*#{1,6}[ \t]))*/g;

/**
 * @param {IndexedDocument} document
 * @param {Found} found
 */
export function openReader({ text, pages }, found) {
  const dialog = find("#reader", HTMLDialogElement);
  const body = find("#reader-body", HTMLElement);
  find("#reader-title", HTMLElement).textContent = nameOf(found);
  body.replaceChildren(...drawText(text, pages, found));
  if (!dialog.open) dialog.showModal();
  const isFar = text.length > longestGlide || prefersStillness();
  body.querySelector("mark")?.scrollIntoView({ block: "center", behavior: isFar ? "auto" : "smooth" });
}

/**
 * @param {string} text
 * @param {readonly number[]} pages  where each begins
 * @param {{start: number, end: number}} marked
 * @returns {HTMLElement[]} a paragraph for each block of lines, headings as such, and each page's number before it
 */
function drawText(text, pages, marked) {
  const parts = pages.length ? pages : [0];
  return parts.flatMap((start, index) => {
    const number = pages.length ? [make("p", { class: "page-number quiet" }, `Page ${index + 1}`)] : [];
    const blocks = [...text.slice(start, parts[index + 1] ?? text.length).matchAll(block)];
    const drawn = blocks.map((match) => {
      const begin = start + match.index;
      return drawBlock(text, begin, begin + match[0].length, marked);
    });
    return [...number, ...drawn];
  });
}

/**
 * @param {string} text
 * @param {number} begin
 * @param {number} to
 * @param {{start: number, end: number}} marked
 * @returns {HTMLElement}
 */
function drawBlock(text, begin, to, marked) {
  const isHeading = /^[ \t]*#{1,6}[ \t]/.test(text.slice(begin, to));
  const from = begin + (isHeading ? text.slice(begin, to).search(/[^#\s]|$/) : 0);
  const [start, end] = [marked.start, marked.end].map((place) => Math.min(to, Math.max(from, place)));
  const parts = [text.slice(from, start), text.slice(end, to)];
  const middle = end > start ? [make("mark", {}, text.slice(start, end))] : [];
  return make(isHeading ? "h3" : "p", {}, parts[0], ...middle, parts[1]);
}
