import assert from "node:assert/strict";
import { test } from "node:test";

import { Random } from "../../site_templates/kit/generation/random.js";
import { Sampler, SamplerBuffers, plainSampling } from "../../site_templates/kit/generation/sampler.js";
import { brokenKey, capacity, greedyCapacity, listBytes } from "../../site_templates/kit/generation/shortlist-layout.js";
import { Shortlist } from "../../site_templates/kit/generation/shortlist.js";
import { listTokens } from "./shader-model.js";

/** @typedef {import("../../site_templates/kit/generation/sampler.js").Sampling} Sampling */

const random = new Random(11);
const shapes = {
  "peaked, as a model's": () => 12 * random.nextFraction() ** 6 - 4,
  "normal, wide": () => 8 * (random.nextFraction() + random.nextFraction() + random.nextFraction() - 1.5),
  "few values, many ties": () => Math.floor(random.nextFraction() ** 4 * 6),
  "half of it impossible": () => (random.nextFraction() < 0.5 ? -Infinity : 10 * random.nextFraction() ** 3),
  "zeros of both signs": () => (random.nextFraction() < 0.5 ? -0 : 0) - Math.floor(2 * random.nextFraction()),
};
/** @type {Partial<Sampling>[]} */
const settings = [
  { temperature: 0 },
  {},
  { temperature: 0.7, top_p: 0.95 },
  { temperature: 1.5, top_p: 0.5 },
  { top_p: 0 },
  { top_k: 40 },
  { top_k: 1 },
  { top_k: 1000 },
  { top_k: 50, top_p: 0.9, min_p: 0.02 },
  { min_p: 0.05 },
  { min_p: 0.001, top_p: 0.99 },
  { temperature: 1e-9 },
  { temperature: 1e-9, top_k: 3 },
  { temperature: 0, repetition_penalty: 1.3 },
  { repetition_penalty: 1.1, top_p: 0.9 },
  { repetition_penalty: 0.8, frequency_penalty: 0.3, presence_penalty: -0.4 },
  { frequency_penalty: -1, top_k: 20 },
  { temperature: 0, frequency_penalty: 2, presence_penalty: 1 },
];

/**
 * Two samplers of the same seed over the same rows: one sees all logits, the other a list, and all where it must.
 * @param {Partial<Sampling>} sampling
 * @param {() => number} next
 * @param {{size?: number, mask?: boolean, steps?: number}} [options]
 * @returns {number} how often the list was enough
 */
function compare(sampling, next, { size = 3001, mask = false, steps = 12 } = {}) {
  const prompt = Array.from({ length: 200 }, () => Math.floor(random.nextFraction() * size));
  const [whole, listed] = [0, 0].map(
    () => new Sampler({ ...plainSampling, seed: 5, ...sampling }, prompt, new SamplerBuffers(size)),
  );
  const list = new Shortlist();
  let enough = 0;
  const row = Float32Array.from({ length: size }, next);
  for (let step = 0; step < steps; step++) {
    for (let change = 0; change < size / 10; change++) row[Math.floor(random.nextFraction() * size)] = next();
    row[step % size] = 2.5;
    if (mask) whole.mask = listed.mask = Int32Array.from({ length: Math.ceil(size / 32) }, () => random.nextWord());
    const wanted = whole.pick(row.slice());
    list.read(listTokens(row, listed, sampling.temperature === 0 ? greedyCapacity : capacity), listed.penalties);
    const quick = listed.pickListed(list);
    assert.equal(quick < 0 ? listed.pick(row.slice()) : quick, wanted, JSON.stringify({ sampling, size, step }));
    enough += Number(quick >= 0);
  }
  return enough / steps;
}

for (const [name, next] of Object.entries(shapes)) {
  test(`a list gives the token that all logits give: ${name}`, () => {
    for (const sampling of settings) compare(sampling, next);
    for (const size of [1, 2, 31, 257, 448, 449, 1000]) compare({ top_p: 0.9 }, next, { size, steps: 4 });
  });
}

test("under a mask, too", () => {
  for (const sampling of settings) compare(sampling, shapes["peaked, as a model's"], { mask: true });
});

test("for what a model says the list is enough", () => {
  const next = () => 20 * random.nextFraction() ** 9 - 5;
  for (const sampling of [{ temperature: 0 }, { top_k: 40 }, { temperature: 0.7, top_p: 0.9 }, { min_p: 0.05 }]) {
    assert.equal(compare(sampling, next, { size: 20000 }), 1, JSON.stringify(sampling));
  }
  const penalized = { temperature: 0.7, top_p: 0.9, repetition_penalty: 1.1 };
  assert.ok(compare(penalized, next, { size: 20000, steps: 50 }) > 0.9);
});

test("what a list cannot tell is not guessed", () => {
  const sampler = new Sampler({ ...plainSampling, seed: 1 }, [], new SamplerBuffers(1000));
  const list = new Shortlist();
  for (const change of [
    (/** @type {Uint32Array} */ words) => (words[0] = 0),
    (/** @type {Uint32Array} */ words) => (words[0] = capacity + 1),
    (/** @type {Uint32Array} */ words) => (words[1] = brokenKey),
  ]) {
    const bytes = listTokens(Float32Array.from({ length: 1000 }, (_, id) => -id), sampler, capacity);
    change(new Uint32Array(bytes));
    list.read(bytes, sampler.penalties);
    assert.equal(sampler.pickListed(list), -1);
  }
  const even = new Float32Array(1000); // more equals than fit
  list.read(listTokens(even, sampler, capacity), sampler.penalties);
  assert.equal(sampler.pickListed(list), -1);
});

test("under 4 kB", () => {
  assert.ok(listBytes(capacity) < 4000);
  assert.ok(listBytes(greedyCapacity) < 500);
});
