/** Spans that stand in a text which is being typed on. */

/** @typedef {{entity_group: string, score: number, word: string, start: number, end: number}} Entity offsets are JavaScript's */

/**
 * Where the entities of the text before are in the text after: those behind the edit move with their words, those
 * that it touches are gone until the model has read the new text.
 *
 * @template {{start: number, end: number}} T
 * @param {T[]} spans
 * @param {string} before
 * @param {string} after
 * @returns {T[]}
 */
export function moveSpans(spans, before, after) {
  if (before === after) return spans;
  const most = Math.min(before.length, after.length);
  let head = 0;
  while (head < most && before[head] === after[head]) head += 1;
  let tail = 0;
  while (tail < most - head && before[before.length - 1 - tail] === after[after.length - 1 - tail]) tail += 1;
  const shift = after.length - before.length;
  return spans.flatMap((span) => {
    if (span.end <= head) return [span];
    if (span.start >= before.length - tail) return [{ ...span, start: span.start + shift, end: span.end + shift }];
    return [];
  });
}

/**
 * @param {string[]} labels a model's own, such as "B-PER", "I-PER", "O"
 * @returns {string[]} the groups that they make
 */
export function listGroups(labels) {
  return [...new Set(labels.filter((label) => label !== "O").map((label) => label.replace(/^[BI]-/, "")))];
}

/**
 * @param {Entity[]} entities
 * @returns {[group: string, entities: Entity[]][]} groups in the order in which the text has them
 */
export function groupEntities(entities) {
  /** @type {Map<string, Entity[]>} */
  const groups = new Map();
  for (const entity of entities) groups.set(entity.entity_group, [...(groups.get(entity.entity_group) ?? []), entity]);
  return [...groups];
}
