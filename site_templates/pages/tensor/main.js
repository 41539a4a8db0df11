/** Any ONNX graph: see its interface, give it tensors, look at what comes back and how long it takes. */

import { find, make } from "./kit/ui/dom.js";
import { openShell } from "./kit/ui/shell.js";
import { ArrayProblem } from "./arrays.js";
import { InputCard } from "./input-card.js";
import { drawInterface } from "./interface.js";
import { makeOutputCard } from "./output-card.js";
import { drawTiming } from "./timing.js";

const MANY = 10;

/** @typedef {import("./kit/types.js").Tensors} Tensors */

const shell = openShell();
const runButton = find("#run", HTMLButtonElement);
const tenButton = find("#run-ten", HTMLButtonElement);
const note = find("#run-note", HTMLElement);
const problem = find("#run-problem", HTMLElement);
/** @type {InputCard[]} */
let cards = [];
/** @type {import("./kit/types.js").GoldenSample | null} the sample that all inputs were last taken from */
let golden = null;

/** @param {import("./kit/types.js").Manifest} manifest */
function drawModel(manifest) {
  drawInterface(manifest.interface);
  cards = manifest.interface.inputs.map((spec) => {
    const others = () => cards.filter((card) => card.spec !== spec);
    return new InputCard(spec, shell.settings.shapes?.[spec.name], (...edit) => others().forEach((card) => card.follow(...edit)));
  });
  const none = make("p", { class: "quiet" }, "This graph takes no inputs.");
  find("#inputs", HTMLElement).replaceChildren(...(cards.length > 0 ? cards.map((card) => card.element) : [none]));
}

/** @param {number} count of runs, one after the other */
async function run(count) {
  if (runButton.disabled) return;
  const inputs = readInputs();
  if (!inputs) return;
  setBusy(true);
  /** @type {number[]} */
  const timesMs = [];
  try {
    /** @type {Tensors} */
    let outputs = {};
    while (timesMs.length < count) {
      note.textContent = count > 1 ? `Run ${timesMs.length + 1} of ${count}` : "Running";
      const answer = await shell.run({ inputs });
      outputs = answer.outputs;
      timesMs.push(answer.timeMs);
      drawTiming(timesMs);
    }
    note.textContent = count > 1 ? `${count} runs done` : "Done";
    await showOutputs(outputs);
  } catch (error) {
    note.textContent = "";
    problem.textContent = error instanceof Error ? error.message : String(error);
  }
  setBusy(false);
}

/** @returns {Tensors | null} null when an input is not usable, which its card says */
function readInputs() {
  problem.textContent = "";
  /** @type {Tensors} */
  const inputs = {};
  for (const card of cards) {
    try {
      inputs[card.spec.name] = card.read();
    } catch (error) {
      if (!(error instanceof ArrayProblem)) throw error;
      problem.textContent = `Input ${card.spec.name}: ${error.message}`;
      return null;
    }
  }
  return inputs;
}

/** @param {Tensors} outputs */
async function showOutputs(outputs) {
  const expected = golden && cards.every((card) => card.isGolden) ? golden.outputs : {};
  const made = await Promise.all(Object.entries(outputs).map(([name, tensor]) => makeOutputCard(name, tensor, expected[name])));
  find("#outputs", HTMLElement).replaceChildren(...made);
}

/** @param {boolean} isBusy */
function setBusy(isBusy) {
  runButton.disabled = isBusy;
  tenButton.disabled = isBusy;
  find("#outputs", HTMLElement).setAttribute("aria-busy", String(isBusy));
}

/** @param {import("./kit/types.js").GoldenSample[]} samples */
function offerGolden(samples) {
  const select = find("#golden", HTMLSelectElement);
  const options = samples.map((_, index) => make("option", { value: index }, `golden sample ${index + 1}`));
  select.replaceChildren(make("option", { value: "" }, "my own values"), ...options);
  select.addEventListener("change", () => {
    if (select.value === "") return cards.forEach((card) => card.useOwn());
    golden = samples[Number(select.value)];
    for (const card of cards) {
      const tensor = golden.input.inputs[card.spec.name];
      if (tensor) card.useGolden(tensor);
    }
  });
  find("#golden-part", HTMLElement).hidden = samples.length === 0;
}

runButton.addEventListener("click", () => void run(1));
tenButton.addEventListener("click", () => void run(MANY));
document.addEventListener("keydown", (event) => {
  if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) void run(1);
});
drawTiming([]);
setBusy(true);

const loading = shell.load();
const manifest = await shell.readManifest();
if (manifest) drawModel(manifest);
find(".tensors", HTMLElement).classList.add("is-known");
const model = await loading;
if (model) {
  Object.assign(window, { kit: model });
  if (!manifest) drawModel(model.manifest);
  setBusy(false);
  offerGolden((await model.golden()).samples);
}
