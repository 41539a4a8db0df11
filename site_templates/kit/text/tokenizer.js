/**
 * A tokenizer from its tokenizer.json, as the `tokenizers` library runs it: added tokens are cut out, the rest is
 * normalized, cut into words, and each word into tokens by the model. tests/test_tokenization.py compares the two.
 *
 * @typedef {import("./added-tokens.js").AddedToken} AddedToken
 * @typedef {import("./word-models.js").Tokens} Tokens
 * @typedef {{tokenize: (word: string) => Tokens}} Model
 * @typedef {{added: AddedToken, start: number, end: number}} AddedPart  `start` and `end` in characters of the text
 * @typedef {{words: import("./pre-tokenize.js").Word[], chars: string[], origins: number[]}} PlainPart  `origins`: whose each is in the whole text
 *
 * @typedef {object} EncodeOptions
 * @property {boolean} [add_special_tokens]  those around the text; true unless said otherwise
 * @property {number} [limit]  no more words are looked at when there are so many tokens
 * @property {boolean} [fromEnd]  it is the last words that are looked at
 */

import { KitError } from "../errors.js";
import { AddedTokenFinder } from "./added-tokens.js";
import { Bpe } from "./bpe.js";
import { CharacterPlaces, countCharacters } from "./characters.js";
import { makeDecoder, tidySpaces } from "./decode-tokens.js";
import { makeNormalizer } from "./normalize.js";
import { makePreTokenizer } from "./pre-tokenize.js";
import { readTemplate } from "./special-tokens.js";
import { Unigram } from "./unigram.js";
import { WordLevel, WordPiece } from "./word-models.js";

/** @type {Record<string, (config: any) => Model>} */
const models = {
  BPE: (config) => new Bpe(config),
  Unigram: (config) => new Unigram(config),
  WordLevel: (config) => new WordLevel(config),
  WordPiece: (config) => new WordPiece(config),
};

/** Words whose tokens are remembered, and how long they may be. */
const mostKnown = 20_000;
const longestKnown = 256;

/** Text to token ids and back. */
export class Tokenizer {
  /** @type {Map<string, Tokens>} */
  #known = new Map();
  /** @type {Map<string, number>} */
  #ids = new Map();
  /** @type {Map<number, string>} */
  #tokens = new Map();
  #model;
  #normalize;
  #preTokenize;
  #raw;
  #normal;
  #special;
  #tidies;
  #template;

