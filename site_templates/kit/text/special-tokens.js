/**
 * Where a tokenizer puts its special tokens, and the token types of a pair, read from tokenizer.json's post_processor.
 * The library does this too, but only around text that it has not cut.
 *
 * @typedef {{text: 0 | 1, type: number} | {ids: number[], type: number}} Part
 * @typedef {{single: Part[], pair: Part[]}} Template
 */

import { KitError } from "../errors.js";

/** @type {Template} */
const bare = { single: [{ text: 0, type: 0 }], pair: [{ text: 0, type: 0 }, { text: 1, type: 1 }] };

/** @type {Record<string, (config: any) => Template>} */
const readers = {
  TemplateProcessing: readTemplateProcessing,
  BertProcessing: ({ cls, sep }) => ({
    single: [special(cls, 0), { text: 0, type: 0 }, special(sep, 0)],
    pair: [special(cls, 0), { text: 0, type: 0 }, special(sep, 0), { text: 1, type: 1 }, special(sep, 1)],
  }),
  // RoBERTa has one token type, and two separators between the texts.
  RobertaProcessing: ({ cls, sep }) => ({
    single: [special(cls, 0), { text: 0, type: 0 }, special(sep, 0)],
    pair: [
      ...[special(cls, 0), { text: /** @type {0} */ (0), type: 0 }, special(sep, 0)],
      ...[special(sep, 0), { text: /** @type {1} */ (1), type: 0 }, special(sep, 0)],
    ],
  }),
  ByteLevel: () => bare,
  Sequence: readSequence,
};

/**
 * @param {any} config  tokenizer.json's post_processor, or null
 * @returns {Template}
 */
export function readTemplate(config) {
  if (!config) return bare;
  if (!Object.hasOwn(readers, config.type)) {
    throw new KitError("bad-manifest", `The tokenizer's post-processor "${config.type}" is not known.`);
  }
  return readers[config.type](config);
}

/**
 * @param {[string, number]} token
 * @param {number} type
 * @returns {Part}
 */
function special([, id], type) {
  return { ids: [id], type };
}

/**
 * @param {any} config
 * @returns {Template}
 */
function readTemplateProcessing({ single, pair, special_tokens: specials }) {
  const readPart = (/** @type {any} */ { Sequence: sequence, SpecialToken: token }) =>
    sequence
      ? { text: /** @type {0 | 1} */ (sequence.id === "A" ? 0 : 1), type: sequence.type_id }
      : { ids: specials[token.id].ids, type: token.type_id };
  return { single: single.map(readPart), pair: pair.map(readPart) };
}

/**
 * Steps that only move offsets add nothing; two that add tokens would wrap each other, which no known tokenizer does.
 * @param {any} config
 * @returns {Template}
 */
function readSequence({ processors }) {
  const templates = processors.map(readTemplate).filter((/** @type {Template} */ template) => template !== bare);
  if (templates.length > 1) {
    throw new KitError("bad-manifest", "The tokenizer has several post-processors that add special tokens.");
  }
  return templates[0] ?? bare;
}
