/** For every gap a list of the words that fit it; a click puts one in. */

import { find, make } from "./kit/ui/dom.js";
import { formatShare } from "./kit/ui/format.js";
import { drawRanks } from "./kit/ui/ranks.js";
import { speakLater } from "./kit/ui/speak.js";
import { findMasks, readAround } from "./masks.js";

/** @typedef {{score: number, token: number, token_str: string, sequence: string}} Fill */
/** @typedef {{section: HTMLElement, context: HTMLElement, tokens: Map<string, string>, showRanks: ReturnType<typeof drawRanks>}} Gap */

/**
 * @param {string} mask
 * @param {(place: number, token: string) => void} onChoose the place of the gap among the others, and the word for it
 * @returns {{show: (text: string, fills: Fill[][]) => void, clear: (hasText: boolean, isFilled: boolean) => void}}
 */
export function drawGaps(mask, onChoose) {
  const list = find("#gaps", HTMLElement);
  const none = find("#no-gap", HTMLElement);
  const speak = speakLater(find("#spoken", HTMLElement));
  /** @type {Gap[]} */
  const gaps = [];

  return {
    show(text, fills) {
      none.hidden = true;
      while (gaps.length < fills.length) gaps.push(makeGap(gaps.length, onChoose));
      list.replaceChildren(...gaps.slice(0, fills.length).map(({ section }) => section));
      const spans = findMasks(text, mask);
      fills.forEach((fill, place) => fillGap(gaps[place], readAround(text, spans[place], mask), fill));
      speak(fills.map(([best]) => `${showToken(best.token_str)}, ${formatShare(best.score)}`).join("; "));
    },
    clear(hasText, isFilled) {
      list.replaceChildren();
      none.hidden = false;
      none.textContent = isFilled ? "All gaps are filled." : hasText ? "Put a gap where the model should find the word." : "Type a sentence first.";
      speak(none.textContent);
    },
  };
}

/**
 * @param {number} place
 * @param {(place: number, token: string) => void} onChoose
 * @returns {Gap}
 */
function makeGap(place, onChoose) {
  /** @type {Map<string, string>} */
  const tokens = new Map();
  const context = make("h2", { class: "gap-context" });
  const ranks = make("ol", { class: "ranks is-plain" });
  const showRanks = drawRanks(ranks, (key) => onChoose(place, tokens.get(key) ?? ""));
  return { section: make("section", { class: "result-part" }, context, ranks), context, tokens, showRanks };
}

/**
 * @param {Gap} gap
 * @param {{before: string, after: string}} around
 * @param {Fill[]} fills
 */
function fillGap({ context, tokens, showRanks }, { before, after }, fills) {
  context.replaceChildren(before, make("span", { class: "gap-mark" }, make("span", { class: "only-spoken" }, "gap")), after);
  tokens.clear();
  for (const { token, token_str } of fills) tokens.set(String(token), token_str);
  const most = Math.max(...fills.map(({ score }) => score));
  showRanks(
    fills.map(({ token, token_str, score }, index) => ({
      key: String(token),
      text: showToken(token_str),
      // Of thousands of words even the best has a small share: the longest bar is the best word's.
      share: score / most,
      value: formatShare(score),
      isBest: index === 0,
    })),
  );
}

/** @param {string} token @returns {string} with something to see where it is blank */
function showToken(token) {
  return token.trim() || JSON.stringify(token);
}