  /**
   * @param {any} json  tokenizer.json
   * @param {any} config  tokenizer_config.json
   * @param {import("./pre-tokenize.js").CompilePattern} compile
   */
  constructor(json, config, compile) {
    /** @type {AddedToken[]} */
    this.addedTokens = json.added_tokens ?? [];
    /** tokenizer.json's, for those who read tokens one by one. */
    this.decoderConfig = json.decoder;
    this.#model = makeModel(json.model);
    this.#normalize = makeNormalizer(json.normalizer, compile);
    this.#preTokenize = makePreTokenizer(json.pre_tokenizer, compile);
    this.#template = readTemplate(json.post_processor);
    this.#tidies = tidiesText(json.model, config ?? {});
    this.#special = new Set(this.addedTokens.filter(({ special }) => special).map(({ content }) => content));
    /** Joins tokens to text. */
    this.joinTokens = makeDecoder(json.decoder, compile);
    this.#readVocabulary(json.model);
    const entries = this.addedTokens.map((token) => ({ content: this.#spellAdded(token), token }));
    this.#raw = new AddedTokenFinder(entries.filter(({ token }) => !token.normalized));
    this.#normal = new AddedTokenFinder(entries.filter(({ token, content }) => token.normalized && content));
    for (const { content, token } of entries) this.#tokens.set(token.id, content);
  }

  /**
   * @param {string} text
   * @param {EncodeOptions} [options]
   * @returns {{ids: number[]}}
   */
  encode(text, { add_special_tokens: specials = true, limit = Infinity, fromEnd = false } = {}) {
    /** @type {(number | string)[]} */
    const pieces = [];
    for (const part of this.walk(text)) {
      if ("added" in part) pieces.push(part.added.id);
      else for (const word of part.words) pieces.push(word.text);
    }
    const ids = this.#encodePieces(fromEnd ? pieces.reverse() : pieces, limit, fromEnd);
    if (!specials) return { ids };
    return { ids: this.#template.single.flatMap((part) => ("ids" in part ? part.ids : ids)) };
  }

  /**
   * The text's parts in their order: added tokens, and what stands between them, normalized and cut into words.
   * @param {string} text
   * @returns {Generator<AddedPart | PlainPart>}
   */
  *walk(text) {
    // Half a character cannot be written in UTF-8, which the reference reads.
    const whole = text.replace(/\p{Surrogate}/gu, "\uFFFD");
    const places = new CharacterPlaces(whole);
    for (const { start, end, token } of this.#raw.split(whole)) {
      const place = places.find(start);
      if (token) yield { added: token, start: place, end: places.find(end) };
      else yield* this.#walkPlain(whole.slice(start, end), place);
    }
  }

  /**
   * @param {string} text
   * @param {number} offset  where it stands in the whole text
   * @returns {Generator<AddedPart | PlainPart>}
   */
  *#walkPlain(text, offset) {
    const { chars, origins } = this.#normalize(text);
    const normal = chars.join("");
    const places = new CharacterPlaces(normal);
    for (const section of this.#normal.split(normal)) {
      const [start, end] = [places.find(section.start), places.find(section.end)];
      const from = origins.slice(start, end).map((origin) => offset + origin);
      if (section.token) yield { added: section.token, start: from[0], end: from[from.length - 1] + 1 };
      else {
        const part = normal.slice(section.start, section.end);
        const isFirst = (/** @type {number} */ at) => beginsText(part, from, at);
        yield { words: this.#preTokenize(part, isFirst), chars: chars.slice(start, end), origins: from };
      }
    }
  }

  /**
   * @param {(number | string)[]} pieces  ids of added tokens, and words
   * @param {number} limit
   * @param {boolean} reversed
   * @returns {number[]}
   */
  #encodePieces(pieces, limit, reversed) {
    /** @type {number[][]} */
    const found = [];
    let count = 0;
    for (const piece of pieces) {
      const ids = typeof piece === "number" ? [piece] : this.tokenizeWord(piece).ids;
      found.push(ids);
      count += ids.length;
      if (count >= limit) break;
    }
    return (reversed ? found.reverse() : found).flat();
  }

  /**
   * @param {string} word  as `walk` gives it
   * @returns {Tokens}
   */
  tokenizeWord(word) {
    let found = this.#known.get(word);
    if (found) return found;
    found = this.#model.tokenize(word);
    if (word.length > longestKnown) return found;
    if (this.#known.size >= mostKnown) this.#known.clear();
    this.#known.set(word, found);
    return found;
  }

  /**
   * @param {number[]} ids
   * @param {{skip_special_tokens?: boolean}} [options]
   * @returns {string}
   */
  decode(ids, { skip_special_tokens: skips = false } = {}) {
    const tokens = ids.map((id) => this.#tokens.get(id)).filter((token) => token !== undefined);
    const text = this.joinTokens(skips ? tokens.filter((token) => !this.#special.has(token)) : tokens);
    return this.#tidies ? tidySpaces(text) : text;
  }

  /**
   * @param {string} token
   * @returns {number | undefined}
   */
  token_to_id(token) {
    return this.#ids.get(token);
  }

  /**
   * @param {number} id
   * @returns {string | undefined}
   */
  id_to_token(id) {
    return this.#tokens.get(id);
  }

  /** @returns {Map<number, AddedToken>} */
  get_added_tokens_decoder() {
    return new Map(this.addedTokens.map((token) => [token.id, token]));
  }

  /** @returns {Map<string, number>} */
  get_vocab() {
    return this.#ids;
  }

  /** @param {any} model  of tokenizer.json */
  #readVocabulary({ vocab }) {
    const entries = Array.isArray(vocab) ? vocab.map(([token], id) => [token, id]) : Object.entries(vocab);
    for (const [token, id] of entries) {
      this.#ids.set(token, id);
      this.#tokens.set(id, token);
    }
    for (const { content, id } of this.addedTokens) this.#ids.set(content, id);
  }

  /**
   * @param {AddedToken} token
   * @returns {string} as it stands in the text where it is looked for
   */
  #spellAdded({ content, normalized }) {
    return normalized ? this.#normalize(content).chars.join("") : content;
  }
}

/**
 * @param {any} config  model of tokenizer.json
 * @returns {Model}
 */
function makeModel(config) {
  if (Object.hasOwn(models, config.type)) return models[config.type](config);
  throw new KitError("bad-manifest", `The tokenizer's model "${config.type}" is not known.`);
}

/**
 * @param {string} text
 * @param {number[]} origins  of its characters
 * @param {number} at  a place in it
 * @returns {boolean} whether what stands there comes from the first character: several may
 */
function beginsText(text, origins, at) {
  if (at === 0) return origins[0] === 0;
  return origins[1] === 0 && origins[countCharacters(text.slice(0, at))] === 0;
}

/**
 * transformers ignores the wish where it would spoil the text.
 * @param {any} model
 * @param {any} config
 * @returns {boolean}
 */
function tidiesText(model, config) {
  const anyway = config.clean_up_tokenization_spaces_for_bpe_even_though_it_will_corrupt_output;
  return Boolean(config.clean_up_tokenization_spaces && (model.type !== "BPE" || anyway));
}
