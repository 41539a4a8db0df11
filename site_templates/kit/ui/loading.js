/** The loading panel: what is being fetched, how much of it is here, how fast, and what comes after. */

import { make } from "./dom.js";
import { formatBytes, formatPart, formatRemaining, nameBackend } from "./format.js";

/** @typedef {import("../types.js").Progress} Progress */

const SEGMENTS = 40;
const STEPS = ["Look", "Fetch", "Prepare", "Check"];
const STAGES = ["probe", "download", "session", "self-test", "ready"];

/** @type {[ending: RegExp, words: string][]} */
const FILE_WORDS = [
  [/tokenizer.*\.json$/, "Fetching the tokenizer"],
  [/tokenizer/, "Fetching the tokenizer"],
  [/ort|\.wasm$|\.mjs$/, "Fetching the engine"],
  [/golden/, "Fetching the reference answers"],
  [/\.onnx$/, "Fetching the graph"],
  [/./, "Fetching the weights"],
];

/**
 * @param {HTMLElement} panel
 * @returns {{show: (progress: Progress) => void}}
 */
export function drawLoading(panel) {
  const title = make("p", { class: "load-title", role: "status" }, "Looking at this device");
  const detail = make("p", { class: "load-detail" }, "Which of GPU and processor can run this model?");
  const segments = Array.from({ length: SEGMENTS }, () => make("span"));
  const meaning = { role: "progressbar", "aria-label": "Progress", "aria-valuemin": 0, "aria-valuemax": 100 };
  const bar = make("div", { class: "segments", ...meaning }, ...segments);
  const bytes = make("span", { class: "number" });
  const speed = make("span", { class: "number" });
  const remaining = make("span", { class: "number" });
  const steps = STEPS.map((step) => make("li", {}, step));
  const numbers = make("p", { class: "load-numbers" }, bytes, speed, remaining);
  panel.hidden = false;
  panel.replaceChildren(make("div", { class: "load" }, title, detail, bar, numbers, make("ol", { class: "load-steps" }, ...steps)));
  markStep(steps, "probe");
  let pair = "";

  return {
    show(progress) {
      const words = describe(progress);
      if (title.textContent !== words.title) title.textContent = words.title;
      const next = `${nameBackend(progress.backend)} ${progress.variant}`.trim();
      const changed = pair !== "" && next !== "" && next !== pair;
      pair = next || pair;
      detail.textContent = changed ? `The choice before did not work out; now trying ${next}.` : words.detail;
      bar.classList.toggle("is-busy", progress.stage !== "download");
      fillSegments(bar, segments, shareOf(progress));
      const fetching = progress.stage === "download" && progress.totalBytes > 0;
      // After the download the amount stays: the work that follows is not counted in bytes that travel.
      if (fetching) bytes.textContent = formatPart(progress.loadedBytes, progress.totalBytes);
      const pace = fetching ? progress.bytesPerSecond : 0;
      speed.textContent = pace > 0 ? `${formatBytes(pace)}/s` : "";
      remaining.textContent = pace > 0 ? formatRemaining((progress.totalBytes - progress.loadedBytes) / pace) : "";
      markStep(steps, progress.stage);
    },
  };
}

/**
 * @param {Progress} progress
 * @returns {number} how far its stage has come, 0 to 1; stages after the download that count nothing are shown full
 */
export function shareOf({ stage, loadedBytes, totalBytes }) {
  if (totalBytes > 0) return loadedBytes / totalBytes;
  return stage === "probe" || stage === "download" ? 0 : 1;
}

/**
 * @param {Progress} progress
 * @returns {{title: string, detail: string}}
 */
function describe({ stage, file, backend, variant }) {
  const where = `${nameBackend(backend)}, variant ${variant}`;
  switch (stage) {
    case "download": {
      const words = FILE_WORDS.find(([ending]) => ending.test(file));
      return { title: words ? words[1] : "Fetching the model", detail: file || "Kept by the browser for the next visit." };
    }
    case "session":
      if (file) return { title: "Unpacking the weights", detail: "Done once, so that every answer is fast." };
      return { title: "Preparing the model", detail: `Setting it up on ${where}. The first time takes longest.` };
    case "self-test":
      return { title: "Checking its answers", detail: `Comparing with answers recorded from the original, on ${where}.` };
    case "ready":
      return { title: "Ready", detail: "" };
    default:
      return { title: "Looking at this device", detail: "Which of GPU and processor can run this model?" };
  }
}

/**
 * @param {HTMLElement} bar
 * @param {HTMLElement[]} segments
 * @param {number} share 0 to 1
 */
function fillSegments(bar, segments, share) {
  bar.setAttribute("aria-valuenow", String(Math.round(share * 100)));
  segments.forEach((segment, index) => {
    segment.style.setProperty("--fill", String(Math.max(0, Math.min(1, share * SEGMENTS - index))));
  });
}

/**
 * @param {HTMLElement[]} steps
 * @param {string} stage
 */
function markStep(steps, stage) {
  const current = STAGES.indexOf(stage);
  steps.forEach((step, index) => {
    step.dataset.state = index < current ? "done" : index === current ? "now" : "later";
    if (index === current) step.setAttribute("aria-current", "step");
    else step.removeAttribute("aria-current");
  });
}
