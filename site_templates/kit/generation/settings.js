/**
 * `settings.generation` of the manifest, checked once, when the model is opened.
 *
 * @typedef {import("../types.js").GenerationSettings} GenerationSettings
 */

import { KitError } from "../errors.js";

const counts = /** @type {const} */ (["layers", "kv_heads", "head_size", "vocabulary", "context_length"]);

/**
 * @param {import("../types.js").Manifest} manifest
 * @returns {GenerationSettings}
 */
export function readGenerationSettings({ settings }) {
  /** @type {GenerationSettings} */
  const generation = settings.generation ?? {};
  const faults = [
    ...counts.filter((name) => !Number.isInteger(generation[name]) || generation[name] < 1),
    ...(typeof generation.chat_template === "string" ? [] : ["chat_template"]),
    ...(Array.isArray(generation.eos_token_ids) ? [] : ["eos_token_ids"]),
    ...(["float32", "float16"].includes(generation.cache_dtype) ? [] : ["cache_dtype"]),
  ];
  if (!faults.length) return generation;
  const values = faults.map((name) => `${name} is ${JSON.stringify(/** @type {any} */ (generation)[name])}`);
  throw new KitError("bad-manifest", `The manifest's settings.generation is not usable: ${values.join(", ")}.`);
}
