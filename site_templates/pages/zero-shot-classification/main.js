/** Zero-shot classification: any text, any labels, and how well each fits. */

import { find } from "./kit/ui/dom.js";
import { firstText, offerExamples } from "./kit/ui/examples.js";
import { FITS_ITSELF, fitHeight } from "./kit/ui/fit-height.js";
import { formatShare } from "./kit/ui/format.js";
import { answerLive } from "./kit/ui/live-answer.js";
import { drawRanks } from "./kit/ui/ranks.js";
import { openShell } from "./kit/ui/shell.js";
import { speakLater } from "./kit/ui/speak.js";
import { LabelChips } from "./label-chips.js";

const DEFAULT_TEMPLATE = "This example is {}.";

const shell = openShell();
const field = find("#text", HTMLTextAreaElement);
const template = find("#template", HTMLInputElement);
const multi = find("#multi", HTMLInputElement);
const title = find("#answer-title", HTMLElement);
const headline = find("#headline", HTMLElement);
const showRanks = drawRanks(find("#ranks", HTMLOListElement));
const speak = speakLater(find("#spoken", HTMLElement));

/** @returns {string} what is missing before there is anything to ask; "" where nothing is */
function findGap() {
  if (field.value.trim() === "") return "Type a text first.";
  if (labels.read().length === 0) return "Add a label first.";
  return template.value.includes("{}") ? "" : "The label needs its place in the sentence: {}.";
}

const live = answerLive(shell, {
  read() {
    if (findGap()) return null;
    return { text: field.value, candidate_labels: labels.read(), hypothesis_template: template.value, multi_label: multi.checked };
  },
  show(answer, { multi_label: isMulti }) {
    if (findGap()) return;
    title.textContent = isMulti ? "It fits these, each on its own" : "It fits best";
    headline.textContent = answer.labels[0];
    headline.dataset.empty = "false";
    /** @type {string[]} */
    const names = answer.labels;
    showRanks(names.map((label, index) => ({ key: label, text: label, share: answer.scores[index], value: formatShare(answer.scores[index]), isBest: index === 0 })));
    speak(`${names[0]}, ${formatShare(answer.scores[0])}`);
  },
});

function change() {
  const gap = findGap();
  find("#template-problem", HTMLElement).textContent = template.value.includes("{}") ? "" : gap;
  if (gap) {
    headline.textContent = gap;
    headline.dataset.empty = "true";
    showRanks([]);
  }
  live.askSoon();
}

const labels = new LabelChips(shell.settings.examples?.[0]?.candidate_labels ?? [], change);
field.addEventListener("input", () => {
  fitHeight(field);
  change();
});
template.addEventListener("input", change);
multi.addEventListener("change", change);
if (!FITS_ITSELF) new ResizeObserver(() => fitHeight(field)).observe(find(".writing", HTMLElement));
offerExamples(shell.settings.examples, (example) => {
  field.value = firstText(example);
  template.value = example.hypothesis_template ?? DEFAULT_TEMPLATE;
  multi.checked = example.multi_label ?? false;
  fitHeight(field);
  labels.write(example.candidate_labels ?? []);
  live.ask();
});
fitHeight(field);
change();
await live.start();
