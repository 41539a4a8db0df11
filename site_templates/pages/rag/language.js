/**
 * Whether the embedding model was taught the language of a text. Its tokenizer tells: words of a language that it knows
 * are whole tokens or a few large pieces, those of others fall into small ones. models/rag/README.md has the measurement.
 */

/** @typedef {(texts: string[]) => Promise<ArrayLike<number>>} CountTokens */

/** Fewer letters a token, in more pieces a word, than any English text has. */
const leastLettersPerToken = 3;
const mostPiecesPerWord = 1.31;

/** Longer words are cut: some tokenizers look at no more. */
const longestWord = 40;

/** One rare word says nothing of the language, unless it is written in another script. */
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
  const words = (text.slice(0, sampleLength).match(/[\p{L}\p{M}]+/gu) ?? []).map((word) => word.slice(0, longestWord));
  const letters = words.join("").match(/\p{L}/gu) ?? [];
  const latin = letters.filter((letter) => /\p{Script=Latin}/u.test(letter)).length;
  if (letters.length < leastLetters || (latin * 2 > letters.length && words.length < leastWords)) return true;
  const signs = letters.filter((letter) => /\p{Script=Han}/u.test(letter)).length;
  const [tokens, twice] = Array.from(await countTokens([words.join(" "), words.map((word) => word + word).join(" ")]));
  if (twice <= tokens) return false; // one token stands for any word that the tokenizer cannot spell
  const lettersPerToken = (letters.length + signs * (lettersPerSign - 1)) / tokens;
  return lettersPerToken >= leastLettersPerToken || tokens / words.length <= mostPiecesPerWord;
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
