/**
 * The walk down the candidates: each is tried in a fresh worker until one passes its self-test. Also where to go after
 * a lost device: once more to the same pair, then to the next.
 *
 * @typedef {import("./types.js").Pair} Pair
 * @typedef {import("./types.js").Attempt} Attempt
 * @typedef {import("./types.js").Started} Started
 * @typedef {Omit<import("./types.js").StartParams, "pair">} Sources  where everything comes from
 * @typedef {{client: WorkerClient, pair: Pair, started: Started}} Opened
 */

import { explainDefeat } from "./candidates.js";
import { WorkerClient } from "./client.js";
import { KitError, asSentence, describeError, isAbort } from "./errors.js";

/** So many failures in a row on one pair, and the walk goes on. */
const failuresPerPair = 2;

/** Remembers which pair is next, and what became of those before. */
export class Walk {
  /**
   * @param {Sources} sources
   * @param {import("./types.js").Device} device
   * @param {import("./candidates.js").Plan} plan
   * @param {(progress: import("./types.js").Progress) => void} onProgress
   */
  constructor(sources, device, plan, onProgress) {
    this.sources = sources;
    this.device = device;
    this.choice = plan.choice;
    this.pairs = plan.pairs;
    this.attempts = [...plan.passed];
    this.onProgress = onProgress;
    this.position = 0;
    this.failures = 0;
  }

  /**
   * Try the pairs from the current one on.
   * @param {{client?: WorkerClient, signal?: AbortSignal}} [options]  a client that has loaded nothing yet is used first
   * @returns {Promise<Opened>}
   */
  async open({ client, signal } = {}) {
    for (; this.position < this.pairs.length; this.position++, this.failures = 0) {
      const pair = this.pairs[this.position];
      const opened = await this.#tryPair(pair, client ?? new WorkerClient(this.onProgress), signal);
      if (opened) return opened;
      client = undefined;
    }
    client?.end(new KitError("no-candidate", "No pair is left."));
    const words = explainDefeat(this.attempts, this.sources.manifest, this.choice);
    throw new KitError("no-candidate", words, { attempts: this.attempts });
  }

  /** A pair that had been running is lost. */
  noteFailure() {
    if (++this.failures < failuresPerPair) return;
    this.position++;
    this.failures = 0;
  }

  /** A pair does what it should. */
  noteSuccess() {
    this.failures = 0;
  }

  /**
   * @param {Pair} pair
   * @param {WorkerClient} client
   * @param {AbortSignal} [signal]
   * @returns {Promise<Opened | null>} null when it failed; the reason is in `attempts`
   */
  async #tryPair(pair, client, signal) {
    const abort = () => client.end(signal?.reason);
    signal?.addEventListener("abort", abort, { once: true });
    try {
      signal?.throwIfAborted();
      client.expectWork(pair.backend, this.device);
      const started = await client.request("start", { ...this.sources, pair });
      this.attempts.push({ ...pair, ok: true, reason: "" });
      return { client, pair, started };
    } catch (error) {
      client.end(error);
      if (signal?.aborted || isAbort(error) || isFinal(error)) throw error;
      this.attempts.push({ ...pair, ok: false, reason: asSentence(describeError(error)) });
      return null;
    } finally {
      signal?.removeEventListener("abort", abort);
    }
  }
}

/**
 * @param {unknown} error
 * @returns {boolean} whether another pair could not do better
 */
function isFinal(error) {
  return error instanceof KitError && error.code === "disposed";
}
