/** Questions to the language model, which is fetched with the first of them. */

import { load } from "./kit/kit.js";
import { formatPart, nameBackend } from "./kit/ui/format.js";
import { makeMessages } from "./prompt.js";
import { pickQuotes } from "./quotes.js";
import { dropUnfinished } from "./support.js";

/** @typedef {import("./kit/search/collection.js").Found} Found */

const longestAnswer = 80;

/** More than the best few only lead a small model astray. */
const usedPassages = 3;

const stopped = /** @type {const} */ ({ ending: "stopped", note: "Stopped." });

/** One answer at a time: a new question ends the one before. */
export class Asker {
  /** @type {Promise<import("./kit/kit.js").Model> | null} */
  #model = null;
  #abort = new AbortController();
  /** @type {AbortSignal | null} of the question that waits for the model */
  #waiting = null;
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

  /** End the answer that is coming; what there is of it stays. */
  stop() {
    this.#abort.abort();
  }

  /** End it and say no more of it: its place is another's. */
  leave() {
    this.stop();
    this.#abort = new AbortController();
  }

  /**
   * @param {import("./quotes.js").Question} question
   * @param {readonly Found[]} found  as they are shown, so that both count alike
   */
  async answer(question, found) {
    this.leave();
    const { signal } = this.#abort;
    const passages = found.slice(0, usedPassages);
    this.#view.start(question.text);
    let text = "";
    /** @type {import("./quotes.js").Quote[]} */
    let quotes = [];
    try {
      quotes = await pickQuotes(passages, question, this.#embedder);
      signal.throwIfAborted();
      const model = await this.#wait(signal);
      const messages = makeMessages(question.text, quotes);
      const options = { temperature: 0, max_tokens: longestAnswer, signal };
      for await (const chunk of await model.chat.completions.create({ messages, stream: true, ...options })) {
        const [choice] = chunk.choices;
        text += choice?.delta.content ?? "";
        if (signal.aborted) break;
        if (text) this.#view.showDraft(text);
        if (choice?.finish_reason === "length") text = dropUnfinished(text);
      }
      if (this.#abort.signal !== signal) return; // the next question has the place now
      this.#view.finish(text, passages, quotes, signal.aborted ? stopped : describeRun(model));
    } catch (error) {
      if (this.#abort.signal !== signal) return;
      const note = error instanceof Error ? error.message : String(error);
      this.#view.finish(text, passages, quotes, signal.aborted ? stopped : { ending: "failed", note });
    }
  }

  /**
   * Wait for the model; an abort ends the waiting, and the fetching goes on for the next question.
   * @param {AbortSignal} signal
   * @returns {Promise<import("./kit/kit.js").Model>}
   */
  async #wait(signal) {
    const aborted = new Promise((_, reject) => signal.addEventListener("abort", () => reject(signal.reason), { once: true }));
    this.#waiting = signal;
    try {
      return await Promise.race([this.#load(), aborted]);
    } finally {
      if (this.#waiting === signal) this.#waiting = null;
    }
  }

  /** @returns {Promise<import("./kit/kit.js").Model>} */
  async #load() {
    this.#model ??= load(this.#address, {
      announce: false,
      onProgress: ({ stage, loadedBytes, totalBytes }) => {
        if (!this.#waiting || stage === "ready") return;
        const share = totalBytes ? `: ${formatPart(loadedBytes, totalBytes)}` : "";
        this.#view.showNote(stage === "download" ? `Fetching the language model, once${share}` : "Preparing the language model");
      },
    });
    try {
      return await this.#model;
    } catch (error) {
      this.#model = null; // the next question tries again
      throw error;
    }
  }
}

/**
 * @param {import("./kit/kit.js").Model} model
 * @returns {{ending: "answered", note: string, variant: string, backend: string}} what wrote the answer, and how fast
 */
function describeRun({ manifest, variant, backend, timings }) {
  const pace = timings.tokensPerSecond ? `, ${timings.tokensPerSecond.toFixed(1)} tokens a second` : "";
  return { ending: "answered", note: `${manifest.name} ${variant} on ${nameBackend(backend)}${pace}.`, variant, backend };
}
