/** Marks in a field: the same text lies under it, cut into pieces, some of them marked. */

import { make } from "./dom.js";

/** @typedef {{start: number, end: number}} Span of the text, in JavaScript's string offsets */

/**
 * @template {Span} T
 * @param {string} text
 * @param {T[]} spans any order; those that overlap one before them, or lie outside, are left out
 * @returns {{text: string, span: T | null}[]} all of the text, in pieces, none of them empty
 */
export function cutText(text, spans) {
  /** @type {{text: string, span: T | null}[]} */
  const pieces = [];
  let place = 0;
  for (const span of [...spans].sort((a, b) => a.start - b.start)) {
    if (span.start < place || span.end <= span.start || span.end > text.length) continue;
    if (span.start > place) pieces.push({ text: text.slice(place, span.start), span: null });
    pieces.push({ text: text.slice(span.start, span.end), span });
    place = span.end;
  }
  if (place < text.length) pieces.push({ text: text.slice(place), span: null });
  return pieces;
}

/**
 * @template {Span} T
 * @param {HTMLElement} under
 * @param {string} text
 * @param {T[]} spans
 * @param {(mark: HTMLElement, span: T) => void} [dress] gives a mark its looks
 */
export function drawMarks(under, text, spans, dress = () => {}) {
  const pieces = cutText(text, spans).map((piece) => {
    if (!piece.span) return piece.text;
    const mark = make("mark", {}, piece.text);
    dress(mark, piece.span);
    return mark;
  });
  // A line break at the very end makes a line only when something follows it.
  under.replaceChildren(...pieces, "​");
}
