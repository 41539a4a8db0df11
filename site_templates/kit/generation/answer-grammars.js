/**
 * The grammars of all that a request can ask for: a text of a format, or calls of functions.
 *
 * @typedef {import("../types.js").GenerationSettings} GenerationSettings
 */

import { Grammars, writeFormat } from "./grammar.js";
import { TokenBytes } from "./token-bytes.js";
import { writeToolGrammar } from "./tool-grammar.js";
import { findToolSyntax } from "./tool-syntax.js";

/** What one model's answers can be held to. */
export class AnswerGrammars {
  /** Some tokens are text in calls, and signs everywhere else. @type {Grammars | null} */
  #callGrammars = null;

  /**
   * @param {any} engine  the grammar engine's exports
   * @param {TokenBytes} tokenBytes
   * @param {GenerationSettings} settings
   */
  constructor(engine, tokenBytes, settings) {
    this.engine = engine;
    this.tokenBytes = tokenBytes;
    this.settings = settings;
    this.grammars = new Grammars(engine, tokenBytes, settings);
  }

  /** @type {import("./generator.js").Constrain} */
  async start(format) {
    if (format.type !== "tools") return this.grammars.start(writeFormat(format));
    const syntax = findToolSyntax(this.settings.chat_template);
    this.#callGrammars ??= this.#makeCallGrammars(syntax.signs);
    return this.#callGrammars.start(writeToolGrammar(format, syntax));
  }

  /**
   * @param {readonly string[]} signs
   * @returns {Grammars}
   */
  #makeCallGrammars(signs) {
    const { tokenizer, added } = this.tokenBytes;
    if (![...added.values()].some(({ special, content }) => special && signs.includes(content))) return this.grammars;
    return new Grammars(this.engine, new TokenBytes(tokenizer, signs), this.settings);
  }
}
