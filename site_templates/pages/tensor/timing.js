/** How long runs took: the first, the median, the best, and a small chart of all of them. */

import { find, makeFacts } from "./kit/ui/dom.js";
import { formatTime } from "./kit/ui/format.js";

const CHART_WIDTH = 220;
const CHART_HEIGHT = 44;
const GAP = 3;

/**
 * @param {number[]} timesMs of one or more runs, in order; empty shows the places that numbers will take
 */
export function drawTiming(timesMs) {
  const sorted = [...timesMs].sort((a, b) => a - b);
  const median = sorted.length % 2 ? sorted[(sorted.length - 1) / 2] : (sorted[sorted.length / 2 - 1] + sorted[sorted.length / 2]) / 2;
  /** @param {number} timeMs */
  const show = (timeMs) => (timesMs.length > 0 ? formatTime(timeMs) : "–");
  const facts = makeFacts("statistics", [["first", show(timesMs[0])], ["median", show(median)], ["min", show(sorted[0])]]);
  find("#timing", HTMLElement).replaceChildren(facts, drawChart(timesMs));
}

/**
 * @param {number[]} timesMs
 * @returns {SVGSVGElement} a bar for each run; ten places, so that nothing moves when runs come in
 */
function drawChart(timesMs) {
  const chart = makeShape("svg", { viewBox: `0 0 ${CHART_WIDTH} ${CHART_HEIGHT}`, class: "chart", "aria-hidden": "true" });
  const places = Math.max(10, timesMs.length);
  const step = CHART_WIDTH / places;
  const longest = Math.max(...timesMs, Number.MIN_VALUE);
  for (let run = 0; run < places; run += 1) {
    const height = run < timesMs.length ? Math.max(2, (timesMs[run] / longest) * CHART_HEIGHT) : 2;
    const kind = run < timesMs.length ? "chart-bar" : "chart-place";
    chart.append(makeShape("rect", { class: kind, x: run * step, y: CHART_HEIGHT - height, width: step - GAP, height, rx: 1 }));
  }
  return chart;
}

/**
 * @template {"svg" | "rect"} K
 * @param {K} tag
 * @param {Record<string, string | number>} attributes
 * @returns {SVGElementTagNameMap[K]}
 */
function makeShape(tag, attributes) {
  const made = document.createElementNS("http://www.w3.org/2000/svg", tag);
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, String(value));
  return made;
}
