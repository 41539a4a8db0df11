/** The page that is drawn on: pad, undo and clear, samples that write themselves, an answer for every change. */

import { find, prefersStillness } from "./kit/ui/dom.js";
import { Pad } from "./pad.js";
import { animate, prepareSheet } from "./reveal.js";
import { offerSamples } from "./samples.js";

/**
 * @param {{path: string, label: string}[]} samples
 * @param {() => void} onChange
 * @returns {import("./main.js").ImageSource}
 */
export function openPad(samples, onChange) {
  const canvas = find("#pad", HTMLCanvasElement);
  const hint = find("#pad-hint", HTMLElement);
  const undo = find("#undo", HTMLButtonElement);
  const clear = find("#clear", HTMLButtonElement);
  const pad = new Pad(canvas, () => {
    hint.hidden = !pad.isEmpty;
    undo.disabled = !pad.canUndo;
    clear.disabled = pad.isEmpty;
    canvas.setAttribute("aria-label", pad.isEmpty ? "Drawing pad, empty" : "Drawing pad, with your drawing");
    onChange();
  });
  undo.addEventListener("click", () => pad.undo());
  clear.addEventListener("click", () => pad.clear());
  document.addEventListener("keydown", (event) => pressKey(event, pad));
  offerSamples(samples, (image) => {
    const sheet = prepareSheet(image);
    const isStill = prefersStillness();
    // Shown whole before it is placed: an empty sheet would be asked about too, and its answer shown for a moment.
    if (isStill) sheet.show(1);
    pad.place(sheet.canvas);
    if (isStill) return;
    animate((share) => {
      if (!pad.holds(sheet.canvas)) return false;
      sheet.show(share);
      pad.refresh();
      return true;
    });
  });
  return { isEmpty: () => pad.isEmpty, isLive: () => false, read: () => pad.readImage() };
}

/**
 * @param {KeyboardEvent} event
 * @param {Pad} pad
 */
function pressKey(event, pad) {
  if (event.key === "Escape" || event.key === "Delete" || event.key === "Backspace") {
    pad.clear();
  } else if (event.key.toLowerCase() === "z" && (event.ctrlKey || event.metaKey) && !event.shiftKey) {
    if (pad.canUndo) pad.undo();
  } else {
    return;
  }
  event.preventDefault();
}
