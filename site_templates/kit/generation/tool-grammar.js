/**
 * The grammar of an answer that may call functions: plain text until the opening, if calls are not required; from
 * there on nothing but calls whose arguments fit their schema.
 *
 * @typedef {import("./tool-syntax.js").ToolSyntax} ToolSyntax
 * @typedef {import("../types.js").ToolFormat} ToolFormat
 */

import { RuleBook } from "./grammar-rules.js";
import { makeSchemaRules, printGrammar } from "./grammar-schema.js";
import { writeLiteral } from "./grammar-text.js";

/**
 * @param {ToolFormat} format
 * @param {ToolSyntax} syntax
 * @returns {string} the grammar's text
 */
export function writeToolGrammar({ functions, required, parallel }, { opening, start, next, end, inputs }) {
  const book = new RuleBook();
  const names = functions.map(({ name, parameters, param }) => {
    const { root } = makeSchemaRules(parameters, param, book);
    return { left: [...`${name}"`], after: `"," space ${writeLiteral(`"${inputs}":`)} space ${root} "}"` };
  });
  const call = book.add("call", `"{\\"name\\":" space "\\"" ${book.addForks(names)}`);
  const more = parallel && next ? `(${next} ${call})*` : "";
  const calls = book.add("calls", `${start} ${call} ${more} ${end}`);
  return printGrammar({ rules: book.rules, root: addRoot(book, calls, opening, required) });
}

/**
 * @param {RuleBook} book
 * @param {string} calls
 * @param {string} opening
 * @param {boolean} required
 * @returns {string} the name of the rule of the whole
 */
function addRoot(book, calls, opening, required) {
  if (required) return opening ? book.add("answer", `${writeLiteral(opening)} ${calls}`) : calls;
  if (opening) {
    const dispatch = `(${writeLiteral(opening)}, ${calls}), stop_eos=true, stop_str=(), loop_after_dispatch=false`;
    return book.add("answer", `TagDispatch(${dispatch})`);
  }
  const text = book.add("text", '"" | [^{ \\t\\r\\n] [^\\0]*');
  return book.add("answer", `[ \\t\\r\\n]* (${calls} | ${text})`);
}
