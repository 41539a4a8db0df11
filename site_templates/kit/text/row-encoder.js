/**
 * From a text, or a pair of texts, to one row of token ids with its special tokens, cut to what the model reads.
 *
 * @typedef {import("./tokenizer.js").Tokenizer} Tokenizer
 * @typedef {"longest_first" | "only_first"} Truncation
 *
 * @typedef {object} Row
 * @property {number[]} ids
 * @property {number[]} types  token types: 1 for the second text of a pair, where the model tells them apart
 * @property {boolean[]} special  whether a token was put there by the tokenizer
 * @property {number[]} [masks]  places whose token is asked for
 */

import { KitError } from "../errors.js";
import { readPadding } from "./padding.js";
import { SpanFinder } from "./spans.js";
import { readTemplate } from "./special-tokens.js";

/** What a tokenizer's file says, ready to encode. */
export class RowEncoder {
  #tokenizer;
  #template;
  #cutsLeft;
  #spanFinder;

  /**
   * @param {Tokenizer} tokenizer
   * @param {any} tokenizerJson
   * @param {any} tokenizerConfig
   * @param {number} maxLength  tokens, special ones included
   */
  constructor(tokenizer, tokenizerJson, tokenizerConfig, maxLength) {
    this.#tokenizer = tokenizer;
    this.#spanFinder = new SpanFinder(tokenizer, tokenizerJson);
    this.#template = readTemplate(tokenizerJson.post_processor);
    this.#cutsLeft = tokenizerConfig?.truncation_side === "left";
    this.padding = readPadding(tokenizer, tokenizerConfig);
    this.maxLength = maxLength;
  }

  /**
   * @param {string} text
   * @returns {Row}
   */
  encode(text) {
    return this.#encode([text], this.#template.single, "longest_first");
  }

  /**
   * @param {string} text
   * @param {string} second
   * @param {Truncation} [truncation]  which of the two is cut when they are too long
   * @returns {Row}
   */
  encodePair(text, second, truncation = "longest_first") {
    return this.#encode([text, second], this.#template.pair, truncation);
  }

  /**
   * Where the tokens of `encode` come from.
   * @param {string} text
   * @param {number} kept  how many of the text's tokens the row has
   * @returns {import("./spans.js").Placed[]}
   */
  findSpans(text, kept) {
    const placed = this.#spanFinder.find(text);
    return this.#cutsLeft ? placed.slice(placed.length - kept) : placed.slice(0, kept);
  }

  /**
   * @param {string[]} texts
   * @param {import("./special-tokens.js").Part[]} parts
   * @param {Truncation} truncation
   * @returns {Row}
   */
  #encode(texts, parts, truncation) {
    // Of two texts the lengths decide how much of each is kept; of one, what is cut need not be looked at.
    const limit = texts.length > 1 ? Infinity : this.maxLength;
    const options = { add_special_tokens: false, limit, fromEnd: this.#cutsLeft };
    const plain = texts.map((text) => this.#tokenizer.encode(text, options).ids);
    const added = parts.reduce((sum, part) => sum + ("ids" in part ? part.ids.length : 0), 0);
    const lengths = cutLengths(
      plain.map(({ length }) => length),
      this.maxLength - added,
      truncation,
    );
    const cut = plain.map((ids, index) => this.#cut(ids, lengths[index]));
    const pieces = parts.map((part) => {
      const ids = "ids" in part ? part.ids : cut[part.text];
      return { ids, types: ids.map(() => part.type), special: ids.map(() => "ids" in part) };
    });
    return {
      ids: pieces.flatMap(({ ids }) => ids),
      types: pieces.flatMap(({ types }) => types),
      special: pieces.flatMap(({ special }) => special),
    };
  }

  /**
   * @param {number[]} ids
   * @param {number} length
   * @returns {number[]}
   */
  #cut(ids, length) {
    return this.#cutsLeft ? ids.slice(ids.length - length) : ids.slice(0, length);
  }
}

/**
 * How much of each text is kept, by the rules of the `tokenizers` library.
 * @param {number[]} lengths  of one text or two, in tokens
 * @param {number} room  tokens for all of them
 * @param {Truncation} truncation
 * @returns {number[]}
 */
export function cutLengths(lengths, room, truncation) {
  const total = lengths.reduce((sum, length) => sum + length, 0);
  if (total <= room) return lengths;
  if (room < 0) throw new KitError("bad-manifest", "The model's maximum length has no room for its special tokens.");
  if (lengths.length === 1) return [room];
  const [first, second] = lengths;
  if (truncation === "only_first") {
    if (second < room) return [room - second, second];
    throw new KitError("bad-input", `The second text has ${second} tokens; with the first, ${room} is the most.`);
  }
  const shorter = Math.min(first, second);
  let [small, large] = [shorter, Math.max(shorter, room - shorter)];
  if (shorter > room) large = shorter;
  if (small + large > room) [small, large] = [Math.floor(room / 2), Math.ceil(room / 2)];
  return first > second ? [large, small] : [small, large];
}

/**
 * @param {import("../task.js").TaskContext} context
 * @returns {RowEncoder}
 */
export function needRowEncoder({ rowEncoder }) {
  if (rowEncoder) return rowEncoder;
  throw new KitError("bad-manifest", "This model has no tokenizer.json and tokenizer_config.json.");
}
