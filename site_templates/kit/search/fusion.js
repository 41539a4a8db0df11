/**
 * Two rankings as one, by the places of a row in each.
 * Source: Cormack, Clarke and Büttcher, "Reciprocal Rank Fusion outperforms Condorcet", 2009, with its k of 60.
 */

const k = 60;

/**
 * @param {readonly (readonly number[])[]} rankings  rows, best first
 * @param {readonly number[]} weights  one a ranking
 * @returns {number[]} all rows, best first; of equals, the one that the first ranking has earlier
 */
export function fuseRankings(rankings, weights) {
  /** @type {Map<number, number>} */
  const scores = new Map();
  rankings.forEach((ranking, which) =>
    ranking.forEach((row, place) => scores.set(row, (scores.get(row) ?? 0) + weights[which] / (k + place + 1))),
  );
  return [...scores.keys()].sort((a, b) => (scores.get(b) ?? 0) - (scores.get(a) ?? 0));
}
