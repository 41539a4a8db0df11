/** One run at a time, and always the newest question next: what a page needs that asks faster than a model answers. */

/**
 * @param {() => Promise<void>} work reads the newest input itself
 * @returns {() => void} ask for a run; while one is going, any number of asks become one more run
 */
export function latestOnly(work) {
  let running = false;
  let asked = false;
  return async function ask() {
    asked = true;
    if (running) return;
    running = true;
    try {
      while (asked) {
        asked = false;
        await work();
      }
    } finally {
      running = false;
    }
  };
}
