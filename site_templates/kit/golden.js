/**
 * The golden: recorded inputs with the original framework's answers, and the self-test that compares one of them.
 *
 * @typedef {import("./types.js").Golden} Golden
 * @typedef {import("./types.js").Manifest} Manifest
 * @typedef {import("./types.js").Parity} Parity
 * @typedef {import("./types.js").Tensors} Tensors
 */

import { KitError } from "./errors.js";
import { measureParity } from "./parity.js";
import { hashBytes } from "./sha256.js";
import { decodeDeep } from "./tensors.js";

/** Another machine's arithmetic may differ a little more than the one that measured the variant. */
const tolerance = 2;

/**
 * @param {Manifest} manifest
 * @param {string} manifestUrl
 * @returns {Promise<any>} the golden as JSON: tensors are decoded only when needed
 */
export async function fetchGolden({ golden }, manifestUrl) {
  for (const cache of /** @type {const} */ (["force-cache", "reload"])) {
    const response = await fetch(new URL(golden.path, manifestUrl), { cache });
    if (!response.ok) continue;
    const bytes = new Uint8Array(await response.arrayBuffer());
    if ((await hashBytes(bytes)) === golden.sha256) return JSON.parse(new TextDecoder().decode(bytes));
  }
  throw new KitError(
    "download",
    `${golden.path} could not be downloaded, or does not match its sha256. It was tried twice.`,
  );
}

/**
 * @param {any} encoded  the golden as JSON
 * @returns {Golden}
 */
export function decodeGolden(encoded) {
  return { origin: encoded.origin, samples: encoded.samples.map(decodeDeep) };
}

/**
 * Run the first golden sample and refuse to go on with a wrong answer.
 * @param {any} encoded  the golden as JSON
 * @param {Parity} parity
 * @param {(input: any) => Promise<Tensors>} run
 */
export async function testItself(encoded, parity, run) {
  const { input, outputs } = decodeDeep(encoded.samples[0]);
  const error = measureParity(parity.metric, [outputs], [await run(input)]);
  const allowed = parity.threshold * tolerance;
  if (error <= allowed) return;
  const found = Number.isFinite(error) ? error.toPrecision(3) : "infinite";
  throw new KitError(
    "self-test",
    `The model gave a wrong answer in its self-test: ${parity.metric} is ${found}, allowed is ${allowed.toPrecision(3)}`,
  );
}
