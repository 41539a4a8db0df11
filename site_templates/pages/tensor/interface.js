/** The model's interface as two tables. */

import { find, make } from "./kit/ui/dom.js";
import { formatShape } from "./shapes.js";

/** @typedef {import("./kit/types.js").TensorSpec} TensorSpec */

/** @param {{inputs: TensorSpec[], outputs: TensorSpec[]}} graph */
export function drawInterface({ inputs, outputs }) {
  find("#interface", HTMLElement).replaceChildren(makeTable("Takes", inputs), makeTable("Gives", outputs));
}

/**
 * @param {string} title
 * @param {TensorSpec[]} specs
 * @returns {HTMLElement}
 */
function makeTable(title, specs) {
  const rows = specs.map(({ name, dtype, shape }) =>
    make(
      "tr",
      {},
      make("th", { scope: "row", class: "number" }, name),
      make("td", { class: "number" }, dtype),
      make("td", { class: "number" }, formatShape(shape)),
    ),
  );
  const head = ["Name", "Type", "Shape"].map((words) => make("th", { scope: "col" }, words));
  const table = make("table", {}, make("caption", {}, title), make("thead", {}, make("tr", {}, ...head)), make("tbody", {}, ...rows));
  return make("div", { class: "interface-table" }, table);
}
