/** Many texts, classified a few at a time: it can be stopped and gone on with, and asks for every text only once. */

import { pauseWhenLong } from "./pause.js";

/** Few enough that a text which is typed meanwhile is soon answered. */
const BATCH = 16;
/** Texts that are put in order of length at a time: a batch of equals has no padding to compute. */
const WINDOW = 256;

/** @typedef {{label: string, score: number}} Label */
/** @typedef {(texts: string[]) => Promise<Label[][]>} Classify best first, one list a text */

export class Batch {
  /** @type {(Label | null)[]} one a text; null while it has none, and for a text that is blank */
  labels;
  done = 0;
  texts;
  #classify;
  /** @type {Map<string, Label>} */
  #known = new Map();
  /** @type {Map<string, number>} */
  #counts = new Map();

  /**
   * @param {string[]} texts
   * @param {Classify} classify
   */
  constructor(texts, classify) {
    this.texts = texts;
    this.#classify = classify;
    this.labels = texts.map(() => null);
    this.blank = texts.filter((text) => text.trim() === "").length;
  }

  /** @returns {number} texts that are left to do */
  get left() {
    return this.texts.length - this.blank - this.done;
  }

  /**
   * Does what is left, and stops with what is done kept: at an abort quietly, at a failure with its error.
   *
   * @param {AbortSignal} signal
   * @param {() => void} onProgress after every batch
   */
  async run(signal, onProgress) {
    const waiting = this.texts.flatMap((text, index) => (this.labels[index] || text.trim() === "" ? [] : [index]));
    // A text that was there before is answered at once: thousands of them must not come in one go.
    const pause = pauseWhenLong();
    for (let start = 0; start < waiting.length; start += WINDOW) {
      const window = waiting.slice(start, start + WINDOW);
      window.sort((a, b) => this.texts[a].length - this.texts[b].length);
      for (let place = 0; place < window.length && !signal.aborted; place += BATCH) {
        await this.#label(window.slice(place, place + BATCH));
        onProgress();
        await pause();
      }
    }
  }

  /** @param {number[]} indices */
  async #label(indices) {
    const missing = [...new Set(indices.map((index) => this.texts[index]))].filter((text) => !this.#known.has(text));
    if (missing.length > 0) {
      const results = await this.#classify(missing);
      missing.forEach((text, place) => this.#known.set(text, results[place][0]));
    }
    for (const index of indices) {
      const found = /** @type {Label} */ (this.#known.get(this.texts[index]));
      this.labels[index] = found;
      this.#counts.set(found.label, (this.#counts.get(found.label) ?? 0) + 1);
    }
    this.done += indices.length;
  }

  /** @returns {[label: string, count: number][]} most frequent first */
  count() {
    return [...this.#counts].sort((a, b) => b[1] - a[1] || (a[0] < b[0] ? -1 : 1));
  }
}
