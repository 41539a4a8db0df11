/** Copying text, and saying on the button whether it worked. */

import { makeIcon } from "./icons.js";

const SHOW_MS = 1600;

/**
 * @param {HTMLButtonElement} button
 * @param {string} text
 */
export async function copyText(button, text) {
  const before = [...button.childNodes];
  const isWordy = before.some((node) => node instanceof Text);
  let worked = true;
  try {
    await navigator.clipboard.writeText(text);
  } catch {
    // Not every browser lets a page write there, and none without TLS.
    worked = copyBySelection(text);
  }
  if (button.dataset.copied) return;
  button.dataset.copied = String(worked);
  const words = worked ? "Copied" : "Not copied";
  button.replaceChildren(isWordy ? words : makeIcon(worked ? "done" : "failed"));
  const name = button.getAttribute("aria-label");
  if (name) button.setAttribute("aria-label", words);
  setTimeout(() => {
    button.replaceChildren(...before);
    if (name) button.setAttribute("aria-label", name);
    delete button.dataset.copied;
  }, SHOW_MS);
}

/** @param {string} text @returns {boolean} */
function copyBySelection(text) {
  /** @param {ClipboardEvent} event */
  const give = (event) => {
    event.clipboardData?.setData("text/plain", text);
    event.preventDefault();
  };
  document.addEventListener("copy", give, { once: true });
  const worked = document.execCommand("copy");
  document.removeEventListener("copy", give);
  return worked;
}
