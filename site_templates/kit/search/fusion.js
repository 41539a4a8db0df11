/**
 * Meaning and words as one score: the cosine, and a part of BM25 on top. Scores rather than places, because by its place
 * the best of many passages that share a "how" with the question looks like the only one that has its code in it.
 * Source: Wang, Zhuang and Zuccon, "BERT-based Dense Retrievers Require Interpolation with BM25 for Effective Passage
 * Retrieval", 2021; the weight is measured (models/rag/README.md).
 */

const wordWeight = 0.05;

/**
 * @param {Float32Array} cosines  of every row
 * @param {ReadonlyMap<number, number>} words  BM25 of every row that has a word of the question
 * @param {number} wordCount  how many different words the question has: BM25 is a sum over them, and would count for more
 *   than meaning in a long one
 * @returns {Float32Array} a score for every row, of which only the order means something
 */
export function fuseScores(cosines, words, wordCount) {
  const scores = cosines.slice();
  const weight = wordWeight / Math.sqrt(wordCount || 1);
  for (const [row, score] of words) scores[row] += weight * score;
  return scores;
}
