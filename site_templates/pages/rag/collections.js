/** Named collections: opening, beginning, exporting, importing and deleting one. Some may have come with the page. */

import { find, make } from "./kit/ui/dom.js";
import { fetchPublished, listPublished } from "./published.js";

/**
 * @typedef {import("./kit/search/service.js").Contents} Contents
 * @typedef {import("./published.js").PublishedIndex} PublishedIndex
 *
 * @typedef {object} CollectionListener
 * @property {() => void} onLeave  before another is opened
 * @property {(contents: Contents) => void} onOpen
 * @property {(words: string) => void} onProblem
 * @property {(words: string) => void} onWait  what is going on
 */

const firstName = "My files";
const longestName = 80;
const openKey = "webgpu-kit-collection";

/** Before the name of one that came with the page: the visitor may have another of that name. */
const publishedMark = "page:";

/** Which one is open is remembered, so that a reload comes back to it. */
export class Collections {
  #index;
  #model;
  #listener;
  #name = firstName;
  /** @type {PublishedIndex[]} */
  #published = [];

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
    select.addEventListener("change", () => {
      this.#listener.onLeave();
      void this.#open(select.value);
    });
    this.#listen("new", () => this.#begin());
    this.#listen("export", () => this.#export());
    this.#listen("delete", () => this.#delete());
    const file = find("#import-file", HTMLInputElement);
    this.#listen("import", async () => file.click());
    file.addEventListener("change", () => void this.#try(() => this.#import(file)));
    await this.#try(async () => void (this.#published = await listPublished()));
    const [first] = this.#published;
    await this.#open(recall() || (first ? publishedMark + first.name : firstName));
  }

  /** One that can be changed: the visitor's first, where the open one came with the page. */
  async openOwn() {
    if (this.#name.startsWith(publishedMark)) await this.#open(firstName);
  }

  /** Show what is kept by now. */
  async refresh() {
    const kept = await this.#index.list(this.#model);
    const own = this.#name.startsWith(publishedMark) ? firstName : this.#name;
    const names = new Set([own, ...kept.map(({ name }) => name)]);
    const options = [...names].map((name) => {
      const isOther = kept.some((each) => each.name === name && !each.isUsable);
      return make("option", { value: name }, isOther ? `${name} (of another model)` : name);
    });
    const published = this.#published.map(({ name }) => make("option", { value: publishedMark + name }, `${name} (of this page)`));
    const select = find("#collection", HTMLSelectElement);
    select.replaceChildren(...published, ...options);
    select.value = this.#name;
  }

  /** @param {string} name */
  async #open(name) {
    await this.#try(async () => {
      const published = this.#published.find((each) => publishedMark + each.name === name);
      try {
        if (published) await this.#openPublished(published);
        else await this.#openKept(name.startsWith(publishedMark) ? firstName : name);
      } catch (error) {
        if (/** @type {{code?: string}} */ (error).code !== "other-model") throw error;
        await this.#offerRebuild(name, /** @type {Error} */ (error));
      }
      remember(this.#name);
      await this.refresh();
    });
  }

  /** @param {string} name */
  async #openKept(name) {
    this.#listener.onOpen(await this.#index.open({ name, model: this.#model }));
    this.#name = name;
  }

  /** The visitor's own is opened where this one cannot be. @param {PublishedIndex} published */
  async #openPublished(published) {
    try {
      const bytes = await fetchPublished(published, this.#listener.onWait);
      this.#listener.onWait(`Opening ${published.name}`);
      this.#listener.onOpen(await this.#index.openPublished({ bytes, model: this.#model }));
      this.#name = publishedMark + published.name;
    } catch (error) {
      await this.#openKept(firstName);
      this.#listener.onProblem(error instanceof Error ? error.message : String(error));
    }
  }

  /** @param {string} name @param {Error} error */
  async #offerRebuild(name, error) {
    await this.#openKept(await this.#freeName(`${name}, anew`));
    this.#listener.onProblem(`${error.message} Add them here again, or delete "${name}" to make room.`);
  }

  async #begin() {
    const name = prompt("Name of the new collection", await this.#freeName("Collection"))?.trim().slice(0, longestName);
    if (!name) return;
    this.#listener.onLeave();
    await this.#open(await this.#freeName(name));
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
    make("a", { href: address, download: `${this.#name.replace(publishedMark, "")}.wgkindex` }).click();
    setTimeout(() => URL.revokeObjectURL(address), 60_000);
  }

  /** @param {HTMLInputElement} input */
  async #import(input) {
    const [file] = input.files ?? [];
    if (!file) return;
    const bytes = new Uint8Array(await file.arrayBuffer());
    input.value = "";
    await this.openOwn();
    this.#listener.onOpen(await this.#index.importFile(bytes));
    await this.refresh();
  }

  async #delete() {
    if (!confirm(`Delete "${this.#name}" and its index? Your files stay where they are.`)) return;
    this.#listener.onLeave();
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
