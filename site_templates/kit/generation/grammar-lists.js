/** Lists: how many items they have, and that none comes twice. */

import { writeMost } from "./grammar-text.js";
import { findRef, isOfType } from "./schema-facts.js";

/** So many items may there be in the rules: each set of values that are left has one, with all of them. */
const mostItems = 5000;

/**
 * @param {string[]} fixed  the first items: all of them are written, whether they need to be or not
 * @param {string} items  those after; "" for none
 * @param {number} least  how many of them
 * @param {number} most
 * @returns {string}
 */
export function writeList(fixed, items, least, most) {
  const more =
    items && most > 0
      ? `("," space ${items}){${Math.max(0, fixed.length ? least : least - 1)},${writeMost(most - (fixed.length ? 0 : 1))}}`
      : "";
  if (fixed.length) return `"[" ${fixed.join(' "," space ')} ${more} "]"`;
  if (!more) return '"[]"';
  return `"[" ${items} ${more} "]"${least ? "" : ' | "[]"'}`;
}

/**
 * @param {any} items  a schema
 * @param {any} root  of which it is a part
 * @returns {string[] | null} the JSON texts of all the values that it allows, each once; null where that is unknown
 */
export function listValues(items, root) {
  const schema = items?.$ref === undefined ? items : findRef(root, items.$ref);
  if (schema === null || typeof schema !== "object") return null;
  const types = schema.type === undefined ? null : [schema.type].flat();
  if ("const" in schema || Array.isArray(schema.enum)) {
    const values = "const" in schema ? [schema.const] : schema.enum;
    const fitting = values.filter((/** @type {unknown} */ value) => !types || types.some((type) => isOfType(value, type)));
    return [...new Map(fitting.map((/** @type {unknown} */ value) => [sortNames(value), JSON.stringify(value)])).values()];
  }
  if (!types?.every((type) => type === "boolean" || type === "null")) return null;
  return [...new Set(types)].flatMap((type) => (type === "null" ? ["null"] : ["true", "false"]));
}

/**
 * @param {unknown} value
 * @returns {string} the same for objects that differ in the order of their names only
 */
function sortNames(value) {
  return JSON.stringify(value, (_, part) =>
    part !== null && typeof part === "object" && !Array.isArray(part)
      ? Object.fromEntries(Object.entries(part).sort(([left], [right]) => (left < right ? -1 : 1)))
      : part,
  );
}

/**
 * @param {readonly string[]} values  JSON texts
 * @param {number} least
 * @param {number} most
 * @returns {string} what speaks against lists of them without repetition, "" for nothing
 */
export function findDistinctFault(values, least, most) {
  if (least > values.length) return `allows no list at all: there are only ${values.length} different items`;
  let [items, sets] = [0, 1];
  for (let size = 0; size < Math.min(most, values.length) && items <= mostItems; size++) {
    items += sets * (values.length - size);
    sets = (sets * (values.length - size)) / (size + 1);
  }
  if (items <= mostItems) return "";
  return `has uniqueItems, for which ${values.length} different items are too many: fewer, or a smaller maxItems, can be kept to`;
}

/**
 * @param {readonly string[]} values  JSON texts, without a fault
 * @param {number} least
 * @param {number} most
 * @param {import("./grammar-rules.js").RuleBook} book
 * @returns {string} the rule of lists in which none comes twice
 */
export function addDistinct(values, least, most, book) {
  if (most < 1 || !values.length) return '"[]"';
  /** @type {Map<string, string>} */
  const rules = new Map();
  /**
   * @param {readonly string[]} left
   * @returns {string} the rule of one more item and all that follows
   */
  const addItem = (left) => {
    const key = left.join("\n");
    const known = rules.get(key);
    if (known) return known;
    const count = values.length - left.length + 1;
    const texts = left.flatMap((value) => {
      const others = left.filter((other) => other !== value);
      const end = count >= least ? [{ left: [...value, "]"], after: "" }] : [];
      if (count >= most || !others.length) return end;
      return [...end, { left: [...value, ","], after: `space ${addItem(others)}` }];
    });
    const name = book.addForks(texts);
    rules.set(key, name);
    return name;
  };
  return book.add("distinct", `"[" ${addItem(values)}${least ? "" : ' | "[]"'}`);
}
