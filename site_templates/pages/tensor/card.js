/** What cards of inputs and outputs have in common. */

import { make } from "./kit/ui/dom.js";

/**
 * @param {string} name
 * @param {string} dtype
 * @returns {HTMLElement}
 */
export function makeCardHead(name, dtype) {
  const title = make("h3", { class: "number" }, name);
  return make("header", { class: "card-head" }, title, make("span", { class: "dtype number" }, dtype));
}
