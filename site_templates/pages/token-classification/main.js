/** Token classification: names and other things marked in the text, as it is typed. */

import { find } from "./kit/ui/dom.js";
import { firstText, offerExamples } from "./kit/ui/examples.js";
import { answerLive } from "./kit/ui/live-answer.js";
import { openShell } from "./kit/ui/shell.js";
import { drawEntities } from "./entities.js";
import { markEntities } from "./marks.js";
import { listGroups, moveSpans } from "./spans.js";

/** @typedef {import("./spans.js").Entity} Entity */

const HUES = 8;

const shell = openShell();
const field = find("#text", HTMLTextAreaElement);
const groups = listGroups(shell.settings.labels ?? []);
/** What the entities were found in; the field may be ahead of it. */
let text = field.value;
/** @type {Entity[]} */
let entities = [];

/** @param {string} group @returns {number} of its colour: every group of the model its own, while there are enough */
function hueOf(group) {
  if (!groups.includes(group)) groups.push(group);
  return groups.indexOf(group) % HUES;
}

const marks = markEntities(field, hueOf);
const list = drawEntities(hueOf, marks.point);

const live = answerLive(shell, {
  read: () => (field.value.trim() ? { text: [field.value] } : null),
  show(answer, { text: [asked] }) {
    text = field.value;
    entities = moveSpans(answer.entities[0], asked, text);
    marks.draw(text, entities);
    list.show(text, entities);
  },
});

function follow() {
  entities = moveSpans(entities, text, field.value);
  text = field.value;
  marks.draw(text, entities);
  if (!text.trim()) list.clear();
}
field.addEventListener("input", () => {
  follow();
  live.askSoon();
});
offerExamples(shell.settings.examples, (example) => {
  field.value = firstText(example);
  follow();
  live.ask();
});
follow();
await live.start();
