/** Text classification: a bar for every label, as you type; and whole tables of texts. */

import { find } from "./kit/ui/dom.js";
import { firstText, offerExamples } from "./kit/ui/examples.js";
import { FITS_ITSELF, fitHeight } from "./kit/ui/fit-height.js";
import { answerLive } from "./kit/ui/live-answer.js";
import { openShell } from "./kit/ui/shell.js";
import { drawAnswer } from "./answer.js";
import { BatchView } from "./batch-view.js";

const shell = openShell();
const field = find("#text", HTMLTextAreaElement);
const answer = drawAnswer(shell.settings.labels ?? []);
const hasText = () => field.value.trim() !== "";

const live = answerLive(shell, {
  read: () => (hasText() ? { text: [field.value] } : null),
  show({ results }) {
    if (hasText()) answer.show(results[0]);
  },
});
/** @param {string} text */
function put(text) {
  field.value = text;
  fit();
  live.ask();
}
const showLabels = /** @param {string} text */ (text) => {
  put(text);
  field.focus();
  field.scrollIntoView({ block: "center" });
};
const batch = new BatchView(async (text) => (await shell.run({ text })).results, showLabels);

function fit() {
  fitHeight(field);
  if (!hasText()) answer.clear();
}
field.addEventListener("input", () => {
  fit();
  live.askSoon();
});
if (!FITS_ITSELF) new ResizeObserver(fit).observe(find(".writing", HTMLElement));
offerExamples(shell.settings.examples, (example) => put(firstText(example)));
fit();

const model = await live.start();
if (model) batch.allow();
