/** Whether anything that was found has to do with the question. */

/** @typedef {import("./kit/search/collection.js").Found} Found */

/**
 * The least cosine of a passage that is about the question. Measured with MiniLM on the questions of the sample
 * documents and on as many about other things (models/rag/README.md).
 */
export const leastScore = 0.28;

/** @param {readonly Found[]} found @returns {boolean} */
export function isRelevant(found) {
  return found.some(({ score }) => score >= leastScore);
}
