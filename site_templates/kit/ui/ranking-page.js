/** The pages that put a list in order: one text above, a list of others, and the ranking, which follows every edit. */

import { find } from "./dom.js";
import { offerExamples } from "./examples.js";
import { FITS_ITSELF, fitHeight } from "./fit-height.js";
import { answerLive } from "./live-answer.js";
import { drawRanks } from "./ranks.js";
import { SentenceList } from "./sentence-list.js";
import { openShell } from "./shell.js";
import { speakLater } from "./speak.js";

/** @typedef {import("./sentence-list.js").Sentence} Sentence */
/** @typedef {Sentence & {score: number | null}} Scored */

/**
 * @typedef {object} Task
 * @property {string} noun what the list is of
 * @property {string} emptySubject what is said while there is nothing to rank by
 * @property {(subject: string, texts: string[]) => Record<string, any>} makeInput for the model
 * @property {(input: any) => {subject: string, texts: string[]}} readExample the other way round
 * @property {(answer: import("../types.js").Answer) => number[]} readScores one a text, in the order of the texts
 * @property {(scores: (number | null)[]) => number[]} makeShares lengths of the bars, 0 to 1
 * @property {(score: number | null) => string} format
 */

/**
 * @param {Task} task
 * @returns {Promise<void>} once the model is there, or has failed
 */
export async function openRankingPage(task) {
  const shell = openShell();
  const subject = find("#subject", HTMLTextAreaElement);
  const draw = drawRanking(task);
  /** @type {Map<string, number>} by the row's id: an edited row keeps its place until its new score is here */
  const scores = new Map();
  /** @type {Sentence[]} */
  let asked = [];
  const readSubject = () => subject.value.trim();
  const redraw = () => draw(readSubject(), readScored(list.read(), scores));

  const live = answerLive(shell, {
    read() {
      asked = list.read();
      return readSubject() && asked.length > 0 ? task.makeInput(readSubject(), asked.map(({ text }) => text)) : null;
    },
    show(answer) {
      scores.clear();
      task.readScores(answer).forEach((score, index) => scores.set(asked[index].id, score));
      redraw();
    },
  });
  const onChange = () => {
    redraw();
    live.askSoon();
  };
  const start = task.readExample(shell.settings.examples?.[0] ?? {});
  const list = new SentenceList(start.texts, { noun: task.noun, selects: false, onChange });
  watchSubject(subject, onChange);
  offerExamples(shell.settings.examples, (example) => {
    const { subject: text, texts } = task.readExample(example);
    subject.value = text;
    fitHeight(subject);
    scores.clear();
    list.write(texts);
    live.ask();
  });
  redraw();
  await live.start();
}

/**
 * @param {HTMLTextAreaElement} subject
 * @param {() => void} onChange
 */
function watchSubject(subject, onChange) {
  subject.addEventListener("input", () => {
    fitHeight(subject);
    onChange();
  });
  // It is one text: Enter has nothing to add, and on a phone it puts the keyboard away.
  subject.addEventListener("keydown", (event) => {
    if (event.key !== "Enter" || event.shiftKey || event.isComposing) return;
    event.preventDefault();
    if (matchMedia("(pointer: coarse)").matches) subject.blur();
  });
  if (!FITS_ITSELF) new ResizeObserver(() => fitHeight(subject)).observe(subject.parentElement ?? subject);
  fitHeight(subject);
}

/**
 * @param {Sentence[]} sentences
 * @param {Map<string, number>} scores by id
 * @returns {Scored[]} best first; those without a score last, as they were written
 */
function readScored(sentences, scores) {
  const scored = sentences.map((each) => ({ ...each, score: scores.get(each.id) ?? null }));
  return scored.sort((a, b) => (b.score ?? -Infinity) - (a.score ?? -Infinity) || a.number - b.number);
}

/**
 * @param {Task} task
 * @returns {(subject: string, scored: Scored[]) => void}
 */
function drawRanking(task) {
  const headline = find("#headline", HTMLElement);
  const show = drawRanks(find("#ranks", HTMLOListElement));
  const speak = speakLater(find("#spoken", HTMLElement));
  return (subject, scored) => {
    headline.textContent = subject || task.emptySubject;
    headline.dataset.empty = String(!subject);
    const known = subject ? scored : [];
    const shares = task.makeShares(known.map(({ score }) => score));
    const ranks = known.map(({ id, number, text, score }, index) => {
      const isBest = index === 0 && score !== null;
      return { key: id, badge: String(number), text, share: shares[index], value: task.format(score), isBest };
    });
    show(ranks, subject ? `Write a ${task.noun} to rank.` : "");
    const [best] = known;
    if (best && best.score !== null) speak(`First: ${task.noun} ${best.number}, ${task.format(best.score)}`);
  };
}
