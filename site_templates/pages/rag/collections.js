/** Named collections: opening, beginning, exporting, importing and deleting one. */

import { find, make } from "./kit/ui/dom.js";

/**
 * @typedef {import("./kit/search/service.js").Contents} Contents
 * @typedef {{onOpen: (contents: Contents) => void, onProblem: (words: string) => void}} CollectionListener
 */

const firstName = "My files";
const openKey = "webgpu-kit-collection";

/** Which one is open is remembered, so that a reload comes back to it. */
export class Collections {
  #index;
  #model;
  #listener;
  #name = firstName;

  /**
   * @param {import("./kit/search/client.js").SearchIndex} index
   * @param {import("./kit/search/index-file.js").IndexModel} model
   * @param {CollectionListener} listener
   */
  constructor(index, model, listener) {
    this.#index = index;
    this.#model = model;
    this.#listener = listener;
  }

  async start() {
    const select = find("#collection", HTMLSelectElement);
    select.addEventListener("change", () => void this.#open(select.value));
    this.#listen("new", () => this.#begin());
    this.#listen("export", () => this.#export());
    this.#listen("delete", () => this.#delete());
    const file = find("#import-file", HTMLInputElement);
    this.#listen("import", async () => file.click());
    file.addEventListener("change", () => void this.#try(() => this.#import(file)));
    await this.#open(recall() || firstName);
  }

  /** Show what is kept by now. */
  async refresh() {
    const kept = await this.#index.list(this.#model);
    const names = new Set([this.#name, ...kept.map(({ name }) => name)]);
    const options = [...names].map((name) => {
      const isOther = kept.some((each) => each.name === name && !each.isUsable);
      return make("option", { value: name }, isOther ? `${name} (of another model)` : name);
    });
    const select = find("#collection", HTMLSelectElement);
    select.replaceChildren(...options);
    select.value = this.#name;
  }

  /** @param {string} name */
  async #open(name) {
    await this.#try(async () => {
      try {
        this.#listener.onOpen(await this.#index.open({ name, model: this.#model }));
        this.#name = name;
      } catch (error) {
        if (/** @type {{code?: string}} */ (error).code !== "other-model") throw error;
        await this.#offerRebuild(name, /** @type {Error} */ (error));
      }
      remember(this.#name);
      await this.refresh();
    });
  }

  /** @param {string} name @param {Error} error */
  async #offerRebuild(name, error) {
    const another = await this.#freeName(`${name}, anew`);
    this.#listener.onOpen(await this.#index.open({ name: another, model: this.#model }));
    this.#name = another;
    this.#listener.onProblem(`${error.message} Add them here again, or delete "${name}" to make room.`);
  }

  async #begin() {
    await this.#open(await this.#freeName("Collection"));
  }

  /** @param {string} stem @returns {Promise<string>} */
  async #freeName(stem) {
    const taken = new Set((await this.#index.list(this.#model)).map(({ name }) => name).concat(this.#name));
    let name = stem;
    for (let number = 2; taken.has(name); number++) name = `${stem} ${number}`;
    return name;
  }

  async #export() {
    const bytes = await this.#index.exportFile();
    const address = URL.createObjectURL(new Blob([bytes], { type: "application/octet-stream" }));
    make("a", { href: address, download: `${this.#name}.wgkindex` }).click();
    setTimeout(() => URL.revokeObjectURL(address), 60_000);
  }

  /** @param {HTMLInputElement} input */
  async #import(input) {
    const [file] = input.files ?? [];
    if (!file) return;
    const bytes = new Uint8Array(await file.arrayBuffer());
    input.value = "";
    this.#listener.onOpen(await this.#index.importFile(bytes));
    await this.refresh();
  }

  async #delete() {
    if (!confirm(`Delete "${this.#name}" and its index? Your files stay where they are.`)) return;
    await this.#index.delete(this.#name);
    const [next] = await this.#index.list(this.#model);
    await this.#open(next?.isUsable ? next.name : firstName);
  }

  /** @param {string} action @param {() => Promise<void>} work */
  #listen(action, work) {
    find(`#collection-${action}`, HTMLButtonElement).addEventListener("click", () => void this.#try(work));
  }

  /** @param {() => Promise<void>} work */
  async #try(work) {
    try {
      await work();
    } catch (error) {
      this.#listener.onProblem(error instanceof Error ? error.message : String(error));
    }
  }
}

/** @returns {string | null} */
function recall() {
  try {
    return localStorage.getItem(openKey);
  } catch {
    return null; // a browser that keeps nothing starts with the first collection
  }
}

/** @param {string} name */
function remember(name) {
  try {
    localStorage.setItem(openKey, name);
  } catch {
    // The next visit starts with the first collection: no more is lost.
  }
}
