/** Whether anything that was found has to do with the question, and what of it. models/rag/README.md has the measurement. */

import { listTerms } from "./kit/search/terms.js";
import { isKnownLanguage } from "./language.js";

/** @typedef {import("./kit/search/collection.js").Found} Found */

/**
 * The least cosine of a passage that is about the question. Measured with MiniLM on the questions of the sample
 * documents and on questions about other things, those of the tuning half alone.
 */
export const leastScore = 0.27;

/** @param {readonly Found[]} found @returns {boolean} whether the meaning of one of them is near enough */
export function isRelevant(found) {
  return found.some(({ score }) => score >= leastScore);
}

/**
 * Those that the page shows, in their order; an answer counts them as the list does. Where no meaning is near, the words
 * may be: an embedding does not tell one name or code from another, and a passage that has it is about it all the same.
 *
 * @param {string} query
 * @param {readonly Found[]} found  best first
 * @param {import("./language.js").CountTokens} countTokens  of the embedding model
 * @returns {Promise<Found[]>} none where nothing has to do with the question
 */
export async function pickRelevant(query, found, countTokens) {
  if (isRelevant(found)) return found.filter(isWorthShowing);
  const terms = new Set(listTerms(query));
  const rare = await findRareWords(query, terms, countTokens);
  return found.filter(({ text }) => hasAny(text, rare) || hasAll(text, terms));
}

/** @param {string} text @param {ReadonlySet<string>} words @returns {boolean} */
function hasAny(text, words) {
  return words.size > 0 && listTerms(text).some((term) => words.has(term));
}

/** @param {string} text @param {ReadonlySet<string>} words @returns {boolean} */
function hasAll(text, words) {
  const terms = new Set(listTerms(text));
  return words.size > 0 && [...words].every((word) => terms.has(word));
}

/**
 * @param {string} query
 * @param {ReadonlySet<string>} terms  of it
 * @param {import("./language.js").CountTokens} countTokens
 * @returns {Promise<Set<string>>} those that the model has no token for; none in a language that it hardly knows, where most
 *   are such
 */
async function findRareWords(query, terms, countTokens) {
  if (!terms.size || !(await isKnownLanguage(query, countTokens))) return new Set();
  const words = [...terms];
  const counts = await countTokens(words);
  return new Set(words.filter((_, index) => counts[index] > 1));
}

/** @param {Found} found @returns {boolean} half as close will do for one that has the question's words */
function isWorthShowing({ score, hasWords }) {
  return score >= (hasWords ? leastScore / 2 : leastScore);
}
