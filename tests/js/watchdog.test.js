import assert from "node:assert/strict";
import { test } from "node:test";

import { Watchdog } from "../../site_templates/kit/watchdog.js";

/** A clock that a test turns by hand. */
function makeTimers() {
  /** @type {Set<() => void>} */
  const running = new Set();
  const timers = {
    set: (/** @type {() => void} */ action) => (running.add(action), action),
    clear: (/** @type {() => void} */ action) => void running.delete(action),
  };
  return {
    timers,
    running,
    tick: (/** @type {number} */ times) =>
      Array.from({ length: times }, () => [...running].forEach((action) => action())),
  };
}

/** @param {number} limitMs */
function makeWatchdog(limitMs) {
  const clock = makeTimers();
  /** @type {number[]} */
  const stalls = [];
  const watchdog = new Watchdog((quietMs) => stalls.push(quietMs), { tickMs: 1000, timers: clock.timers });
  watchdog.limitMs = limitMs;
  return { ...clock, watchdog, stalls };
}

test("stalls after the limit, once", () => {
  const { watchdog, stalls, tick, running } = makeWatchdog(5000);
  watchdog.start();
  tick(4);
  assert.deepEqual(stalls, []);
  tick(3);
  assert.deepEqual(stalls, [5000]);
  assert.equal(running.size, 0);
});

test("progress puts it off for ever, however long the work takes", () => {
  const { watchdog, stalls, tick } = makeWatchdog(5000);
  watchdog.start();
  for (let round = 0; round < 100; round++) {
    tick(4);
    watchdog.progress();
  }
  assert.deepEqual(stalls, []);
});

test("does not watch before the start or after the stop, and has one timer however often it is started", () => {
  const { watchdog, stalls, tick, running } = makeWatchdog(2000);
  tick(10);
  watchdog.start();
  watchdog.start();
  assert.equal(running.size, 1);
  watchdog.stop();
  tick(10);
  assert.deepEqual([stalls, running.size], [[], 0]);
});
