/** Masks in a text: where they are, and what becomes of the text when one is filled or put in. */

/** Characters of the text on either side that are shown. */
const MOST_BEFORE = 28;
const MOST_AFTER = 18;

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
 * Some words on either side of a mask, for the head of its list; the other masks as blanks.
 *
 * @param {string} text
 * @param {Span} span of the mask
 * @param {string} mask
 * @returns {{before: string, after: string}}
 */
export function readAround(text, { start, end }, mask) {
  const before = text.slice(0, start).replaceAll(mask, "___").replace(/\s+/g, " ");
  const after = text.slice(end).replaceAll(mask, "___").replace(/\s+/g, " ");
  return {
    before: before.length > MOST_BEFORE ? `…${before.slice(-MOST_BEFORE).replace(/^\S*/, "")}` : before,
    after: after.length > MOST_AFTER ? `${after.slice(0, MOST_AFTER).replace(/\S*$/, "")}…` : after,
  };
}
