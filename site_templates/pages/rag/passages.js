/** The passages that were found, best first, as a list that opens the documents. */

import { find, make } from "./kit/ui/dom.js";

/** @typedef {import("./kit/search/collection.js").Found} Found */

/**
 * @param {string} query
 * @param {readonly Found[]} shown
 * @param {number} total  passages that were searched
 * @param {(found: Found) => void} open
 */
export function showPassages(query, shown, total, open) {
  find("#found-note", HTMLElement).textContent = describe(query, shown.length, total);
  find("#passages", HTMLElement).replaceChildren(...shown.map((each, index) => drawPassage(each, index + 1, open)));
}

/** @param {string} text @returns {string} with its headings set off */
function onOneLine(text) {
  return text.replace(/^[ \t]*#{1,6}[ \t]([^\n]*)\n+/gm, "$1 · ").replace(/\s+/g, " ");
}

/** @param {string} query @param {number} count @param {number} total @returns {string} */
function describe(query, count, total) {
  if (!total) return "Add files to search in them.";
  if (!query) return "Type to search.";
  return count ? `best ${count} of ${total.toLocaleString("en")}` : "Nothing in these files is about that.";
}

/**
 * @param {Found} found
 * @param {number} number
 * @param {(found: Found) => void} open
 * @returns {HTMLLIElement}
 */
function drawPassage(found, number, open) {
  const button = make(
    "button",
    { type: "button", class: "passage" },
    make("span", { class: "badge number" }, String(number)),
    make("span", { class: "passage-text" }, onOneLine(found.text)),
    make("span", { class: "passage-place" }, nameOf(found)),
    make("span", { class: "passage-score number", title: "Cosine of question and passage" }, found.score.toFixed(2)),
  );
  button.addEventListener("click", () => open(found));
  return make("li", {}, button);
}

/** @param {Pick<Found, "name" | "page">} found @returns {string} */
export function nameOf({ name, page }) {
  return page ? `${name}, page ${page}` : name;
}
