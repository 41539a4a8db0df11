/** What to say of a question in a script that the embedding model was not taught. */

/** @param {string} text @returns {string} "" where there is nothing to say */
export function explainScript(text) {
  const letters = text.match(/\p{L}/gu) ?? [];
  const latin = letters.filter((letter) => /\p{Script=Latin}/u.test(letter)).length;
  if (letters.length < 4 || latin * 2 >= letters.length) return "";
  return "The search knows English best. In this script it finds words rather than meanings.";
}
