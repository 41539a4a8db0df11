/** The answer for one text: the best label in large type, and a bar for each of the labels. */

import { find } from "./kit/ui/dom.js";
import { formatShare } from "./kit/ui/format.js";
import { drawRanks } from "./kit/ui/ranks.js";
import { speakLater } from "./kit/ui/speak.js";

/** Up to here every label keeps its own row, in the model's order; above, the best are listed. */
const MOST_FIXED_ROWS = 12;
const BEST_ROWS = 8;

/** @typedef {{label: string, score: number}} Label */

/**
 * @param {string[]} names every label, in the model's order; empty where the page does not know them
 * @returns {{show: (labels: Label[]) => void, clear: () => void}}
 */
export function drawAnswer(names) {
  const headline = find("#headline", HTMLElement);
  const showRanks = drawRanks(find("#ranks", HTMLOListElement));
  const speak = speakLater(find("#spoken", HTMLElement));
  const isFixed = names.length > 0 && names.length <= MOST_FIXED_ROWS;

  /** @param {Label[]} labels */
  const arrange = (labels) => {
    if (!isFixed) return labels.slice(0, BEST_ROWS);
    return names.map((name) => labels.find(({ label }) => label === name) ?? { label: name, score: 0 });
  };

  return {
    show(labels) {
      const [best] = labels;
      headline.textContent = best.label;
      headline.dataset.empty = "false";
      const ranks = arrange(labels).map(({ label, score }) => ({
        key: label,
        text: label,
        share: score,
        value: formatShare(score),
        isBest: label === best.label,
      }));
      showRanks(ranks);
      speak(`${best.label}, ${formatShare(best.score)}`);
    },
    clear() {
      headline.textContent = "Nothing to read yet.";
      headline.dataset.empty = "true";
      showRanks(isFixed ? names.map((name) => ({ key: name, text: name, share: 0, value: "·" })) : []);
      speak("");
    },
  };
}
