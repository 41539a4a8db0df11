/**
 * Which passage a sentence of the answer comes from. A small model does not cite reliably, so the page looks for
 * itself: the passage that has most of the sentence's words, if it has enough of them.
 */

import { findSentences } from "./kit/search/split.js";
import { listTerms } from "./kit/search/terms.js";

/** The share of a sentence's words that must stand in the passage. */
const leastShare = 0.6;

/** How a sentence that is whole ends. */
const sentenceMark = /[.!?…。！？｡]["'”’»)\]」』）】]*\s*$/;

/** Words that say nothing of what a sentence is about. */
const small = new Set(
  "a an and are as at be been but by can do does for from had has have how in into is it its more not of on or so such that the their them then there these they this to was were what when where which who why will with would".split(" "),
);

/**
 * @param {string} answer
 * @param {readonly string[]} passages
 * @returns {{text: string, passage: number | null}[]} sentences with the passage's place in the list; null: in none
 */
export function findSupport(answer, passages) {
  const words = passages.map((text) => new Set(listTerms(text)));
  const spans = findSentences(answer);
  return spans.map(({ start }, index) => {
    const text = answer.slice(start, spans[index + 1]?.start ?? answer.length);
    const terms = listTerms(text).filter((term) => !small.has(term));
    const shares = words.map((known) => measureShare(terms, known));
    const best = shares.indexOf(Math.max(...shares));
    return { text, passage: terms.length && shares[best] >= leastShare ? best : null };
  });
}

/**
 * @param {readonly string[]} terms  of a sentence
 * @param {ReadonlySet<string>} known  of a passage
 * @returns {number} 0 where the sentence has a number that the passage has not: that is invented
 */
function measureShare(terms, known) {
  if (terms.some((term) => /\d/.test(term) && !known.has(term))) return 0;
  return terms.filter((term) => known.has(term)).length / Math.max(1, terms.length);
}

/**
 * An answer that was cut at its greatest length, without the words of a sentence that has no end.
 * @param {string} answer
 * @returns {string} all of it where there is only that sentence
 */
export function dropUnfinished(answer) {
  const last = findSentences(answer).at(-1);
  return last?.start && !sentenceMark.test(answer) ? answer.slice(0, last.start) : answer;
}
