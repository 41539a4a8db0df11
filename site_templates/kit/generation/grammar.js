/**
 * Answers that keep to a grammar. The engine (XGrammar, compiled to wasm) is fetched when the first request asks for
 * it; grammars are compiled once, and kept.
 *
 * @typedef {import("../types.js").GenerationSettings} GenerationSettings
 */

import { KitError, describeError } from "../errors.js";
import { makeSchemaRules, printGrammar } from "./grammar-schema.js";
import { spellBytes } from "../text/byte-alphabet.js";

/** So many compiled grammars are kept; each may be some megabytes. */
const mostKept = 32;

/** What one model's answers can be held to. */
export class Grammars {
  /** @type {Promise<any> | null} */
  #compiler = null;
  /** Compiled grammars by their text, the last one used last. @type {Map<string, any>} */
  #compiled = new Map();

  /**
   * @param {any} engine  the package's exports
   * @param {import("./token-bytes.js").TokenBytes} tokenBytes
   * @param {GenerationSettings} settings
   */
  constructor(engine, tokenBytes, settings) {
    this.engine = engine;
    this.tokenBytes = tokenBytes;
    this.settings = settings;
  }

  /**
   * @param {string} text  the grammar
   * @returns {Promise<Constraint>}
   */
  async start(text) {
    const compiled = this.#compiled.get(text) ?? (await this.#compile(text));
    this.#compiled.delete(text);
    this.#compiled.set(text, compiled);
    for (const [oldest, grammar] of this.#compiled) {
      if (this.#compiled.size <= mostKept) break;
      this.#compiled.delete(oldest);
      grammar.dispose();
    }
    const matcher = await this.engine.GrammarMatcher.createGrammarMatcher(compiled);
    return new Constraint(matcher, this.settings.eos_token_ids, this.tokenBytes);
  }

  /**
   * @param {string} text
   * @returns {Promise<any>}
   */
  async #compile(text) {
    try {
      this.#compiler ??= this.#makeCompiler();
      return await (await this.#compiler).compileGrammar(text);
    } catch (error) {
      throw new KitError("run", `The grammar of this answer could not be made: ${describeError(error)}`, {
        cause: error,
      });
    }
  }

  /** @returns {Promise<any>} */
  async #makeCompiler() {
    const { vocabulary, eos_token_ids: ends } = this.settings;
    // Bytes in the byte-level alphabet, whatever the tokenizer: so the engine sees what the text will get. A token
    // without bytes is a sign to the model, which the engine never lets through.
    const tokens = Array.from({ length: vocabulary }, (_, id) => spellBytes(this.tokenBytes.read(id)));
    const { TokenizerInfo, GrammarCompiler } = this.engine;
    const info = await TokenizerInfo.createTokenizerInfo(tokens, "byte_level", false, vocabulary, ends);
    return GrammarCompiler.createGrammarCompiler(info, false);
  }
}

/** One answer's way through its grammar. */
export class Constraint {
  /** The tokens that may come next, 32 a word. @type {Int32Array | null} */
  mask = null;
  /** Whether nothing but the end can come. */
  ended = false;

  /**
   * @param {any} matcher
   * @param {readonly number[]} ends
   * @param {import("./token-bytes.js").TokenBytes} tokenBytes  what the grammar takes the tokens for
   */
  constructor(matcher, ends, tokenBytes) {
    this.matcher = matcher;
    this.ends = ends;
    this.tokenBytes = tokenBytes;
  }

  /** Find out what may come next: sets `mask` and `ended`. */
  async look() {
    this.mask = await this.matcher.getNextTokenBitmask();
    this.ended = this.#allowsEndOnly();
  }

  /**
   * @param {number} id  a token that the mask allows
   */
  async accept(id) {
    if (this.matcher.acceptToken(id)) return this.look();
    throw new KitError("run", `The grammar of this answer does not take token ${id}.`);
  }

  /** Give its memory back. */
  dispose() {
    this.matcher.dispose();
  }

  /** @returns {boolean} */
  #allowsEndOnly() {
    const mask = /** @type {Int32Array} */ (this.mask);
    const rest = mask.slice();
    for (const end of this.ends) rest[end >> 5] &= ~(1 << (end & 31));
    if (rest.some((word) => word !== 0)) return false;
    if (this.ends.length && mask.every((word) => word === 0)) {
      throw new KitError("run", "This model's tokens cannot write what the grammar of this answer asks for.");
    }
    return true;
  }
}

/**
 * @param {string} url
 * @returns {Promise<any>} the engine's exports
 */
export async function loadEngine(url) {
  await import(url);
  return /** @type {any} */ (globalThis).xgrammar; // its file is no ES module, and leaves a global instead
}

/**
 * @param {import("../types.js").TextFormat} format
 * @returns {string} the grammar's text
 */
export function writeFormat(format) {
  const schema = format.type === "json_schema" ? format.schema : { type: "object" };
  return printGrammar(makeSchemaRules(schema, "response_format.json_schema.schema"));
}
