/** Notices when nothing has moved for too long. It watches progress, never the wall clock. */

/** @typedef {{set: (action: () => void, ms: number) => any, clear: (timer: any) => void}} Timers */

/** @type {Timers} */
const browserTimers = { set: (action, ms) => setInterval(action, ms), clear: (timer) => clearInterval(timer) };

/**
 * How long nothing may move, in milliseconds. A download shows every byte. A GPU shows each batch it finishes, but a
 * software adapter can spend minutes on one. Plain wasm works in silence: there only the hopeless case is caught. A
 * chat template is a program from elsewhere, which may never end; turning the conversation into tokens is quick.
 */
export const quietLimitsMs = Object.freeze({
  probe: 30_000,
  download: 60_000,
  prompt: 10_000,
  webgpu: 120_000,
  software: 600_000,
  wasm: 900_000,
});

/** Calls `onStalled` once when `limitMs` passed without `progress()`. */
export class Watchdog {
  /**
   * @param {(quietMs: number) => void} onStalled
   * @param {{tickMs?: number, timers?: Timers}} [options]
   */
  constructor(onStalled, { tickMs = 1000, timers = browserTimers } = {}) {
    this.onStalled = onStalled;
    this.tickMs = tickMs;
    this.timers = timers;
    this.limitMs = Infinity;
    this.quietMs = 0;
    /** @type {any} */
    this.timer = null;
  }

  /** Begin to watch, or go on watching. */
  start() {
    this.quietMs = 0;
    this.timer ??= this.timers.set(() => this.tick(), this.tickMs);
  }

  /** Stop watching until the next start. */
  stop() {
    this.timers.clear(this.timer);
    this.timer = null;
  }

  /** Something moved. */
  progress() {
    this.quietMs = 0;
  }

  /** Counts ticks instead of reading the clock: a laptop that slept for an hour has not had a dead worker for an hour. */
  tick() {
    this.quietMs += this.tickMs;
    if (this.quietMs < this.limitMs) return;
    this.stop();
    this.onStalled(this.quietMs);
  }
}
