/**
 * In the worker: a session together with what its task adds to it.
 *
 * @typedef {import("./types.js").Answer} Answer
 * @typedef {import("./types.js").Golden} Golden
 */

import { countTokens, embedInputs } from "./embedding/embedder.js";
import { KitError } from "./errors.js";
import { decodeGolden } from "./golden.js";
import { runRows } from "./text/run-rows.js";

/** Task-shaped in, task-shaped out. */
export class LoadedModel {
  /**
   * @param {import("./session.js").Session} session
   * @param {import("./task.js").Task} task
   * @param {import("./task.js").TaskContext} context
   * @param {any} goldenJson
   * @param {import("./task.js").Speaker | null} speaker  of a task that drives the session itself
   */
  constructor(session, task, context, goldenJson, speaker = null) {
    this.session = session;
    this.task = task;
    this.context = context;
    this.goldenJson = goldenJson;
    this.speaker = speaker;
  }

  /**
   * @param {import("./session.js").Session} session
   * @param {import("./task.js").Task} task
   * @param {import("./task.js").TaskContext} context
   * @param {any} goldenJson
   * @returns {Promise<LoadedModel>}
   */
  static async open(session, task, context, goldenJson) {
    const speaker = "open" in task ? await task.open(session, context) : null;
    return new LoadedModel(session, task, context, goldenJson, speaker);
  }

  /**
   * @param {any} input
   * @param {() => void} [onAlive]  called between batches
   * @returns {Promise<Answer>} `timeMs` covers encoding, the graph and decoding
   */
  async run(input, onAlive = () => {}) {
    const startMs = performance.now();
    if ("open" in this.task) {
      const outputs = await this.#findSpeaker().run(input);
      return { outputs, timeMs: performance.now() - startMs };
    }
    if ("encodeRows" in this.task) {
      const rows = this.task.encodeRows(input, this.context);
      const outputs = await runRows(this.session, rows, this.context, onAlive);
      return { ...this.task.answer(outputs, this.context, input, rows), timeMs: performance.now() - startMs };
    }
    const outputs = await this.session.run(this.task.encode(input, this.context));
    const extra = this.task.decode(outputs, this.context);
    return { outputs, ...extra, timeMs: performance.now() - startMs };
  }

  /**
   * @param {import("./types.js").GenerationRequest} request
   * @param {import("./generation/generator.js").Listener} listener
   * @returns {Promise<import("./types.js").GenerationEnd>}
   */
  generate(request, listener) {
    return this.#findSpeaker().generate(request, listener);
  }

  /**
   * @param {import("./types.js").EmbedRequest} request
   * @param {import("./embedding/embedder.js").EmbedListener} listener
   * @returns {Promise<import("./types.js").EmbedAnswer>}
   */
  embed(request, listener) {
    return embedInputs(this.session, this.#embedderContext(), request, listener);
  }

  /**
   * @param {string[]} texts
   * @returns {Uint32Array}
   */
  count(texts) {
    return countTokens(this.#embedderContext(), texts);
  }

  /**
   * @param {import("./types.js").ChatMessage[]} messages
   * @returns {number} tokens of their prompt
   */
  countPrompt(messages) {
    return this.#findSpeaker().countPrompt(messages);
  }

  /** @returns {Golden} decoded anew each time, so that its buffers can be handed over */
  golden() {
    return decodeGolden(this.goldenJson);
  }

  /** @returns {import("./task.js").TaskContext} */
  #embedderContext() {
    if (this.context.manifest.task === "feature-extraction") return this.context;
    throw new KitError("unsupported", `A model for ${this.context.manifest.task} gives no embeddings.`);
  }

  /** @returns {import("./task.js").Speaker} */
  #findSpeaker() {
    if (this.speaker) return this.speaker;
    throw new KitError("unsupported", `A model for ${this.context.manifest.task} does not generate text.`);
  }
}
