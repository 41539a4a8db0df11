/**
 * Regular expressions of tokenizer.json are written for Oniguruma. The library `@huggingface/tokenizers` writes them
 * anew for JavaScript; what it leaves out is done here before.
 */

/**
 * @param {string} text
 * @returns {string} as a pattern that matches it
 */
export function escapePattern(text) {
  return text.replace(/[\\^$.*+?()[\]{}|/]/g, "\\$&");
}

/** Groups such as (?i:'s|'t): the library folds the 26 letters only, and two of them have a third form. */
const caselessGroup = /\(\?i:([^()[\]\\]*)\)/g;

/**
 * @param {typeof import("@huggingface/tokenizers")} library
 * @returns {import("./pre-tokenize.js").CompilePattern}
 */
export function makePatternCompiler({ SplitPreTokenizer }) {
  return (source) => {
    const folded = source.replace(caselessGroup, (_, body) => `(?:${body.replace(/[A-Za-z]/g, foldLetter)})`);
    const { pattern } = new SplitPreTokenizer({ type: "Split", pattern: { Regex: folded }, behavior: "Isolated" });
    return /** @type {RegExp} */ (pattern);
  };
}

/**
 * @param {string} letter
 * @returns {string} a class of all letters that are the same but for their case
 */
function foldLetter(letter) {
  const third = { s: "\u017F", k: "\u212A" }[letter.toLowerCase()] ?? "";
  return `[${letter.toLowerCase()}${letter.toUpperCase()}${third}]`;
}
