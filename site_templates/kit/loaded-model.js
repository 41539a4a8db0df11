/**
 * In the worker: a session together with what its task adds to it.
 *
 * @typedef {import("./types.js").Answer} Answer
 * @typedef {import("./types.js").Golden} Golden
 */

import { decodeGolden } from "./golden.js";

/** Task-shaped in, task-shaped out. */
export class LoadedModel {
  /**
   * @param {import("./session.js").Session} session
   * @param {import("./task.js").Task} task
   * @param {import("./task.js").TaskContext} context
   * @param {any} goldenJson
   */
  constructor(session, task, context, goldenJson) {
    this.session = session;
    this.task = task;
    this.context = context;
    this.goldenJson = goldenJson;
  }

  /**
   * @param {any} input
   * @returns {Promise<Answer>} `timeMs` covers encoding, the graph and decoding
   */
  async run(input) {
    const startMs = performance.now();
    const outputs = await this.session.run(this.task.encode(input, this.context));
    const extra = this.task.decode(outputs, this.context);
    return { outputs, ...extra, timeMs: performance.now() - startMs };
  }

  /** @returns {Golden} decoded anew each time, so that its buffers can be handed over */
  golden() {
    return decodeGolden(this.goldenJson);
  }
}
