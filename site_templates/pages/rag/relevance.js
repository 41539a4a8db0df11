/** Whether anything that was found has to do with the question. */

/** @typedef {import("./kit/search/collection.js").Found} Found */

/**
 * The least cosine of a passage that is about the question. Measured with MiniLM on the questions of the sample
 * documents and on questions about other things, those of the tuning half alone (models/rag/README.md).
 */
export const leastScore = 0.27;

/** @param {readonly Found[]} found @returns {boolean} */
export function isRelevant(found) {
  return found.some(({ score }) => score >= leastScore);
}
