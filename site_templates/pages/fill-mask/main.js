/** Fill-mask: a sentence with gaps, and the words that fit them best. */

import { find } from "./kit/ui/dom.js";
import { firstText, offerExamples } from "./kit/ui/examples.js";
import { answerLive } from "./kit/ui/live-answer.js";
import { drawMarks } from "./kit/ui/marked-field.js";
import { openShell } from "./kit/ui/shell.js";
import { drawGaps } from "./gaps.js";
import { findMasks, fitWord, insertMask } from "./masks.js";

const TOP = 8;

const shell = openShell();
const mask = shell.settings.mask_token ?? "[MASK]";
const field = find("#text", HTMLTextAreaElement);
const under = find("#under", HTMLElement);
const back = find("#back", HTMLButtonElement);
/** @type {string[]} the texts before each word that was put in */
const history = [];

const gaps = drawGaps(mask, (place, token) => {
  const span = findMasks(field.value, mask)[place];
  if (!span) return;
  history.push(field.value);
  replace(span, fitWord(field.value, span, token));
  live.ask();
});

const live = answerLive(shell, {
  read: () => (findMasks(field.value, mask).length > 0 ? { text: [field.value], top_k: TOP } : null),
  show(answer, { text: [asked] }) {
    if (findMasks(field.value, mask).length > 0) gaps.show(asked, answer.fills[0]);
  },
});

function draw() {
  const masks = findMasks(field.value, mask);
  drawMarks(under, field.value, masks);
  back.disabled = history.length === 0;
  if (masks.length === 0) gaps.clear(field.value.trim() !== "", history.length > 0);
}

/**
 * Like typing: the browser's own undo takes it back, too.
 *
 * @param {{start: number, end: number}} span
 * @param {string} text
 */
function replace({ start, end }, text) {
  field.focus({ preventScroll: true });
  field.setSelectionRange(start, end);
  const isDone = text === "" ? document.execCommand("delete") : document.execCommand("insertText", false, text);
  if (!isDone) field.setRangeText(text, start, end, "end");
  draw();
}

/** @param {string} text */
function write(text) {
  field.value = text;
  draw();
  live.ask();
}

field.addEventListener("input", () => {
  draw();
  live.askSoon();
});
// A mask is one thing: Backspace and Delete take all of it.
field.addEventListener("keydown", ({ key }) => {
  const { selectionStart: start, selectionEnd: end } = field;
  if (start !== end || (key !== "Backspace" && key !== "Delete")) return;
  const touched = findMasks(field.value, mask).find((span) => (key === "Backspace" ? span.start < start && start <= span.end : span.start <= start && start < span.end));
  if (touched) field.setSelectionRange(touched.start, touched.end);
});
find("#insert", HTMLButtonElement).addEventListener("click", () => {
  const span = { start: field.selectionStart, end: field.selectionEnd };
  const { insert, caret } = insertMask(field.value, span, mask);
  replace(span, insert);
  field.setSelectionRange(caret, caret);
  live.ask();
});
back.addEventListener("click", () => {
  const before = history.pop();
  if (before !== undefined) write(before);
});
offerExamples(shell.settings.examples, (example) => {
  history.length = 0;
  write(firstText(example));
});
draw();
await live.start();
