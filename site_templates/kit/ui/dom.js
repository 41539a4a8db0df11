/** Finding and making elements. Text always goes in as text: names and labels come from files nobody has vetted. */

/**
 * @template {Element} T
 * @param {string} selector
 * @param {new (...args: never[]) => T} kind the class the page's own code relies on
 * @param {ParentNode} [root]
 * @returns {T}
 */
export function find(selector, kind, root = document) {
  const found = root.querySelector(selector);
  if (!(found instanceof kind)) throw new Error(`The page has no ${kind.name} for ${selector}.`);
  return found;
}

/**
 * @template {keyof HTMLElementTagNameMap} K
 * @param {K} tag
 * @param {Record<string, string | number | boolean>} [attributes] `true` sets an empty attribute, `false` none
 * @param {...(Node | string)} children
 * @returns {HTMLElementTagNameMap[K]}
 */
export function make(tag, attributes = {}, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (value !== false) made.setAttribute(name, value === true ? "" : String(value));
  }
  made.append(...children);
  return made;
}

/**
 * A description list.
 *
 * @param {string} className
 * @param {[term: string, value: string | Node][]} rows
 * @returns {HTMLDListElement}
 */
export function makeFacts(className, rows) {
  const entries = rows.map(([term, value]) => make("div", {}, make("dt", {}, term), make("dd", {}, value)));
  return make("dl", { class: className }, ...entries);
}

/** @returns {boolean} whether the visitor asked for less motion */
export function prefersStillness() {
  return matchMedia("(prefers-reduced-motion: reduce)").matches;
}
