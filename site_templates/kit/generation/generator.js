/**
 * The decode loop: from messages to text, token by token.
 *
 * @typedef {import("../types.js").GenerationRequest} GenerationRequest
 * @typedef {import("../types.js").GenerationStart} GenerationStart
 * @typedef {import("../types.js").GenerationEnd} GenerationEnd
 * @typedef {import("../types.js").GenerationSettings} GenerationSettings
 *
 * @typedef {object} Listener  what the worker passes on to the page
 * @property {() => void} onAlive
 * @property {() => void} [onPreparing]  the prompt is made; a grammar may take a while to compile
 * @property {(start: GenerationStart) => void} onStart  the prompt fits, and is about to be read
 * @property {(done: number, total: number) => void} [onRead]  of a long prompt's tokens that are not in the cache
 * @property {(text: string) => void} onText
 * @property {(piece: import("../types.js").CallPiece) => void} [onCall]
 * @property {AbortSignal} signal
 *
 * @typedef {import("./grammar.js").Constraint} Constraint
 * @typedef {(format: import("../types.js").AnswerFormat) => Promise<Constraint>} Constrain
 */

import { KitError } from "../errors.js";
import { CallReader } from "./call-reader.js";
import { Pace } from "./pace.js";
import { Prompter } from "./prompter.js";
import { Sampler, SamplerBuffers, plainSampling } from "./sampler.js";
import { StopStrings, TextStream } from "./text-stream.js";
import { readToolSyntax } from "./tool-syntax.js";
import { yieldToMessages } from "./yield.js";

/** One model that talks. One generation at a time: the page queues them. */
export class Generator {
  /**
   * @param {import("./token-cache.js").TokenCache} cache
   * @param {Prompter} prompter
   * @param {GenerationSettings} settings
   * @param {Constrain} [constrain]  begins an answer that keeps to a format
   */
  constructor(cache, prompter, settings, constrain = refuseFormat) {
    this.cache = cache;
    this.constrain = constrain;
    this.prompter = prompter;
    this.settings = settings;
    this.ends = new Set(settings.eos_token_ids);
    this.buffers = new SamplerBuffers(settings.vocabulary);
  }

  /**
   * @param {GenerationRequest} request
   * @param {Listener} listener
   * @returns {Promise<GenerationEnd>}
   */
  async generate(request, listener) {
    const pace = new Pace();
    const syntax = readToolSyntax(request, this.settings.chat_template);
    const prompt = this.prompter.makePrompt(request.messages, listener.onAlive, request.tools);
    if (request.format) listener.onPreparing?.();
    const constraint = request.format ? await this.constrain(request.format) : null;
    const cachedTokens = this.cache.rollBack(prompt);
    listener.onStart({ promptTokens: prompt.length, cachedTokens });
    const calls = syntax && new CallReader(syntax.opening, listener);
    const heard = calls ? { ...listener, onText: calls.push.bind(calls) } : listener;
    const speaking = this.#speak(request, prompt, heard, pace, constraint);
    const reason = await speaking.finally(() => constraint?.dispose());
    calls?.finish();
    const finishReason = reason === "stop" && calls?.count ? "tool_calls" : reason;
    const { context_length: contextLength } = this.settings;
    return { finishReason, timings: { ...pace.read(), promptTokens: prompt.length, cachedTokens, contextLength } };
  }

  /**
   * @param {GenerationRequest} request
   * @param {number[]} prompt
   * @param {Listener} listener
   * @param {Pace} pace
   * @param {Constraint | null} constraint
   * @returns {Promise<GenerationEnd["finishReason"]>}
   */
  async #speak(request, prompt, { onText, onRead, signal }, pace, constraint) {
    const sampling = { ...plainSampling, ...this.settings.defaults, ...request.sampling };
    const sampler = new Sampler(sampling, prompt, this.buffers);
    const text = new TextStream(constraint?.tokenBytes ?? this.prompter.tokenBytes, new StopStrings(request.stop));
    const room = this.settings.context_length - prompt.length;
    const limit = Math.min(request.maxTokens ?? this.settings.defaults?.max_tokens ?? Infinity, room);
    const checkAbort = async () => {
      await yieldToMessages();
      signal.throwIfAborted();
    };
    try {
      await checkAbort();
      const unread = prompt.slice(this.cache.ids.length);
      await this.cache.read(unread, (done) => {
        onRead?.(done, unread.length);
        return checkAbort();
      });
      await constraint?.look();
      for (;;) {
        sampler.mask = constraint?.mask ?? null;
        const id = await this.cache.decoder.pick(sampler);
        pace.count();
        if (this.ends.has(id)) return finish(text, onText, "stop");
        say(text.push(id), onText);
        if (text.stops.found) return "stop";
        await constraint?.accept(id);
        if (constraint?.ended) return finish(text, onText, "stop");
        if (pace.tokens >= limit) return finish(text, onText, "length");
        await checkAbort();
        await this.cache.read([id]);
      }
    } catch (error) {
      if (signal.aborted && error === signal.reason) return "aborted";
      throw error;
    }
  }
}

/** @returns {Promise<never>} */
async function refuseFormat() {
  throw new KitError("unsupported", "This model has no grammar engine, so it cannot keep to a response_format.");
}

/**
 * @param {string} text
 * @param {(text: string) => void} onText
 */
function say(text, onText) {
  if (text) onText(text);
}

/**
 * @template {string} T
 * @param {TextStream} text
 * @param {(text: string) => void} onText
 * @param {T} reason
 * @returns {T}
 */
function finish(text, onText, reason) {
  say(text.finish(), onText);
  return reason;
}
