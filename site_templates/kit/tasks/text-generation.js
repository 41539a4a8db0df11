/**
 * Task `text-generation`: a model that talks. It keeps its conversation's cache, so it is opened once, and answers
 * through `generate`; `run` scores given tokens, for the golden.
 *
 * @typedef {import("../types.js").Tensors} Tensors
 * @typedef {import("../task.js").TaskContext} TaskContext
 */

import { KitError } from "../errors.js";
import { ChatTemplate, readSpecialTokens } from "../generation/chat-template.js";
import { DecoderShape } from "../generation/decoder-shape.js";
import { Generator } from "../generation/generator.js";
import { GpuDecoder } from "../generation/gpu-decoder.js";
import { findPartLength } from "../generation/part-length.js";
import { Prompter } from "../generation/prompter.js";
import { checkScoreInput, scoreTokens } from "../generation/score.js";
import { readGenerationSettings } from "../generation/settings.js";
import { TokenBytes } from "../generation/token-bytes.js";
import { TokenCache } from "../generation/token-cache.js";
import { WasmDecoder } from "../generation/wasm-decoder.js";

/**
 * @param {import("../session.js").Session} session
 * @param {TaskContext} context
 * @returns {Promise<import("../task.js").Speaker>}
 */
export async function open(session, { manifest, tokenizer, tokenizerConfig, jinjaUrl, grammarUrl }) {
  const settings = readGenerationSettings(manifest);
  if (!tokenizer) throw new KitError("bad-manifest", "This model has no tokenizer.json and tokenizer_config.json.");
  /** @type {typeof import("@huggingface/jinja")} */
  const jinja = await import(/** @type {string} */ (jinjaUrl));
  const template = new ChatTemplate(jinja, settings.chat_template, readSpecialTokens(tokenizerConfig));
  const cache = await openCache(session, settings);
  const tokenBytes = new TokenBytes(tokenizer);
  const constrain = makeConstrain(/** @type {string} */ (grammarUrl), tokenBytes, settings);
  const prompter = new Prompter(tokenizer, tokenBytes, template, settings);
  const generator = new Generator(cache, prompter, settings, constrain);
  return {
    countPrompt: (messages) => prompter.makePrompt(messages).length,
    run: (input) => scoreTokens(cache, checkScoreInput(input, settings)),
    generate: (request, listener) => generator.generate(request, listener),
  };
}

/**
 * The grammar engine is large and seldom asked for, so it is fetched when it is.
 * @param {string} grammarUrl
 * @param {TokenBytes} tokenBytes
 * @param {import("../types.js").GenerationSettings} settings
 * @returns {import("../generation/generator.js").Constrain}
 */
function makeConstrain(grammarUrl, tokenBytes, settings) {
  /** @type {import("../generation/answer-grammars.js").AnswerGrammars | null} */
  let grammars = null;
  return async (format) => {
    const { AnswerGrammars } = await import("../generation/answer-grammars.js");
    const { loadEngine } = await import("../generation/grammar.js");
    grammars ??= new AnswerGrammars(await loadEngine(grammarUrl), tokenBytes, settings);
    return grammars.start(format);
  };
}

/**
 * @param {import("../session.js").Session} session
 * @param {import("../types.js").GenerationSettings} settings
 * @returns {Promise<TokenCache>}
 */
async function openCache(session, settings) {
  const { context_length: contextLength, vocabulary } = settings;
  const shape = new DecoderShape(settings);
  if (session.backend === "wasm") return new TokenCache(WasmDecoder.open(session, shape), contextLength);
  const decoder = await GpuDecoder.open(session, shape);
  const hasSubgroups = decoder.device.features.has("subgroups");
  const partLength = await findPartLength(decoder, { vocabulary, contextLength, hasSubgroups });
  return new TokenCache(decoder, contextLength, partLength);
}
