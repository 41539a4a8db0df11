/**
 * Where the browser keeps collections: IndexedDB, a record for each document with the vectors of its passages.
 *
 * @typedef {import("./collection.js").Entry} Entry
 * @typedef {import("./index-file.js").IndexModel} IndexModel
 * @typedef {{name: string, model: IndexModel, savedMs: number}} KeptCollection
 * @typedef {{collection: string, id: string, document: import("./collection.js").IndexedDocument, vectors: Float32Array<ArrayBuffer>}} KeptDocument
 */

import { KitError, describeError } from "../errors.js";

const databaseName = "webgpu-kit-search";
const version = 1;

/** One database for all collections of the site. */
export class Store {
  /** @param {IDBDatabase} database */
  constructor(database) {
    this.database = database;
  }

  /** @returns {Promise<Store>} */
  static async open() {
    const request = indexedDB.open(databaseName, version);
    request.onupgradeneeded = () => {
      request.result.createObjectStore("collections", { keyPath: "name" });
      request.result.createObjectStore("documents", { keyPath: ["collection", "id"] });
    };
    return new Store(await settle(request));
  }

  /** @returns {Promise<KeptCollection[]>} by name */
  async list() {
    return settle(this.#read("collections").getAll());
  }

  /** @param {string} name @returns {Promise<KeptCollection | null>} */
  async find(name) {
    return (await settle(this.#read("collections").get(name))) ?? null;
  }

  /** @param {string} name @returns {Promise<Entry[]>} */
  async read(name) {
    /** @type {KeptDocument[]} */
    const kept = await settle(this.#read("documents").getAll(rangeOf(name)));
    return kept.map(({ document, vectors }) => ({ document, vectors }));
  }

  /**
   * @param {string} name
   * @param {IndexModel} model
   * @param {readonly Entry[]} entries  all of them or none
   */
  async write(name, model, entries) {
    await this.#change(({ collections, documents }) => {
      collections.put({ name, model, savedMs: Date.now() });
      for (const { document, vectors } of entries) documents.put({ collection: name, id: document.id, document, vectors });
    });
  }

  /** @param {string} name @param {string} id  of a document */
  async remove(name, id) {
    await this.#change(({ documents }) => documents.delete([name, id]));
  }

  /** @param {string} name  of a collection, which goes with all its documents */
  async delete(name) {
    await this.#change(({ collections, documents }) => {
      collections.delete(name);
      documents.delete(rangeOf(name));
    });
  }

  /** @param {"collections" | "documents"} name @returns {IDBObjectStore} */
  #read(name) {
    return this.database.transaction(name).objectStore(name);
  }

  /** @param {(stores: {collections: IDBObjectStore, documents: IDBObjectStore}) => void} work */
  async #change(work) {
    const transaction = this.database.transaction(["collections", "documents"], "readwrite");
    const ended = new Promise((resolve, reject) => {
      transaction.oncomplete = () => resolve(null);
      transaction.onabort = () => reject(transaction.error);
    });
    work({ collections: transaction.objectStore("collections"), documents: transaction.objectStore("documents") });
    try {
      await ended;
    } catch (error) {
      throw explain(error);
    }
  }
}

/** @param {string} name @returns {IDBKeyRange} */
function rangeOf(name) {
  return IDBKeyRange.bound([name], [name, []]); // an array is greater than any text
}

/**
 * @template T
 * @param {IDBRequest<T>} request
 * @returns {Promise<T>}
 */
function settle(request) {
  return new Promise((resolve, reject) => {
    request.onsuccess = () => resolve(request.result);
    request.onerror = () => reject(explain(request.error));
  });
}

/** @param {unknown} error @returns {KitError} */
function explain(error) {
  const isFull = error instanceof DOMException && error.name === "QuotaExceededError";
  const words = isFull
    ? "This browser's storage is full: what was just added is lost when you leave. Delete a collection, or export this one."
    : `This browser keeps nothing for this page: the index is gone when you leave it (${describeError(error)}).`;
  return new KitError(isFull ? "storage-full" : "storage-blocked", words, { cause: error });
}
