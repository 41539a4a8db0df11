/** Inputs that the page offers to start with. Their buttons come with the page, so that nothing moves. */

import { find } from "./dom.js";

/**
 * @template T
 * @param {T[] | undefined} examples of which the buttons carry the index
 * @param {(example: T) => void} choose
 */
export function offerExamples(examples, choose) {
  find("#examples", HTMLUListElement).addEventListener("click", ({ target }) => {
    const button = target instanceof Element && target.closest("[data-example]");
    const example = button && examples?.[Number(button.getAttribute("data-example"))];
    if (example) choose(example);
  });
}

/**
 * @param {{text?: string | string[]} | undefined} input
 * @returns {string} its text, or the first of them
 */
export function firstText(input) {
  const text = input?.text ?? "";
  return Array.isArray(text) ? (text[0] ?? "") : text;
}
