/**
 * Cutting a text at matches: what becomes of a match is its behavior, by the names of tokenizer.json.
 *
 * @typedef {{start: number, end: number, matched: boolean}} Range  in UTF-16 units
 * @typedef {"Isolated" | "Removed" | "Contiguous" | "MergedWithPrevious" | "MergedWithNext"} Behavior
 */

/**
 * @param {string} text
 * @param {RegExp} pattern  with the flag g
 * @returns {Range[]} matches and what is between them: they cover the text
 */
export function findRanges(text, pattern) {
  /** @type {Range[]} */
  const ranges = [];
  let done = -1;
  for (const { 0: match, index: start } of text.matchAll(pattern)) {
    // Right behind a match there is no empty one.
    if (!match && start === done) continue;
    if (Math.max(done, 0) < start) ranges.push({ start: Math.max(done, 0), end: start, matched: false });
    done = start + match.length;
    ranges.push({ start, end: done, matched: true });
  }
  if (done < text.length) ranges.push({ start: Math.max(done, 0), end: text.length, matched: false });
  return ranges;
}

/**
 * @param {Range[]} ranges
 * @param {Behavior} behavior
 * @returns {Range[]} what is left, without empty ones
 */
export function cutRanges(ranges, behavior) {
  const kept = behavior === "Removed" ? ranges.filter(({ matched }) => !matched) : mergers[behavior](ranges);
  return kept.filter(({ start, end }) => end > start);
}

/** @type {Record<Exclude<Behavior, "Removed">, (ranges: Range[]) => Range[]>} */
const mergers = {
  Isolated: (ranges) => ranges,
  Contiguous: (ranges) => merge(ranges, (range, before) => range.matched === before),
  MergedWithPrevious: (ranges) => merge(ranges, (range, before) => range.matched && !before),
  MergedWithNext: (ranges) => merge([...ranges].reverse(), (range, before) => range.matched && !before).reverse(),
};

/**
 * @param {Range[]} ranges
 * @param {(range: Range, before: boolean) => boolean} joins  whether a range goes to the one before it, which matched or not
 * @returns {Range[]}
 */
function merge(ranges, joins) {
  /** @type {Range[]} */
  const merged = [];
  let before = false;
  for (const range of ranges) {
    const last = merged.at(-1);
    if (last && joins(range, before)) {
      last.start = Math.min(last.start, range.start);
      last.end = Math.max(last.end, range.end);
    } else merged.push({ ...range });
    before = range.matched;
  }
  return merged;
}
