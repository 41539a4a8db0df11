/** Search in one's own files by meaning, and answers from what was found; both models run in this browser. */

import { identifyModel, startSearch } from "./kit/search/client.js";
import { find } from "./kit/ui/dom.js";
import { latestOnly } from "./kit/ui/latest.js";
import { openShell } from "./kit/ui/shell.js";
import { AnswerView } from "./answer-view.js";
import { Asker } from "./asker.js";
import { Shelf } from "./shelf.js";
import { isKnownLanguage } from "./language.js";
import { showPassages } from "./passages.js";
import { pickRelevant } from "./relevance.js";
import { openReader } from "./reader.js";

/** @typedef {import("./kit/search/collection.js").Found} Found */
/** @typedef {{models: Record<string, string>}} RagSettings */

const pauseMs = 180;
const shownPassages = 8;

/** `?model=minilm` loads that one alone, for whoever checks it. */
const only = new URLSearchParams(location.search).get("model");
const shell = openShell((/** @type {RagSettings} */ { models }) => {
  const asked = only && Object.values(models).find((address) => address.endsWith(`/${only}/manifest.json`));
  return asked || models.embed;
});
const settings = /** @type {import("./kit/ui/shell.js").Settings & RagSettings} */ (shell.settings);
const question = find("#question", HTMLInputElement);
const note = find("#asking-note", HTMLElement);

const model = await shell.load();
if (model) Object.assign(window, { kit: model });
if (model && only) {
  note.textContent = `Only ${only} is loaded at this address: nothing can be searched here.`;
  document.documentElement.classList.add("is-alone");
} else if (model) await openLibrary(model);

/** @param {import("./kit/ui/shell.js").Model} embedder */
async function openLibrary(embedder) {
  const index = startSearch();
  let asked = 0;
  const view = new AnswerView((found) => void open(found));
  const asker = new Asker(settings.models.chat, embedder, view);
  const shelf = new Shelf(index, embedder, identifyModel(embedder.manifest, embedder.variant), {
    samples: settings.samples ?? [],
    onOpen: () => {
      asked++;
      asker.leave();
      view.clear();
    },
    onChange: () => {
      // Questions about the sample documents, which nothing else answers.
      document.querySelector("#suggestions")?.toggleAttribute("hidden", !shelf.hasSamples);
      if (view.isRefusal && !shelf.isBusy) view.clear(); // what it says may not be so any more
      void search();
    },
  });

  /** @param {Found} found */
  const open = async (found) => {
    const document = await index.read(found.documentId);
    if (document) openReader(document, found);
    else note.textContent = `${found.name} is not in this collection any more.`;
  };

  /** @param {string[]} texts */
  const countTokens = (texts) => embedder.countTokens(texts);

  /** @param {string} query @returns {Promise<{vector: Float32Array, shown: Found[]}>} */
  const look = async (query) => {
    if (!query || !shelf.passages) return { vector: new Float32Array(0), shown: [] };
    const { embeddings: vector } = await embedder.embed({ inputs: [query], cut: true });
    const found = await index.search({ vector, query, count: shownPassages });
    return { vector, shown: await pickRelevant(query, found, countTokens) };
  };

  const search = latestOnly(async () => {
    const query = question.value.trim();
    try {
      const isKnown = await isKnownLanguage(query, countTokens);
      note.textContent = isKnown ? "" : "The model hardly knows this language: it finds words here rather than meanings.";
      const startMs = performance.now();
      const { shown } = await look(query);
      if (query && shelf.passages) shell.showFigures([["Last search", `${Math.round(performance.now() - startMs)} ms`]]);
      showPassages(query, shown, shelf.passages, (each) => void open(each));
    } catch (error) {
      note.textContent = error instanceof Error ? error.message : String(error);
    }
  });

  const ask = async () => {
    const query = question.value.trim();
    if (!query) return question.focus();
    asker.leave();
    const own = ++asked;
    try {
      if (!shelf.passages) return view.say(query, "There are no files to answer from yet. Add some, or use the sample documents.");
      view.look(query);
      const { vector, shown } = await look(query);
      if (own !== asked) return; // a newer question has the place
      showPassages(query, shown, shelf.passages, (each) => void open(each));
      if (shown.length) await asker.answer({ text: query, vector, weights: await index.weigh(query) }, shown);
      else if (shelf.isBusy) view.say(query, "Nothing that is read so far is about that. Ask again when all files are read.");
      else view.say(query, "Nothing in these files is about that, so there is no answer.");
    } catch (error) {
      if (own === asked) view.say(query, error instanceof Error ? error.message : String(error), "failed");
    }
  };

  let timer = 0;
  question.addEventListener("input", () => {
    clearTimeout(timer);
    timer = window.setTimeout(search, pauseMs);
  });
  find("#asking", HTMLFormElement).addEventListener("submit", (event) => {
    event.preventDefault();
    void ask();
  });
  find("#answer-stop", HTMLButtonElement).addEventListener("click", () => asker.stop());
  document.querySelector("#suggestions")?.addEventListener("click", ({ target }) => {
    if (!(target instanceof Element) || !target.classList.contains("suggestion")) return;
    question.value = target.textContent ?? "";
    void ask();
  });
  await shelf.start();
}
