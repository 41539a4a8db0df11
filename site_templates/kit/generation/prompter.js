/**
 * From messages to the prompt's tokens, and whether they fit.
 *
 * @typedef {import("../types.js").ChatMessage} ChatMessage
 * @typedef {import("../types.js").GenerationSettings} GenerationSettings
 */

import { KitError } from "../errors.js";

/** Makes prompts for one model. */
export class Prompter {
  /**
   * @param {import("../text/tokenizer.js").Tokenizer} tokenizer
   * @param {import("./token-bytes.js").TokenBytes} tokenBytes
   * @param {import("./chat-template.js").ChatTemplate} template
   * @param {GenerationSettings} settings
   */
  constructor(tokenizer, tokenBytes, template, settings) {
    this.tokenizer = tokenizer;
    this.tokenBytes = tokenBytes;
    this.template = template;
    this.settings = settings;
  }

  /**
   * @param {readonly ChatMessage[]} messages
   * @param {() => void} [onAlive]  between the steps that take a while
   * @param {readonly import("../types.js").Tool[] | null} [tools]
   * @returns {number[]} with room for at least one more token
   */
  makePrompt(messages, onAlive = () => {}, tools = null) {
    const { context_length: contextLength } = this.settings;
    // A token is never longer than the longest: what is hopeless need not be tokenized, which could take minutes.
    const said = messages.reduce((sum, { content }) => sum + content.length, 0);
    if (said / this.tokenBytes.longest >= contextLength) throw full(`${said} characters`, contextLength);
    const text = this.template.render(messages, tools);
    if (text.length / this.tokenBytes.longest >= contextLength) throw full(`${text.length} characters`, contextLength);
    onAlive();
    const ids = this.#tokenize(text);
    if (ids.length >= contextLength) throw full(`${ids.length} tokens`, contextLength);
    return ids;
  }

  /**
   * @param {string} text
   * @returns {number[]}
   */
  #tokenize(text) {
    const { add_bos: addBos, bos_token_id: bos } = this.settings;
    // The template wrote the special tokens itself.
    const { ids } = this.tokenizer.encode(text, { add_special_tokens: false });
    const needsBos = addBos && bos !== null && ids[0] !== bos;
    const prompt = needsBos ? [bos, ...ids] : ids;
    if (prompt.length) return prompt;
    throw new KitError("bad-input", "The conversation is empty: the model has nothing to go on from.");
  }
}

/**
 * @param {string} size
 * @param {number} contextLength
 * @returns {KitError}
 */
function full(size, contextLength) {
  return new KitError(
    "context-full",
    `This conversation is too long: it has ${size}, and the model holds ${contextLength} tokens, its answer included.`,
    { param: "messages" },
  );
}
