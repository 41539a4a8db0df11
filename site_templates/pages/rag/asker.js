/** Questions to the language model, which is fetched with the first of them. */

import { load } from "./kit/kit.js";
import { formatPart } from "./kit/ui/format.js";
import { makeMessages } from "./prompt.js";
import { pickQuotes } from "./quotes.js";

/** @typedef {import("./kit/search/collection.js").Found} Found */

const longestAnswer = 80;

/** More than the best few only lead a small model astray. */
const usedPassages = 3;

/** One answer at a time: a new question ends the one before. */
export class Asker {
  /** @type {Promise<import("./kit/kit.js").Model> | null} */
  #model = null;
  #abort = new AbortController();
  #address;
  #view;
  #embedder;

  /**
   * @param {string} address  of the language model's manifest
   * @param {import("./kit/ui/shell.js").Model} embedder
   * @param {import("./answer-view.js").AnswerView} view
   */
  constructor(address, embedder, view) {
    this.#embedder = embedder;
    this.#address = address;
    this.#view = view;
  }

  stop() {
    this.#abort.abort();
  }

  /**
   * @param {string} question
   * @param {Float32Array} vector  its embedding
   * @param {readonly Found[]} found
   */
  async answer(question, vector, found) {
    this.stop();
    this.#abort = new AbortController();
    const { signal } = this.#abort;
    const passages = found.slice(0, usedPassages);
    this.#view.start(question);
    let text = "";
    /** @type {import("./quotes.js").Quote[]} */
    let quotes = [];
    try {
      quotes = await pickQuotes(passages, vector, this.#embedder);
      const model = await this.#load(signal);
      if (signal.aborted) return;
      this.#view.showNote("Reading the passages");
      const messages = makeMessages(question, quotes);
      const options = { temperature: 0, max_tokens: longestAnswer, signal };
      for await (const chunk of await model.chat.completions.create({ messages, stream: true, ...options })) {
        text += chunk.choices[0]?.delta.content ?? "";
        if (signal.aborted) break;
        if (text) this.#view.showNote("");
        this.#view.showDraft(text);
      }
      if (this.#abort.signal !== signal) return; // the next question has the place now
      const pace = model.timings.tokensPerSecond;
      const note = signal.aborted ? "Stopped." : pace ? `${pace.toFixed(1)} tokens a second.` : "";
      this.#view.finish(text, passages, quotes, note);
    } catch (error) {
      if (this.#abort.signal !== signal) return;
      const words = error instanceof Error ? error.message : String(error);
      this.#view.finish(text, passages, quotes, signal.aborted ? "Stopped." : words);
    }
  }

  /** @param {AbortSignal} signal @returns {Promise<import("./kit/kit.js").Model>} */
  async #load(signal) {
    this.#model ??= load(this.#address, {
      announce: false,
      onProgress: ({ stage, loadedBytes, totalBytes }) => {
        if (this.#abort.signal.aborted) return;
        const share = totalBytes ? `: ${formatPart(loadedBytes, totalBytes)}` : "";
        this.#view.showNote(stage === "download" ? `Fetching the language model, once${share}` : stage === "ready" ? "" : "Preparing the language model");
      },
    });
    try {
      return await this.#model;
    } catch (error) {
      this.#model = null; // the next question tries again
      throw signal.aborted ? signal.reason : error;
    }
  }
}
