/** Small buttons with a drawn sign and a name that is spoken and shown on hover. */

import { make } from "./kit/ui/dom.js";

const SHAPES = {
  copy: "M9 8.5h9.5a1 1 0 0 1 1 1V19a1 1 0 0 1-1 1H9a1 1 0 0 1-1-1V9.5a1 1 0 0 1 1-1ZM15.5 8.5V5a1 1 0 0 0-1-1H5.5a1 1 0 0 0-1 1v9a1 1 0 0 0 1 1H8",
  done: "m5 12.5 4.5 4.5L19 7.5",
  edit: "M4.5 19.5h3.8L19 8.8a1.9 1.9 0 0 0 0-2.7l-1.1-1.1a1.9 1.9 0 0 0-2.7 0L4.5 15.7Z",
  again: "M19.5 12a7.5 7.5 0 1 1-2.3-5.4M19.5 4v4h-4",
  failed: "M6 6l12 12M18 6 6 18",
  remove: "M4.5 7h15M9.5 7V5a1 1 0 0 1 1-1h3a1 1 0 0 1 1 1v2M6.5 7l.8 12a1 1 0 0 0 1 1h7.4a1 1 0 0 0 1-1l.8-12M10.3 10.5v6M13.7 10.5v6",
};

/**
 * @param {keyof typeof SHAPES} shape
 * @returns {SVGSVGElement}
 */
export function makeIcon(shape) {
  const icon = document.createElementNS("http://www.w3.org/2000/svg", "svg");
  icon.setAttribute("viewBox", "0 0 24 24");
  icon.setAttribute("aria-hidden", "true");
  const path = document.createElementNS("http://www.w3.org/2000/svg", "path");
  path.setAttribute("d", SHAPES[shape]);
  icon.append(path);
  return icon;
}

/**
 * @param {keyof typeof SHAPES} shape
 * @param {string} name
 * @param {() => void} press
 * @param {string} [className]
 * @returns {HTMLButtonElement}
 */
export function makeIconButton(shape, name, press, className = "") {
  const attributes = { type: "button", class: `button button-quiet icon-only ${className}`, "aria-label": name, title: name };
  const button = make("button", attributes, makeIcon(shape));
  button.addEventListener("click", press);
  return button;
}
