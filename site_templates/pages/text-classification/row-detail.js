/** The row of a table that is looked at: its whole text, which the table cuts off, and a way to all of its labels. */

import { find } from "./kit/ui/dom.js";
import { formatShare, groupDigits } from "./kit/ui/format.js";

/** Longer texts are cut: the file has them whole. */
const MOST_CHARACTERS = 5_000;

/**
 * @param {(text: string) => void} showLabels
 * @returns {(row: {text: string, label: import("./batch.js").Label | null, index: number} | null) => void} null for none
 */
export function drawRowDetail(showLabels) {
  const part = find("#batch-row", HTMLElement);
  const name = find("#batch-row-name", HTMLElement);
  const words = find("#batch-row-text", HTMLElement);
  const button = find("#batch-row-try", HTMLButtonElement);
  let shown = "";
  button.addEventListener("click", () => showLabels(shown));

  return (row) => {
    part.hidden = row === null;
    if (!row) return;
    const { text, label, index } = row;
    const said = `Row ${groupDigits(index + 1)}: ${label ? `${label.label}, ${formatShare(label.score)}` : "no label yet"}`;
    // Said aloud when it changes, and only then.
    if (name.textContent !== said) name.textContent = said;
    if (shown !== text || words.textContent === "") words.textContent = text.slice(0, MOST_CHARACTERS);
    shown = text;
    button.disabled = text.trim() === "";
  };
}
