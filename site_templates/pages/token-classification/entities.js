/** The entities as a list, group by group: the legend of the colours, and every entity with its score. */

import { find, make } from "./kit/ui/dom.js";
import { formatCount, formatShare } from "./kit/ui/format.js";
import { speakLater } from "./kit/ui/speak.js";
import { groupEntities } from "./spans.js";

/** @typedef {import("./spans.js").Entity} Entity */

/** What the groups of the usual models mean; others are shown by the name that the model has for them. */
/** @type {Record<string, string>} */
const NAMES = { PER: "Person", PERSON: "Person", ORG: "Organization", LOC: "Place", GPE: "Place", MISC: "Miscellaneous", DATE: "Date" };

/**
 * @param {(group: string) => number} hueOf
 * @param {(start: number | null) => void} point called with the start of the entity that is pointed at
 * @returns {{show: (text: string, entities: Entity[]) => void, clear: () => void}}
 */
export function drawEntities(hueOf, point) {
  const headline = find("#headline", HTMLElement);
  const list = find("#groups", HTMLElement);
  const field = find("#text", HTMLTextAreaElement);
  const speak = speakLater(find("#spoken", HTMLElement));

  /** @param {string} text @param {Entity} entity */
  const makeChip = (text, { start, end, score }) => {
    const words = make("span", { class: "entity-words" }, text.slice(start, end));
    const chip = make("button", { type: "button", class: "entity" }, words, make("span", { class: "entity-score number" }, formatShare(score)));
    for (const event of ["pointerenter", "focus"]) chip.addEventListener(event, () => point(start));
    for (const event of ["pointerleave", "blur"]) chip.addEventListener(event, () => point(null));
    chip.addEventListener("click", () => {
      field.focus();
      field.setSelectionRange(start, end);
    });
    return make("li", {}, chip);
  };

  /** @param {string} words */
  const clear = (words) => {
    headline.textContent = words;
    headline.dataset.empty = "true";
    list.replaceChildren();
  };
  clear("Type a text first.");

  return {
    clear: () => clear("Type a text first."),
    show(text, entities) {
      if (entities.length === 0) return clear("Nothing to mark.");
      headline.textContent = formatCount(entities.length, "mark");
      headline.dataset.empty = "false";
      const parts = groupEntities(entities).map(([group, found]) => {
        const swatch = make("span", { class: "swatch", "data-hue": hueOf(group), "aria-hidden": "true" });
        const name = NAMES[group] ? [NAMES[group], make("span", { class: "group-code number" }, group)] : [group];
        const head = make("h3", { class: "group-name" }, swatch, ...name);
        return make("section", { class: "group" }, head, make("ul", { class: "entities" }, ...found.map((entity) => makeChip(text, entity))));
      });
      list.replaceChildren(...parts);
      speak(entities.map(({ entity_group, start, end }) => `${text.slice(start, end)}: ${NAMES[entity_group] ?? entity_group}`).slice(0, 12).join(", "));
    },
  };
}
