/**
 * Documents as passages: whole sentences, as many as the model reads well at once, each passage beginning with the end
 * of the one before. `webgpu_kit/passages.py` does the same, so that an index built ahead has the same passages; that
 * is why the rule is our own and not the browser's, which changes with its version.
 *
 * @typedef {{start: number, end: number}} Span  places in the document's text, in UTF-16 units
 * @typedef {Span & {tokens: number, isHeading: boolean}} Unit  a sentence
 */

/** Tokens in a passage, and how many of them at most come from the one before. */
export const passageTokens = 120;
export const overlapTokens = 30;

/**
 * Where a sentence ends: at its mark, before a blank line, before a line that is a quote or an item of a list; and a
 * heading is a line of its own. Only ASCII letters count as small ones, and spaces are named one by one: so the
 * regular expressions of both languages agree.
 */
const sentenceEnd =
  /(?<![^\n])[ \t]*#{1,6}[ \t][^\n]*(?:\n|$)|[.!?…]+["'”’»)\]]*(?=[ \t\n\u00a0])(?![ \t]+[a-z])|[。！？｡]+[」』”’）】]*|\n(?=[ \t]*\n)|\n(?=[ \t]*(?:#{1,6}|>|[*+-]|[0-9]{1,3}[.)])[ \t])/g;
const blank = /^[ \t\r\n\u00a0\u2028\u2029\u3000\ufeff]*$/;
const heading = /^#{1,6}[ \t]/;
const space = /[ \t\r\n\u00a0\u3000]/;

/** So many sentences at a time that the page they are split on stays awake: a long PDF has tens of thousands. */
const sentencesAtOnce = 256;

/**
 * @param {string} text
 * @returns {Span[]} its sentences without the space around them
 */
export function findSentences(text) {
  return [...walkSentences(text)];
}

/**
 * @param {string} text
 * @returns {Generator<Span, void, void>}
 */
function* walkSentences(text) {
  let start = 0;
  for (const match of text.matchAll(sentenceEnd)) {
    const end = match.index + match[0].length;
    yield* trimSpan(text, start, end);
    start = end;
  }
  yield* trimSpan(text, start, text.length);
}

/**
 * @param {string} text
 * @param {(texts: string[]) => Promise<ArrayLike<number>>} countTokens
 * @param {{budget?: number, overlap?: number, signal?: AbortSignal}} [options]  budget and overlap in tokens
 * @returns {Promise<Span[]>} the passages, in their order
 */
export async function splitText(text, countTokens, { budget = passageTokens, overlap = overlapTokens, signal } = {}) {
  /** @type {Unit[]} */
  const units = [];
  /** @type {Span[]} */
  let some = [];
  for (const span of walkSentences(text)) {
    some.push(span);
    if (some.length < sentencesAtOnce) continue;
    units.push(...(await measure(text, some, countTokens, budget)));
    signal?.throwIfAborted();
    some = [];
  }
  units.push(...(await measure(text, some, countTokens, budget)));
  return packUnits(units, budget, overlap);
}

/**
 * Sentences with their tokens; those over the budget in halves, and these in halves again.
 * @param {string} text
 * @param {Span[]} spans
 * @param {(texts: string[]) => Promise<ArrayLike<number>>} countTokens
 * @param {number} budget
 * @returns {Promise<Unit[]>}
 */
async function measure(text, spans, countTokens, budget) {
  if (!spans.length) return [];
  const counts = await countTokens(spans.map(({ start, end }) => text.slice(start, end)));
  /** @type {Unit[]} */
  const units = [];
  for (const [index, span] of spans.entries()) {
    const { start, end } = span;
    const isHeading = heading.test(text.slice(start, end));
    if (counts[index] <= budget || end - start < 2) units.push({ ...span, tokens: counts[index], isHeading });
    else units.push(...(await measure(text, halve(text, span), countTokens, budget)));
  }
  return units;
}

/**
 * @param {string} text
 * @param {Span} span
 * @returns {Span[]} cut at the space nearest to its middle, or in the middle where there is none near
 */
function halve(text, { start, end }) {
  const middle = (start + end) >> 1;
  let cut = middle;
  for (let away = 0; away < (end - start) >> 2; away++) {
    const place = [middle - away, middle + away].find((each) => space.test(text[each]));
    if (place === undefined) continue;
    cut = place;
    break;
  }
  const splitsPair = text.charCodeAt(cut) >= 0xdc00 && text.charCodeAt(cut) <= 0xdfff;
  if (splitsPair && cut - 1 > start) cut--;
  return [...trimSpan(text, start, cut), ...trimSpan(text, cut, end)];
}

/**
 * @param {readonly Unit[]} units
 * @param {number} budget
 * @param {number} overlap
 * @returns {Span[]}
 */
function packUnits(units, budget, overlap) {
  /** @type {Span[]} */
  const passages = [];
  for (let first = 0; first < units.length; ) {
    let last = first;
    let tokens = units[first].tokens;
    while (last + 1 < units.length && tokens + units[last + 1].tokens <= budget) {
      if (units[last + 1].isHeading && !units[last].isHeading) break;
      tokens += units[++last].tokens;
    }
    passages.push({ start: units[first].start, end: units[last].end });
    first = last + 1 < units.length ? backUp(units, first, last, overlap, budget) : units.length;
  }
  return passages;
}

/**
 * Where the next passage begins: with the last sentences of the one before, as far as the overlap allows.
 * @param {readonly Unit[]} units
 * @param {number} first
 * @param {number} last
 * @param {number} overlap
 * @param {number} budget
 * @returns {number}
 */
function backUp(units, first, last, overlap, budget) {
  if (units[last + 1].isHeading) return last + 1;
  let next = last + 1;
  let tokens = 0;
  while (next - 1 > first && tokens + units[next - 1].tokens <= overlap && !units[next - 1].isHeading) {
    tokens += units[--next].tokens;
  }
  // The next sentence itself must fit as well: a passage that repeats only what was there says nothing new.
  return tokens + units[last + 1].tokens <= budget ? next : last + 1;
}

/**
 * @param {string} text
 * @param {number} start
 * @param {number} end
 * @returns {Span[]} one without the space around it, none where there is nothing else
 */
function trimSpan(text, start, end) {
  while (start < end && blank.test(text[start])) start++;
  while (end > start && blank.test(text[end - 1])) end--;
  return end > start ? [{ start, end }] : [];
}
