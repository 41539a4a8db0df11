/** The files that are searched: adding, removing, and the collection that they are kept in. */

import { find, make } from "./kit/ui/dom.js";
import { formatCount } from "./kit/ui/format.js";
import { Collections } from "./collections.js";
import { indexFiles, listDropped } from "./indexing.js";
import { explainForeign } from "./language.js";

/**
 * @typedef {import("./kit/search/service.js").Contents} Contents
 * @typedef {import("./indexing.js").Given} Given
 *
 * @typedef {object} ShelfOptions
 * @property {{path: string, label: string}[]} samples
 * @property {() => void} onChange
 * @property {() => void} onOpen  another collection
 */

/** One collection at a time. */
export class Shelf {
  passages = 0;
  /** Whether files are being read: more may be found when they are. */
  isBusy = false;
  /** Whether the sample documents, or some of them, are in the collection. */
  hasSamples = false;
  #index;
  #embedder;
  #options;
  #abort = new AbortController();
  #collections;
  /** @type {Promise<void>} files are added one drop after the other, into the collection that was open then */
  #work = Promise.resolve();

  /**
   * @param {import("./kit/search/client.js").SearchIndex} index
   * @param {import("./kit/ui/shell.js").Model} embedder
   * @param {import("./kit/search/index-file.js").IndexModel} identity
   * @param {ShelfOptions} options
   */
  constructor(index, embedder, identity, options) {
    this.#index = index;
    this.#embedder = embedder;
    this.#options = options;
    this.#collections = new Collections(index, identity, {
      onLeave: () => this.#stop(),
      onOpen: (contents) => {
        this.#show(contents);
        this.#options.onOpen();
      },
      onProblem: (words) => this.#explain([words]),
      onWait: (words) => (find("#shelf-count", HTMLElement).textContent = words),
    });
  }

  async start() {
    this.#listen();
    // Files that are dropped before a collection is open wait for it.
    this.#work = this.#collections.start();
    await this.#work;
  }

  #listen() {
    this.#listenToInput("files");
    this.#listenToInput("folder");
    const drop = find("#drop", HTMLElement);
    drop.addEventListener("dragover", (event) => {
      event.preventDefault();
      drop.classList.add("is-over");
    });
    drop.addEventListener("dragleave", () => drop.classList.remove("is-over"));
    drop.addEventListener("drop", async (event) => {
      event.preventDefault();
      drop.classList.remove("is-over");
      if (event.dataTransfer) this.#add(await listDropped(event.dataTransfer));
    });
    // What is read by then is kept, the rest would be missing without a word.
    addEventListener("beforeunload", (event) => this.isBusy && event.preventDefault());
    // A file that misses the field would replace the page.
    for (const name of ["dragover", "drop"]) addEventListener(name, (event) => event.preventDefault());
    document.querySelector("#add-samples")?.addEventListener("click", () => void this.#addSamples());
    find("#indexing-stop", HTMLButtonElement).addEventListener("click", () => this.#stop());
  }

  /** What is read, and what waits for it. */
  #stop() {
    this.#abort.abort();
    this.#abort = new AbortController();
  }

  /** @param {"files" | "folder"} id */
  #listenToInput(id) {
    const input = find(`#${id}`, HTMLInputElement);
    find(`#choose-${id}`, HTMLButtonElement).addEventListener("click", () => input.click());
    input.addEventListener("change", () => {
      const given = [...(input.files ?? [])].map((file) => ({ name: file.webkitRelativePath || file.name, file }));
      this.#add(given.filter(({ name }) => !name.includes("/.")));
      input.value = "";
    });
  }

  async #addSamples() {
    try {
      const given = this.#options.samples.map(async ({ path, label }) => {
        const response = await fetch(path);
        if (!response.ok) throw new Error(`${label} could not be fetched: the server answered ${response.status}.`);
        return { name: label, file: new File([await response.blob()], label) };
      });
      this.#add(await Promise.all(given));
    } catch (error) {
      this.#explain([error instanceof Error ? error.message : String(error)]);
    }
  }

  /** @param {Given[]} given */
  #add(given) {
    const { signal } = this.#abort;
    if (given.length) this.#work = this.#work.then(() => this.#indexNow(given, signal));
  }

  /** @param {Given[]} given @param {AbortSignal} signal */
  async #indexNow(given, signal) {
    if (signal.aborted) return;
    const panel = find("#indexing", HTMLElement);
    panel.hidden = false;
    this.isBusy = true;
    this.#explain([]);
    try {
      await this.#collections.openOwn();
      await this.#read(given, signal);
    } catch (error) {
      this.#explain([error instanceof Error ? error.message : String(error)]);
    } finally {
      this.isBusy = false;
      panel.hidden = true;
      this.#options.onChange();
    }
  }

  /** @param {Given[]} given @param {AbortSignal} signal */
  async #read(given, signal) {
    const words = find("#indexing-words", HTMLElement);
    const bar = find("#indexing-bar", HTMLProgressElement);
    let last = 0;
    const { problems, foreign } = await indexFiles(given, {
      index: this.#index,
      embedder: this.#embedder,
      signal,
      onStep: ({ name, file, files, share, page }) => {
        words.textContent = `Reading ${name}${page && `, ${page}`}` + (files > 1 ? ` (file ${file} of ${files})` : "");
        bar.value = (file - 1 + share) / files;
        if (file !== last) void this.#refresh();
        last = file;
      },
    });
    const contents = await this.#refresh();
    this.#explain([...problems, ...(contents.problem ? [contents.problem] : [])], explainForeign(foreign));
    await this.#collections.refresh();
  }

  /** @returns {Promise<Contents>} */
  async #refresh() {
    const contents = await this.#index.contents();
    this.#show(contents);
    return contents;
  }

  /** @param {Contents} contents */
  #show({ documents, passages, isReadOnly, problem }) {
    this.passages = passages;
    this.hasSamples = documents.some(({ name }) => this.#options.samples.some(({ label }) => label === name));
    find("#shelf-count", HTMLElement).textContent = passages ? formatCount(passages, "passage") : "";
    document.querySelector("#add-samples")?.toggleAttribute("hidden", documents.length > 0);
    find("#collection-delete", HTMLButtonElement).hidden = isReadOnly;
    const rows = documents.map(({ id, name, passages: count }) => {
      const label = make("span", { class: "document-name", title: name }, name);
      const number = make("span", { class: "quiet number" }, String(count));
      if (isReadOnly) return make("li", { class: "document" }, label, number);
      const remove = make("button", { type: "button", class: "remove", "aria-label": `Remove ${name}`, title: "Remove" }, "×");
      remove.addEventListener("click", async () => this.#show(await this.#index.remove(id)));
      return make("li", { class: "document" }, label, number, remove);
    });
    this.#list(rows);
    if (problem) this.#explain([problem]);
    this.#options.onChange();
  }

  /** The focus of a row goes to the one in its place, or to where files are added. @param {HTMLElement[]} rows */
  #list(rows) {
    const list = find("#documents", HTMLElement);
    const place = [...list.querySelectorAll(".remove")].findIndex((each) => each === document.activeElement);
    list.replaceChildren(...rows);
    if (place < 0) return;
    const left = list.querySelectorAll("button");
    (left[Math.min(place, left.length - 1)] ?? find("#choose-files", HTMLButtonElement)).focus();
  }

  /** @param {readonly string[]} problems @param {string} [remark] */
  #explain(problems, remark = "") {
    const rows = problems.map((words) => make("li", { class: "problem" }, words));
    if (remark) rows.push(make("li", { class: "remark quiet" }, remark));
    find("#problems", HTMLElement).replaceChildren(...rows);
  }
}
