/** Words of a text as search compares them: small letters, without accents; Chinese and Japanese sign by sign. */

const word = /[\p{Script=Han}\p{Script=Hiragana}\p{Script=Katakana}]|[\p{L}\p{N}]+/gu;
const marks = /\p{M}+/gu;
const longest = 64;

// Most text is plain English, which needs none of the above and takes a third of the time without it.
const plainText = /^[\x00-\x7f]*$/;
const plainWord = /[a-z0-9]+/g;

/**
 * @param {string} text
 * @returns {string[]}
 */
export function listTerms(text) {
  const isPlain = plainText.test(text);
  const folded = isPlain ? text.toLowerCase() : text.normalize("NFKD").replace(marks, "").toLowerCase();
  return (folded.match(isPlain ? plainWord : word) ?? []).map((term) => term.slice(0, longest));
}
