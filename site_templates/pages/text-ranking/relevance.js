/** Scores of a cross-encoder: shares from 0 to 1 where the model ends with a sigmoid, else numbers of any size. */

/**
 * @param {{index: number, score: number}[]} results best first
 * @returns {number[]} in the order of the documents
 */
export function orderScores(results) {
  /** @type {number[]} */
  const scores = [];
  for (const { index, score } of results) scores[index] = score;
  return scores;
}

/**
 * @param {(number | null)[]} scores null where there is none yet
 * @returns {number[]} lengths of bars: the score itself where all are shares, else from the worst to the best
 */
export function makeShares(scores) {
  const known = scores.filter((score) => score !== null);
  if (known.every((score) => score >= 0 && score <= 1)) return scores.map((score) => score ?? 0);
  const worst = Math.min(...known);
  const span = Math.max(...known) - worst || 1;
  return scores.map((score) => (score === null ? 0 : (score - worst) / span));
}

/**
 * @param {number | null} score
 * @returns {string} three significant decimals, with a real minus sign
 */
export function formatRelevance(score) {
  if (score === null) return "·";
  const text = score.toFixed(Math.abs(score) < 1 ? 3 : 2);
  return Number(text) === 0 ? text.replace("-", "") : text.replace("-", "−");
}
