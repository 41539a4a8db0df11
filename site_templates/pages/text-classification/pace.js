/** How fast a batch goes, in words. */

import { formatCount, formatRemaining, formatTime, groupDigits } from "./kit/ui/format.js";

/**
 * @param {import("./batch.js").Batch} batch about to run
 * @returns {{describe: () => string, conclude: () => string}}
 */
export function measurePace(batch) {
  const startMs = performance.now();
  const doneBefore = batch.done;
  const all = batch.done + batch.left;
  return {
    describe() {
      const perSecond = (1000 * (batch.done - doneBefore)) / (performance.now() - startMs);
      const pace = `${perSecond < 10 ? perSecond.toFixed(1) : Math.round(perSecond)} rows a second`;
      return [`${groupDigits(batch.done)} of ${formatCount(all, "row")}`, pace, formatRemaining(batch.left / perSecond)].join(" · ");
    },
    conclude() {
      if (batch.left > 0) return `Stopped after ${groupDigits(batch.done)} of ${formatCount(all, "row")}.`;
      return `${formatCount(batch.done - doneBefore, "row")} in ${formatTime(performance.now() - startMs)}.`;
    },
  };
}
