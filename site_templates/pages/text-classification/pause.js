/** Long work in short pieces: typing and scrolling come in between. */

const LONGEST_TASK_MS = 8;

/** @returns {() => Promise<void>} lets the page breathe, where the work since the last breath was long */
export function pauseWhenLong() {
  let since = performance.now();
  return async () => {
    if (performance.now() - since < LONGEST_TASK_MS) return;
    await new Promise((resolve) => setTimeout(resolve));
    since = performance.now();
  };
}
