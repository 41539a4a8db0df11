/** The model's answer: the best label, large, and a bar for each of the labels shown. */

import { find, make } from "./kit/ui/dom.js";
import { formatShare } from "./kit/ui/format.js";

/** Up to here every label keeps its own row, in the model's order; above, the best few are listed. */
const MOST_FIXED_ROWS = 12;
const BEST_ROWS = 5;
const SPEAK_AFTER_MS = 700;

/** @typedef {{label: string, index: number, score: number}} Label */
/** @typedef {{row: HTMLElement, name: HTMLElement, fill: HTMLElement, share: HTMLElement}} Bar */

/**
 * @param {string[]} names every label, in the model's order
 * @returns {{show: (labels: Label[]) => void, clear: () => void}}
 */
export function drawAnswer(names) {
  const verdict = find("#verdict", HTMLElement);
  const label = find("#verdict-label", HTMLElement);
  const share = find("#verdict-share", HTMLElement);
  const words = find("#verdict-words", HTMLElement);
  const spoken = find("#spoken", HTMLElement);
  const list = find("#bars", HTMLOListElement);
  const isFixed = names.length <= MOST_FIXED_ROWS;
  const bars = Array.from({ length: isFixed ? names.length : BEST_ROWS }, () => makeBar());
  list.replaceChildren(...bars.map((bar) => bar.row));
  list.classList.toggle("is-fixed", isFixed);
  verdict.dataset.size = nameSize(isFixed ? names : []);
  let timer = 0;

  const clear = () => {
    clearTimeout(timer);
    verdict.dataset.empty = "true";
    label.textContent = "?";
    label.title = "";
    share.textContent = "";
    words.textContent = "Nothing to look at yet";
    bars.forEach((bar, index) => fillBar(bar, isFixed ? names[index] : "", 0, false));
  };
  clear();

  return {
    clear,
    show(labels) {
      const [best] = labels;
      verdict.dataset.empty = "false";
      label.textContent = best.label;
      label.title = best.label;
      if (!isFixed) verdict.dataset.size = nameSize([best.label]);
      share.textContent = formatShare(best.score);
      words.textContent = describeScore(labels);
      const shown = isFixed ? [...labels].sort((a, b) => a.index - b.index) : labels;
      bars.forEach((bar, index) => shown[index] && fillBar(bar, shown[index].label, shown[index].score, shown[index].index === best.index));
      clearTimeout(timer);
      timer = window.setTimeout(() => (spoken.textContent = `${best.label}, ${formatShare(best.score)}`), SPEAK_AFTER_MS);
    },
  };
}

/** @returns {Bar} */
function makeBar() {
  const name = make("span", { class: "bar-name" });
  const fill = make("span", { class: "bar-fill" });
  const share = make("span", { class: "bar-share number" });
  const row = make("li", { class: "bar" }, name, make("span", { class: "bar-track", "aria-hidden": "true" }, fill), share);
  return { row, name, fill, share };
}

/**
 * @param {Bar} bar
 * @param {string} name
 * @param {number} score
 * @param {boolean} isBest
 */
function fillBar(bar, name, score, isBest) {
  if (bar.name.textContent !== name) {
    bar.name.textContent = name;
    bar.name.title = name;
  }
  bar.fill.style.transform = `scaleX(${score})`;
  bar.share.textContent = name ? `${(100 * score).toFixed(1)} %` : "";
  bar.row.classList.toggle("is-best", isBest);
}

/**
 * @param {Label[]} labels best first
 * @returns {string}
 */
function describeScore([best, second]) {
  if (best.score >= 0.9 || !second) return "quite sure";
  if (best.score >= 0.6) return "likely";
  return `unsure: perhaps ${second.label}`;
}

/**
 * @param {string[]} names
 * @returns {"sign" | "word" | "phrase"} how much room the longest of them takes
 */
function nameSize(names) {
  const longest = Math.max(0, ...names.map((name) => [...name].length));
  if (longest === 0 || longest > 14) return "phrase";
  return longest <= 2 ? "sign" : "word";
}
