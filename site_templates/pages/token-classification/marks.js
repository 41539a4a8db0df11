/** The entities as coloured marks under the text, and what one of them is, for whoever points at it. */

import { find } from "./kit/ui/dom.js";
import { formatShare } from "./kit/ui/format.js";
import { drawMarks } from "./kit/ui/marked-field.js";

/** @typedef {import("./spans.js").Entity} Entity */

/**
 * @param {HTMLTextAreaElement} field
 * @param {(group: string) => number} hueOf
 * @returns {{draw: (text: string, entities: Entity[]) => void, point: (start: number | null) => void}} `point` sets
 *   off the entity that starts there
 */
export function markEntities(field, hueOf) {
  const under = find("#under", HTMLElement);
  const tip = find("#tip", HTMLElement);
  const frame = find("#marked", HTMLElement);
  /** @type {Map<Element, Entity>} */
  const marks = new Map();

  /** @param {Element | undefined} mark */
  const showTip = (mark) => {
    const entity = mark && marks.get(mark);
    tip.hidden = !entity;
    if (!mark || !entity) return;
    tip.textContent = `${entity.entity_group} ${formatShare(entity.score)}`;
    const [box] = mark.getClientRects();
    const outer = frame.getBoundingClientRect();
    const left = Math.min(box.left - outer.left, outer.width - tip.offsetWidth - 8);
    tip.style.translate = `${Math.max(0, left)}px ${box.bottom - outer.top + frame.scrollTop + 4}px`;
  };
  // The field lies over the marks and takes the pointer, so they are looked for by place.
  field.addEventListener("pointermove", ({ clientX, clientY }) => showTip(findMark(marks, clientX, clientY)));
  field.addEventListener("pointerleave", () => showTip(undefined));
  // By keyboard, the caret points.
  field.addEventListener("keyup", () => {
    const place = field.selectionStart;
    showTip([...marks].find(([, { start, end }]) => start <= place && place <= end)?.[0]);
  });
  field.addEventListener("blur", () => showTip(undefined));

  return {
    draw(text, entities) {
      marks.clear();
      tip.hidden = true;
      drawMarks(under, text, entities, (mark, entity) => {
        mark.dataset.hue = String(hueOf(entity.entity_group));
        mark.dataset.group = entity.entity_group;
        marks.set(mark, entity);
      });
    },
    point(start) {
      for (const [mark, entity] of marks) mark.classList.toggle("is-pointed", entity.start === start);
    },
  };
}

/**
 * @param {Map<Element, Entity>} marks
 * @param {number} x
 * @param {number} y
 * @returns {Element | undefined}
 */
function findMark(marks, x, y) {
  const holds = (/** @type {DOMRect} */ { left, right, top, bottom }) => left <= x && x <= right && top <= y && y <= bottom;
  return [...marks.keys()].find((mark) => [...mark.getClientRects()].some(holds));
}
