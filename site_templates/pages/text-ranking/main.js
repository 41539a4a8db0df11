/** Text ranking: a question, and documents in the order in which they answer it. */

import { openRankingPage } from "./kit/ui/ranking-page.js";
import { formatRelevance, makeShares, orderScores } from "./relevance.js";

await openRankingPage({
  noun: "document",
  emptySubject: "Type a question.",
  makeInput: (subject, texts) => ({ query: subject, documents: texts }),
  readExample: ({ query = "", documents = [] }) => ({ subject: query, texts: documents }),
  readScores: ({ results }) => orderScores(results),
  makeShares,
  format: formatRelevance,
});
