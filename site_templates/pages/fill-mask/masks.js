/** Masks in a text: where they are, and what becomes of the text when one is filled or put in. */

/** @typedef {{start: number, end: number}} Span */

/**
 * @param {string} text
 * @param {string} mask
 * @returns {Span[]} in order
 */
export function findMasks(text, mask) {
  /** @type {Span[]} */
  const found = [];
  for (let start = text.indexOf(mask); start >= 0 && mask !== ""; start = text.indexOf(mask, start + mask.length)) {
    found.push({ start, end: start + mask.length });
  }
  return found;
}

/**
 * Puts a mask in place of a part of the text, apart from the words beside it.
 *
 * @param {string} text
 * @param {Span} part
 * @param {string} mask
 * @returns {{insert: string, caret: number}} what to write there, and where to go on typing
 */
export function insertMask(text, { start, end }, mask) {
  const before = start > 0 && /[\p{L}\p{N}\p{P}]/u.test(text[start - 1]) && !/[([{“"'«-]/.test(text[start - 1]) ? " " : "";
  const after = /[\p{L}\p{N}]/u.test(text[end] ?? "") || text.startsWith(mask, end) ? " " : "";
  const insert = `${before}${mask}${after}`;
  return { insert, caret: start + insert.length };
}

/**
 * The word for a mask, as it should stand in the text. Some tokens bring the blank before the word with them.
 *
 * @param {string} text
 * @param {Span} span of the mask
 * @param {string} token as the model gives it
 * @returns {string}
 */
export function fitWord(text, { start }, token) {
  const word = token.trim();
  if (word.startsWith("##")) return word.slice(2);
  return token.startsWith(" ") && start > 0 && !/\s/.test(text[start - 1]) ? ` ${word}` : word;
}

/**
 * @param {string} text
 * @param {Span} span of the mask
 * @returns {{before: string, after: string}} some words on either side, for the head of its list
 */
export function readAround(text, { start, end }) {
  const before = text.slice(0, start).trimEnd();
  const after = text.slice(end).trimStart();
  const glue = /^\s/.test(text.slice(end)) ? " " : "";
  return {
    before: `${before.length > 24 ? "… " : ""}${before.slice(-24).replace(/^\S*\s/, (cut) => (before.length > 24 ? "" : cut))}`,
    after: `${glue}${after.slice(0, 16).replace(/\s\S*$/, (cut) => (after.length > 16 ? "" : cut))}${after.length > 16 ? " …" : ""}`,
  };
}
