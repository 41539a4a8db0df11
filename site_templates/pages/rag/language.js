/**
 * Whether the embedding model was taught the language of a text. Its tokenizer tells: words of a language that it knows
 * are whole tokens or a few large pieces, those of others fall into small ones. models/rag/README.md has the measurement.
 */

/** @typedef {(texts: string[]) => Promise<ArrayLike<number>>} CountTokens */

/** Fewer letters a token, in more pieces a word, than any English text has, its rarest word left out. */
const leastLettersPerToken = 3.2;
const mostPiecesPerWord = 1.22;

/** What is written like this is a number, an address or a piece of code, and in no language. */
const code = /^(?=[\x21-\x7e]+$)(.*[\d_]|.*[a-z][A-Z]|.*[A-Za-z][./@][A-Za-z])/;

/** Longer words are cut: some tokenizers look at no more. */
const longestWord = 40;

/** A word or two say nothing of the language, unless they are written in another script. */
const leastWords = 3;
const leastLetters = 4;

/** A Chinese sign says as much as so many letters. */
const lettersPerSign = 2.5;

/** As much of a long text as is looked at. */
const sampleLength = 2000;

/**
 * @param {string} text
 * @param {CountTokens} countTokens  of the model
 * @returns {Promise<boolean>} true where too little is known to say
 */
export async function isKnownLanguage(text, countTokens) {
  const parts = text.slice(0, sampleLength).split(/\s+/).filter((part) => !code.test(part));
  const words = (parts.join(" ").match(/[\p{L}\p{M}]+/gu) ?? []).map((word) => word.slice(0, longestWord));
  const letters = words.join("").match(/\p{L}/gu) ?? [];
  const isLatin = letters.filter((letter) => /\p{Script=Latin}/u.test(letter)).length * 2 > letters.length;
  if (letters.length < leastLetters || (isLatin && words.length < leastWords)) return true;
  const [twice, ...counts] = Array.from(await countTokens([words.map((word) => word + word).join(" "), ...words]));
  if (twice <= counts.reduce((sum, count) => sum + count, 0)) return false; // one token stands for any that it cannot spell
  // One rare word is no other language.
  const rarest = isLatin ? counts.indexOf(Math.max(...counts)) : -1;
  const rest = words.filter((_, place) => place !== rarest);
  const tokens = counts.reduce((sum, count, place) => sum + (place === rarest ? 0 : count), 0);
  const size = rest.reduce((sum, word) => sum + measure(word), 0);
  return size / tokens >= leastLettersPerToken || tokens / rest.length <= mostPiecesPerWord;
}

/** @param {string} word @returns {number} letters */
function measure(word) {
  const letters = word.match(/\p{L}/gu) ?? [];
  const signs = letters.filter((letter) => /\p{Script=Han}/u.test(letter)).length;
  return letters.length + signs * (lettersPerSign - 1);
}

/**
 * @param {readonly string[]} names  of documents in a language that the model hardly knows
 * @returns {string} a sentence, "" for none
 */
export function explainForeign([first, ...others]) {
  if (!first) return "";
  const rest = others.length === 1 ? "one other are" : `${others.length} others are`;
  const which = others.length ? `${first} and ${rest}` : `${first} is`;
  return `${which} in a language that the model hardly knows: it finds words there rather than meanings.`;
}
