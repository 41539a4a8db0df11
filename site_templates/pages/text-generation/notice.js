/** A short line over the chat that says what just happened, and may offer to undo it. */

import { find, make } from "./kit/ui/dom.js";

const SHOW_MS = 9_000;

/** @returns {(words: string, action?: [label: string, press: () => void]) => void} "" hides it */
export function makeNotice() {
  const line = find("#notice", HTMLElement);
  const home = find(".log-frame", HTMLElement);
  // A drawer covers the chat, and would make the line's button useless.
  for (const drawer of document.querySelectorAll("dialog")) drawer.addEventListener("close", () => home.append(line));
  let timer = 0;
  const hide = () => {
    // Whoever points at it or has the focus in it is still reading.
    if (line.matches(":hover, :focus-within")) timer = window.setTimeout(hide, SHOW_MS);
    else line.replaceChildren();
  };
  return (words, action) => {
    clearTimeout(timer);
    (document.querySelector("dialog[open]") ?? home).append(line);
    line.replaceChildren(...(words ? [make("span", {}, words)] : []));
    if (action) {
      const [label, press] = action;
      const button = make("button", { type: "button", class: "button button-quiet" }, label);
      button.addEventListener("click", () => {
        line.replaceChildren();
        press();
      });
      line.append(button);
    }
    if (words) timer = window.setTimeout(hide, SHOW_MS);
  };
}
