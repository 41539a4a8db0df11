/** The ranked list: every other sentence, the most alike first. */

import { find, make } from "./kit/ui/dom.js";
import { formatSimilarity } from "./similarity.js";

const SPEAK_AFTER_MS = 900;

/** @typedef {import("./sentences.js").Sentence} Sentence */

/**
 * @returns {(sentences: Sentence[], compare: (a: string, b: string) => number | null) => void} draws it anew
 */
export function drawRanking() {
  const subject = find("#subject", HTMLElement);
  const list = find("#ranks", HTMLOListElement);
  const spoken = find("#spoken", HTMLElement);
  let timer = 0;

  return (sentences, compare) => {
    const chosen = sentences.find(({ isSelected }) => isSelected);
    subject.textContent = chosen ? chosen.text : "Select a sentence that has text.";
    const others = chosen
      ? sentences.filter((each) => each !== chosen).map((each) => ({ ...each, similarity: compare(chosen.text, each.text) }))
      : [];
    others.sort((a, b) => (b.similarity ?? -2) - (a.similarity ?? -2));
    list.replaceChildren(...others.map(makeRank));
    if (chosen && others.length === 0) {
      list.append(make("li", { class: "ranks-none quiet" }, "Write a second sentence to compare it with."));
    }
    clearTimeout(timer);
    const [first] = others;
    if (chosen && first && first.similarity !== null) {
      const words = `Closest to sentence ${chosen.number}: sentence ${first.number}, ${formatSimilarity(first.similarity)}`;
      timer = window.setTimeout(() => (spoken.textContent = words), SPEAK_AFTER_MS);
    }
  };
}

/**
 * @param {Sentence & {similarity: number | null}} sentence
 * @returns {HTMLLIElement}
 */
function makeRank({ number, text, similarity }) {
  const fill = make("span", { class: "rank-fill" });
  fill.style.transform = `scaleX(${Math.max(0, similarity ?? 0)})`;
  return make(
    "li",
    { class: "rank" },
    make("span", { class: "badge number" }, String(number)),
    make("span", { class: "rank-text" }, text),
    make("span", { class: "rank-value number" }, formatSimilarity(similarity)),
    make("span", { class: "rank-track", "aria-hidden": "true" }, fill),
  );
}
