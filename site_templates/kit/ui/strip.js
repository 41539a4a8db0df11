/** The status strip at the foot of every page, and the drawer of details that it opens. */

import { describeParity, drawChoices } from "./choices.js";
import { make, makeFacts } from "./dom.js";
import { listAttempts } from "./failure.js";
import { formatBytes, formatTime, nameBackend } from "./format.js";
import { shareOf } from "./loading.js";

/** @typedef {import("./shell.js").Model} Model */
/** @typedef {import("./shell.js").Manifest} Manifest */

/**
 * @typedef {object} Strip
 * @property {(manifest: Manifest) => void} describe
 * @property {(progress: import("./loading.js").Progress) => void} showProgress
 * @property {(model: Model) => void} showModel
 * @property {(timeMs: number) => void} showRun
 * @property {(words: string) => void} showWork what the model is doing right now; a failure before it is over
 * @property {(figures: [caption: string, value: string][]) => void} showFigures in place of the time of the last run
 * @property {(failure: import("./shell.js").Failure) => void} showFailure
 */

/**
 * @param {HTMLElement} strip
 * @returns {Strip}
 */
export function drawStrip(strip) {
  const state = make("span", { class: "strip-state" }, "Loading");
  const backend = makeCell("backend", "Backend");
  const variant = makeCell("variant", "Variant");
  const time = makeCell("time", "Last run");
  const note = make("span", { class: "strip-note" });
  const line = make("div", { class: "strip-line" });
  const details = make("section", { id: "kit-details", class: "details", "aria-label": "Details", tabindex: -1, hidden: true });
  const more = make("span", { class: "strip-more" }, make("span", {}, "Details"));
  const bar = make("button", { type: "button", class: "strip-bar", "aria-expanded": "false", "aria-controls": "kit-details" });
  const figures = make("span", { class: "strip-figures" }, time.cell);
  bar.append(make("span", { class: "strip-lamp" }), state, backend.cell, variant.cell, figures, note, more);
  strip.append(details, line, bar);
  openOnClick(strip, bar, details);
  /** @type {Manifest | null} */
  let known = null;
  let reason = "";

  /** @param {string} words @param {"loading" | "ready" | "failed"} lamp */
  const showState = (words, lamp) => {
    state.textContent = words;
    strip.dataset.lamp = lamp;
  };
  showState("Loading", "loading");

  return {
    describe(manifest) {
      known = manifest;
      if (!details.hasChildNodes()) fillDetails(details, manifest, null, null);
    },
    showProgress(progress) {
      const share = shareOf(progress);
      line.style.transform = `scaleX(${share})`;
      showState(progress.stage === "download" ? `Loading ${Math.floor(share * 100)} %` : "Preparing", "loading");
      if (progress.backend) backend.value.textContent = nameBackend(progress.backend);
      if (progress.variant) variant.value.textContent = progress.variant;
    },
    showModel(model) {
      line.style.transform = "scaleX(0)";
      showState("Ready", "ready");
      backend.value.textContent = nameBackend(model.backend);
      backend.value.append(make("i", {}, describeEngine(model)));
      variant.value.textContent = model.variant;
      reason = model.reason;
      note.textContent = reason;
      fillDetails(details, model.manifest, model, null);
    },
    showRun(timeMs) {
      showState("Ready", "ready");
      time.value.textContent = formatTime(timeMs);
    },
    showWork(words) {
      showState(words, "ready");
      note.textContent = reason;
    },
    showFigures(shown) {
      const cells = shown.map(([caption, words]) => {
        const { cell, value } = makeCell("figure", caption);
        value.textContent = words || "–";
        return cell;
      });
      figures.replaceChildren(...cells);
    },
    showFailure(failure) {
      line.style.transform = "scaleX(0)";
      showState("Failed", "failed");
      note.textContent = failure.message;
      if (known) fillDetails(details, known, null, failure);
    },
  };
}

/**
 * @param {string} name
 * @param {string} caption
 * @returns {{cell: HTMLElement, value: HTMLElement}}
 */
