/** The failure panel: what went wrong in plain words, what was tried, and what the visitor can do now. */

import { make } from "./dom.js";
import { nameBackend } from "./format.js";
import { addressOf, isForced, makeWayBack } from "./choices.js";

/**
 * @param {HTMLElement} panel
 * @param {object} what
 * @param {string} what.title
 * @param {import("./shell.js").Failure} what.failure
 * @param {() => void} what.retry
 * @param {import("./shell.js").Manifest | null} what.manifest null when it could not be read
 */
export function drawFailure(panel, { title, failure, retry, manifest }) {
  const again = make("button", { class: "button", type: "button" }, "Try again");
  again.addEventListener("click", retry);
  // A choice forced by the address may be what failed: then the way back comes first.
  const actions = make("p", { class: "failure-actions" }, ...(isForced() ? [makeWayBack("button"), again] : [again, ...otherWays(manifest)]));
  actions.firstElementChild?.classList.add("button-main");
  const attempts = failure.attempts ?? [];
  panel.hidden = false;
  panel.replaceChildren(
    make(
      "div",
      { class: "failure", role: "alert" },
      make("p", { class: "failure-title" }, title),
      make("p", { class: "failure-reason" }, failure.message),
      ...(attempts.length > 1 ? [listAttempts(attempts)] : []),
      actions,
      ...(failure.code ? [make("p", { class: "quiet number" }, failure.code)] : []),
    ),
  );
}

/**
 * Every (variant, backend) pair that was considered, with what came of it.
 *
 * @param {import("../types.js").Attempt[]} attempts
 * @returns {HTMLElement}
 */
export function listAttempts(attempts) {
  const entries = attempts.map(({ variant, backend, ok, reason }) =>
    make(
      "li",
      { "data-ok": String(ok) },
      make("span", { class: "attempt-pair number" }, `${nameBackend(backend)} ${variant}`),
      make("span", { class: "attempt-reason" }, reason || (ok ? "Chosen: it started and passed its self-test." : "Not tried.")),
    ),
  );
  return make("ul", { class: "attempts" }, ...entries);
}

/**
 * @param {import("./shell.js").Manifest | null} manifest
 * @returns {HTMLElement[]}
 */
function otherWays(manifest) {
  const runsOnCpu = manifest?.variants.some((variant) => variant.backends.includes("wasm"));
  return runsOnCpu ? [make("a", { class: "button", href: addressOf({ backend: "wasm" }) }, "Use the processor (wasm)")] : [];
}
