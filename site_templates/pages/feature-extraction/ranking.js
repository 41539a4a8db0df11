/** The ranked list: every other sentence, the most alike first. */

import { find } from "./kit/ui/dom.js";
import { formatSimilarity } from "./kit/ui/format.js";
import { drawRanks } from "./kit/ui/ranks.js";
import { speakLater } from "./kit/ui/speak.js";

/** @typedef {import("./kit/ui/sentence-list.js").Sentence} Sentence */

/**
 * @returns {(sentences: Sentence[], compare: (a: string, b: string) => number | null) => void} draws it anew
 */
export function drawRanking() {
  const subject = find("#subject", HTMLElement);
  const showRanks = drawRanks(find("#ranks", HTMLOListElement));
  const speak = speakLater(find("#spoken", HTMLElement));

  return (sentences, compare) => {
    const chosen = sentences.find(({ isSelected }) => isSelected);
    subject.textContent = chosen ? chosen.text : "Select a sentence that has text.";
    const others = chosen
      ? sentences.filter((each) => each !== chosen).map((each) => ({ ...each, similarity: compare(chosen.text, each.text) }))
      : [];
    others.sort((a, b) => (b.similarity ?? -2) - (a.similarity ?? -2));
    showRanks(others.map(makeRank), chosen ? "Write a second sentence to compare it with." : "");
    const [first] = others;
    if (chosen && first && first.similarity !== null) {
      speak(`Closest to sentence ${chosen.number}: sentence ${first.number}, ${formatSimilarity(first.similarity)}`);
    }
  };
}

/**
 * @param {Sentence & {similarity: number | null}} sentence
 * @returns {import("./kit/ui/ranks.js").Rank}
 */
function makeRank({ id, number, text, similarity }) {
  return { key: id, badge: String(number), text, share: similarity ?? 0, value: formatSimilarity(similarity) };
}