function makeCell(name, caption) {
  const value = make("span", { class: "strip-value" }, "–");
  return { cell: make("span", { class: `strip-cell strip-${name}` }, make("small", {}, caption), value), value };
}

/**
 * @param {HTMLElement} strip
 * @param {HTMLElement} bar
 * @param {HTMLElement} details
 */
function openOnClick(strip, bar, details) {
  /** @param {boolean} open */
  const setOpen = (open) => {
    details.hidden = !open;
    bar.setAttribute("aria-expanded", String(open));
  };
  bar.addEventListener("click", () => setOpen(bar.getAttribute("aria-expanded") === "false"));
  strip.addEventListener("keydown", (event) => {
    if (event.key !== "Escape" || details.hidden) return;
    event.stopPropagation();
    setOpen(false);
    bar.focus();
  });
  document.addEventListener("pointerdown", ({ target }) => {
    if (!details.hidden && target instanceof Node && !strip.contains(target)) setOpen(false);
  });
}

/** @param {Model} model @returns {string} the adapter, or the number of threads */
function describeEngine({ backend, adapter, threads }) {
  if (backend !== "webgpu" || !adapter) return `${threads} thread${threads === 1 ? "" : "s"}`;
  const name = adapter.description || [adapter.vendor, adapter.architecture].filter(Boolean).join(" ") || "GPU";
  return adapter.software ? `${name}, in software` : name;
}

/**
 * @param {HTMLElement} details
 * @param {Manifest} manifest
 * @param {Model | null} model
 * @param {import("./shell.js").Failure | null} failure
 */
function fillDetails(details, manifest, model, failure) {
  const attempts = model?.attempts ?? failure?.attempts ?? [];
  const variants = makePart("Variants, and other ways to run it", drawChoices(manifest, model));
  variants.classList.add("details-wide");
  const parts = [makePart("This model", makeFacts("facts", modelFacts(manifest))), variants];
  if (model) parts.unshift(makePart("This visit", makeFacts("facts", visitFacts(model))));
  if (failure) parts.unshift(makePart("What went wrong", make("p", {}, failure.message)));
  if (attempts.length > 0) {
    parts.push(makePart("What was tried", listAttempts(attempts)));
    parts[parts.length - 1].classList.add("details-wide");
  }
  details.replaceChildren(make("div", { class: "details-inner" }, ...parts));
}

/**
 * @param {string} title
 * @param {HTMLElement} content
 * @returns {HTMLElement}
 */
function makePart(title, content) {
  return make("div", {}, make("h2", {}, title), content);
}

/** @param {Manifest} manifest @returns {[string, string][]} */
function modelFacts({ name, source, license, tools }) {
  return [
    ["Name", name],
    ["Source", source.uri + (source.revision ? ` @ ${source.revision}` : "")],
    ["sha256", source.sha256.slice(0, 16)],
    ["Licence", license],
    ["Runtime", `ONNX Runtime Web ${tools.onnxruntime_web}`],
  ];
}

/** @param {Model} model @returns {[string, string][]} */
function visitFacts(model) {
  const entry = model.manifest.variants.find((variant) => variant.name === model.variant);
  const { downloadMs, sessionMs, selfTestMs, readyMs, downloadedBytes } = model.timings;
  /** @type {[string, string][]} */
  const facts = [
    ["Runs on", `${nameBackend(model.backend)}, ${describeEngine(model)}`],
    ["Downloaded", `${formatBytes(downloadedBytes)} in ${formatTime(downloadMs)}`],
    ["Ready after", `${formatTime(readyMs)} (set-up ${formatTime(sessionMs)}, self-test ${formatTime(selfTestMs)})`],
  ];
  if (entry) {
    facts.push(["Memory", formatBytes(model.memoryBytes)]);
    facts.push(["Parity", describeParity(entry.parity)]);
    if (entry.parity.method) facts.push(["Method", entry.parity.method]);
  }
  if (model.reason) facts.push(["Note", model.reason]);
  return facts;
}
