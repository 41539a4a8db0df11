/** Words of a text as search compares them: small letters, without accents; Chinese and Japanese sign by sign. */

const word = /[\p{Script=Han}\p{Script=Hiragana}\p{Script=Katakana}]|[\p{L}\p{N}]+/gu;
const marks = /\p{M}+/gu;
const longest = 64;

/**
 * @param {string} text
 * @returns {string[]}
 */
export function listTerms(text) {
  const plain = text.normalize("NFKD").replace(marks, "").toLowerCase();
  return (plain.match(word) ?? []).map((term) => term.slice(0, longest));
}
