/** Sentence similarity: one sentence against a list, the closest in meaning first. */

import { formatSimilarity } from "./kit/ui/format.js";
import { openRankingPage } from "./kit/ui/ranking-page.js";

await openRankingPage({
  noun: "sentence",
  emptySubject: "Type the sentence to compare with.",
  makeInput: (subject, texts) => ({ source_sentence: subject, sentences: texts }),
  readExample: ({ source_sentence = "", sentences = [] }) => ({ subject: source_sentence, texts: sentences }),
  readScores: ({ scores }) => [...scores],
  makeShares: (scores) => scores.map((score) => Math.max(0, score ?? 0)),
  format: formatSimilarity,
});
