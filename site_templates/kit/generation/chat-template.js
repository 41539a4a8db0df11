/**
 * The model's own chat template: messages in, one prompt out. A template is a program that somebody else wrote. Here it
 * can reach nothing but the values below, builds no endless list, and what runs too long ends with the worker.
 *
 * @typedef {typeof import("@huggingface/jinja")} Jinja
 * @typedef {import("../types.js").ChatMessage} ChatMessage
 */

import { KitError, describeError } from "../errors.js";
import { formatTime } from "./strftime.js";

/** No conversation has as many messages, and a list of this length is still quick to make. */
const longestRange = 100_000;

/** A parsed template. */
export class ChatTemplate {
  /**
   * @param {Jinja} jinja
   * @param {string} source
   * @param {Record<string, string>} specialTokens  such as bos_token
   */
  constructor(jinja, source, specialTokens) {
    this.jinja = jinja;
    this.specialTokens = specialTokens;
    const lines = source.replace(/\r\n?/g, "\n"); // as Python's Jinja reads them
    try {
      this.program = jinja.parse(jinja.tokenize(lines, { lstrip_blocks: true, trim_blocks: true }));
    } catch (error) {
      throw templateError("cannot be read", error);
    }
  }

  /**
   * @param {readonly ChatMessage[]} messages
   * @param {readonly import("../types.js").Tool[] | null} [tools]
   * @returns {string} ends where the assistant is to speak
   */
  render(messages, tools = null) {
    /** @type {string | null} */
    let refusal = null;
    const environment = this.#makeEnvironment((message) => {
      refusal = message;
      throw new Error(message);
    });
    environment.set("messages", messages);
    environment.set("tools", tools);
    try {
      return /** @type {any} */ (new this.jinja.Interpreter(environment).run(this.program)).value;
    } catch (error) {
      if (refusal !== null) {
        throw new KitError("bad-input", `The model's chat template does not take this conversation: ${refusal}`, {
          cause: error,
        });
      }
      throw templateError("failed", error);
    }
  }

  /**
   * @param {(message: string) => never} refuse
   * @returns {InstanceType<Jinja["Environment"]>}
   */
  #makeEnvironment(refuse) {
    const environment = new this.jinja.Environment();
    const globals = {
      ...{ false: false, true: true, none: null, False: false, True: true, None: null },
      raise_exception: (/** @type {unknown} */ message) => refuse(String(message)),
      range: makeRange,
      strftime_now: (/** @type {unknown} */ format) => formatTime(new Date(), String(format)),
      add_generation_prompt: true,
      ...this.specialTokens,
    };
    for (const [name, value] of Object.entries(globals)) environment.set(name, value);
    return environment;
  }
}

/**
 * Python's range.
 * @param {number} first
 * @param {number} [end]
 * @param {number} [step]
 * @returns {number[]}
 */
function makeRange(first, end, step = 1) {
  const [from, to] = end === undefined ? [0, first] : [first, end];
  const count = Math.max(0, Math.ceil((to - from) / step));
  if (!Number.isInteger(count) || count > longestRange) throw new Error(`range() of ${count} numbers is too long`);
  return Array.from({ length: count }, (_, index) => from + index * step);
}

/**
 * @param {string} what
 * @param {unknown} error
 * @returns {KitError}
 */
function templateError(what, error) {
  return new KitError("bad-template", `The model's chat template ${what}: ${describeError(error)}`, { cause: error });
}

/**
 * The tokens that a template may name, from tokenizer_config.json.
 * @param {Record<string, any>} config
 * @returns {Record<string, string>}
 */
export function readSpecialTokens(config) {
  const names = ["bos_token", "eos_token", "unk_token", "pad_token", "sep_token", "cls_token"];
  const tokens = names.map((name) => [name, config[name]?.content ?? config[name]]);
  return Object.fromEntries(tokens.filter(([, token]) => typeof token === "string"));
}
