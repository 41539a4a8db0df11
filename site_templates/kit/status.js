/**
 * What the kit is doing, as attributes of <html>, for the page's style sheet, for people and for tests.
 *
 * @typedef {"loading" | "ready" | "running" | "done" | "failed"} Status
 */

/**
 * @param {Status} status
 * @param {{backend?: string, variant?: string, reason?: string}} [details]  what is left out stays as it is
 */
export function showStatus(status, details = {}) {
  const root = globalThis.document?.documentElement;
  if (!root) return;
  for (const [name, value] of Object.entries(details)) root.setAttribute(`data-kit-${name}`, value);
  root.setAttribute("data-kit-status", status);
}
