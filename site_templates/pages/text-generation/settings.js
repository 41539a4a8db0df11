/** The drawer of settings: the system prompt of the chat, and how answers are sampled. */

import { find, make } from "./kit/ui/dom.js";
import { makeDrawer } from "./drawer.js";

/** @typedef {import("./chat-types.js").Sampling} Sampling */
/** @typedef {import("./conversations.js").ConversationStore} ConversationStore */

/**
 * @typedef {object} Field
 * @property {string} key as the chat API calls it
 * @property {string} name
 * @property {string} hint
 * @property {number} min
 * @property {number} max
 * @property {number} step
 * @property {number | null} neutral where it changes nothing; null stands for "left open"
 */

/** @type {Field[]} */
const FIELDS = [
  { key: "temperature", name: "Temperature", hint: "0 always takes the likeliest word, more makes for livelier answers.", min: 0, max: 2, step: 0.05, neutral: 1 },
  { key: "top_p", name: "Top-p", hint: "Only the likeliest words that together have this share.", min: 0, max: 1, step: 0.01, neutral: 1 },
  { key: "top_k", name: "Top-k", hint: "Only so many of the likeliest words; 0 for all.", min: 0, max: 200, step: 1, neutral: 0 },
  { key: "min_p", name: "Min-p", hint: "No word that has less than this share of the best one's.", min: 0, max: 1, step: 0.01, neutral: 0 },
  { key: "repetition_penalty", name: "Repetition penalty", hint: "Above 1, words that were used already become less likely.", min: 0.5, max: 2, step: 0.01, neutral: 1 },
  { key: "max_tokens", name: "Longest answer", hint: "In tokens, each about four letters long.", min: 1, max: 100_000, step: 1, neutral: null },
  { key: "seed", name: "Seed", hint: "With the same seed the same question gets the same answer; empty for chance.", min: 0, max: 4_294_967_295, step: 1, neutral: null },
];

/** What the visitor set, kept for the next visit. */
export class Settings {
  #store;
  /** @type {Sampling} */
  #own = {};
  /** @type {Sampling} */
  #defaults = {};
  #system = find("#system", HTMLTextAreaElement);
  /** @type {(() => void)[]} */
  #redraw = [];

  /**
   * @param {ConversationStore} store
   * @param {string} pageSystem the page's own system prompt
   * @param {(system: string) => void} onSystem
   */
  constructor(store, pageSystem, onSystem) {
    this.#store = store;
    this.#own = readSampling(store.readValue("sampling"));
    makeDrawer(find("#settings", HTMLDialogElement), find("#settings-open", HTMLButtonElement));
    find("#sampling", HTMLElement).append(...FIELDS.map((field) => this.#makeRow(field)));
    this.#system.addEventListener("input", () => {
      store.writeValue("system", this.#system.value);
      onSystem(this.#system.value);
    });
    find("#settings-reset", HTMLButtonElement).addEventListener("click", () => {
      this.#own = {};
      store.writeValue("sampling", null);
      store.writeValue("system", null);
      this.system = pageSystem;
      onSystem(pageSystem);
      this.#redraw.forEach((draw) => draw());
    });
    const kept = store.readValue("system");
    this.system = typeof kept === "string" ? kept : pageSystem;
  }

  /** @returns {Sampling} what differs from the model's own, for the chat API */
  get sampling() {
    return { ...this.#own };
  }

  /** @returns {string} */
  get system() {
    return this.#system.value;
  }

  /** @param {string} words of the chat that is open */
  set system(words) {
    this.#system.value = words;
  }

  /** @param {Record<string, unknown> | undefined} generation the manifest's settings of that name */
  describe(generation) {
    this.#defaults = readSampling(generation?.defaults);
    const { context_length: contextLength } = generation ?? {};
    if (typeof contextLength === "number") find("#max_tokens", HTMLInputElement).max = String(contextLength);
    this.#redraw.forEach((draw) => draw());
  }

  /** @param {Field} field @returns {HTMLElement} */
  #makeRow({ key, name, hint, min, max, step, neutral }) {
    const range = { min, max, step };
    const number = make("input", { type: "number", id: key, class: "field number", inputmode: "decimal", "aria-describedby": `${key}-hint`, ...range });
    const slider = make("input", { type: "range", "aria-hidden": "true", tabindex: -1, ...range });
    const head = make("label", { class: "setting-head", for: key }, make("span", { class: "setting-name" }, name), number);
    const row = make("div", { class: "setting" }, head, make("span", { class: "setting-hint quiet", id: `${key}-hint` }, hint));
    if (neutral === null) number.placeholder = key === "seed" ? "any" : "all";
    else head.after(slider);
    const draw = () => {
      const value = this.#own[key] ?? this.#defaults[key] ?? neutral;
      number.value = value === null ? "" : String(value);
      slider.value = number.value;
      row.classList.toggle("is-changed", key in this.#own);
    };
    number.addEventListener("change", () => this.#set(key, number, draw));
    slider.addEventListener("input", () => {
      number.value = slider.value;
      this.#set(key, number, draw);
    });
    this.#redraw.push(draw);
    draw();
    return row;
  }

  /**
   * @param {string} key
   * @param {HTMLInputElement} number
   * @param {() => void} draw
   */
  #set(key, number, draw) {
    const value = number.valueAsNumber;
    const fallback = this.#defaults[key] ?? FIELDS.find((field) => field.key === key)?.neutral;
    if (Number.isNaN(value) || value === fallback) delete this.#own[key];
    else {
      const within = Math.min(Number(number.max), Math.max(Number(number.min), value));
      this.#own[key] = Number(number.step) === 1 ? Math.round(within) : within;
    }
    this.#store.writeValue("sampling", this.#own);
    draw();
  }
}

/** @param {unknown} value from a file or the storage @returns {Sampling} what of it is of use */
function readSampling(value) {
  if (typeof value !== "object" || value === null) return {};
  const known = Object.entries(value).filter(([key, number]) => FIELDS.some((field) => field.key === key) && Number.isFinite(number));
  return Object.fromEntries(known);
}
