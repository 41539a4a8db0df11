/**
 * In the worker: the open collection, what is kept of it, and what the page may ask of both.
 *
 * @typedef {import("./collection.js").Entry} Entry
 * @typedef {import("./collection.js").Found} Found
 * @typedef {import("./index-file.js").IndexModel} IndexModel
 * @typedef {Pick<import("./store.js").Store, "list" | "find" | "read" | "write" | "remove" | "delete">} Keeper
 * @typedef {{id: string, name: string, kind: string, passages: number, characters: number}} DocumentEntry
 *
 * @typedef {object} Contents  of the open collection
 * @property {string} name
 * @property {DocumentEntry[]} documents
 * @property {number} passages
 * @property {boolean} isReadOnly  it came with the page, and is not kept
 * @property {string} problem  why it is not kept; "" when it is
 *
 * @typedef {{name: string, model: IndexModel, isUsable: boolean}} CollectionEntry
 */

import { KitError } from "../errors.js";
import { Collection } from "./collection.js";
import { decodeIndex, encodeIndex } from "./index-file.js";

/** Every method here is one that the page may call; parameters and results cross by `postMessage`. */
export class SearchService {
  /** @type {Collection | null} */
  #collection = null;
  #name = "";
  #problem = "";
  #isReadOnly = false;

  /**
   * @param {Keeper | null} store  null where the browser keeps nothing
   * @param {string} problem  why there is none
   */
  constructor(store, problem = "") {
    this.store = store;
    this.#problem = problem;
    /** @type {IndexModel | null} */
    this.model = null;
  }

  /**
   * Open a collection, or begin a new one. One that another model made is refused, with the code `other-model`.
   * @param {{name: string, model: IndexModel}} given  the model that is loaded
   * @returns {Promise<Contents>}
   */
  async open({ name, model }) {
    const kept = (await this.store?.find(name)) ?? null;
    if (kept && !isSameModel(kept.model, model)) throw explainOther(name, kept.model, model);
    const collection = new Collection(model.dimensions);
    for (const entry of kept ? await /** @type {Keeper} */ (this.store).read(name) : []) collection.add(entry);
    return this.#begin(collection, name, model, false);
  }

  /**
   * Open an index that was made ahead, as a collection that cannot be changed.
   * @param {{bytes: Uint8Array<ArrayBuffer>, model: IndexModel}} given  the file, and the model that is loaded
   * @returns {Contents}
   */
  openPublished({ bytes, model }) {
    const { name, model: made, entries } = decodeIndex(bytes);
    if (!isSameModel(made, model)) throw explainOther(name, made, model);
    const collection = new Collection(model.dimensions);
    for (const entry of entries) collection.add(entry);
    return this.#begin(collection, name, model, true);
  }

  /** @returns {Contents} */
  contents() {
    const { entries, passageCount } = this.#open();
    const documents = entries.map(({ document: { id, name, kind, text, passages } }) => ({
      ...{ id, name, kind },
      ...{ passages: passages.length, characters: text.length },
    }));
    return { name: this.#name, documents, passages: passageCount, isReadOnly: this.#isReadOnly, problem: this.#problem };
  }

  /** @param {IndexModel} model @returns {Promise<CollectionEntry[]>} every collection that is kept */
  async list(model) {
    const kept = (await this.store?.list()) ?? [];
    return kept.map((each) => ({ name: each.name, model: each.model, isUsable: isSameModel(each.model, model) }));
  }

  /**
   * @param {Entry[]} entries
   * @returns {Promise<Contents>}
   */
  async add(entries) {
    for (const entry of entries) this.#change().add(entry);
    await this.#keep((store, name, model) => store.write(name, model, entries));
    return this.contents();
  }

  /** @param {string} id  of a document @returns {Promise<Contents>} */
  async remove(id) {
    this.#change().remove(id);
    await this.#keep((store, name) => store.remove(name, id));
    return this.contents();
  }

  /** @param {string} name  of a collection, open or not */
  async delete(name) {
    await this.store?.delete(name);
    // Whoever still looks at it finds nothing in it, until another is opened.
    if (name === this.#name && this.model) this.#collection = new Collection(this.model.dimensions);
  }

  /** @param {string} id @returns {import("./collection.js").IndexedDocument | null} */
  read(id) {
    return this.#open().read(id);
  }

  /** @param {{vector: Float32Array, query: string, count: number}} asked @returns {Found[]} best first */
  search({ vector, query, count }) {
    return this.#open().search(vector, query, count);
  }

  /** @param {string} query @returns {Map<string, number>} how much each of its words tells in the open collection */
  weigh(query) {
    return this.#open().weigh(query);
  }

  /** @returns {Uint8Array<ArrayBuffer>} the open collection as one file */
  exportFile() {
    return encodeIndex(this.#name, /** @type {IndexModel} */ (this.model), this.#open().entries);
  }

  /**
   * Add the documents of a file to the open collection. One of another model is refused.
   * @param {Uint8Array<ArrayBuffer>} bytes
   * @returns {Promise<Contents>}
   */
  async importFile(bytes) {
    const { name, model, entries } = decodeIndex(bytes);
    const own = /** @type {IndexModel} */ (this.model);
    if (!isSameModel(model, own)) throw explainOther(name, model, own);
    return this.add(entries);
  }

  /**
   * @param {Collection} collection
   * @param {string} name
   * @param {IndexModel} model
   * @param {boolean} isReadOnly
   * @returns {Contents}
   */
  #begin(collection, name, model, isReadOnly) {
    this.#collection = collection;
    this.#name = name;
    this.#isReadOnly = isReadOnly;
    this.model = model;
    return this.contents();
  }

  /** @returns {Collection} the open one, unless it came with the page */
  #change() {
    if (!this.#isReadOnly) return this.#open();
    throw new KitError("bad-input", `"${this.#name}" came with this page and cannot be changed. Open another collection.`);
  }

  /** @returns {Collection} */
  #open() {
    if (this.#collection) return this.#collection;
    throw new KitError("bad-input", "No collection is open.");
  }

  /**
   * What is in memory stays usable when it cannot be kept; the page is told.
   * @param {(store: Keeper, name: string, model: IndexModel) => Promise<void>} work
   */
  async #keep(work) {
    if (!this.store) return;
    try {
      await work(this.store, this.#name, /** @type {IndexModel} */ (this.model));
      this.#problem = "";
    } catch (error) {
      if (!(error instanceof KitError)) throw error;
      this.#problem = error.message;
    }
  }
}

/**
 * The variants of one model give vectors that can be compared: how far they differ is measured, and bounded.
 * @param {IndexModel} one
 * @param {IndexModel} other
 * @returns {boolean}
 */
function isSameModel(one, other) {
  return one.sha256 === other.sha256 && one.dimensions === other.dimensions;
}

/**
 * @param {string} name
 * @param {IndexModel} made
 * @param {IndexModel} loaded
 * @returns {KitError}
 */
function explainOther(name, made, loaded) {
  const [from, to] = [made, loaded].map((model) => `${model.name} (${model.sha256.slice(0, 8)})`);
  return new KitError(
    "other-model",
    `"${name}" was made with the model ${from}; this page has ${to}, which cannot read it. Make it anew from the documents.`,
  );
}
