import assert from "node:assert/strict";
import { test } from "node:test";

import { Random } from "../../site_templates/kit/generation/random.js";
import { Ranking } from "../../site_templates/kit/generation/ranking.js";
import { Sampler, SamplerBuffers, findBest, plainSampling } from "../../site_templates/kit/generation/sampler.js";

/** @typedef {import("../../site_templates/kit/generation/sampler.js").Sampling} Sampling */

const logits = [2, 1, 0, -1, 3, -30, 2.5, 2];

/**
 * @param {Partial<Sampling>} sampling
 * @param {{values?: number[], prompt?: number[]}} [options]
 */
function makeSampler(sampling, { values = logits, prompt = [] } = {}) {
  const sampler = new Sampler({ ...plainSampling, seed: 1, ...sampling }, prompt, new SamplerBuffers(values.length));
  return () => sampler.pick(Float32Array.from(values));
}

/**
 * The distribution that the definitions give, one number at a time.
 * @param {Partial<Sampling>} sampling
 * @param {number[]} [values]
 */
function expectShares({ temperature = 1, top_k: topK = 0, top_p: topP = 1, min_p: minP = 0 }, values = logits) {
  const weights = values.map((value) => Math.exp(value / temperature));
  const order = values.map((_, id) => id).sort((a, b) => weights[b] - weights[a] || a - b);
  let kept = topK ? order.slice(0, topK) : order;
  const whole = kept.reduce((sum, id) => sum + weights[id], 0);
  const reached = kept.findIndex((_, end) => kept.slice(0, end + 1).reduce((s, id) => s + weights[id], 0) >= topP * whole);
  if (topP < 1) kept = kept.slice(0, reached + 1);
  kept = kept.filter((id) => weights[id] >= minP * weights[order[0]]);
  const total = kept.reduce((sum, id) => sum + weights[id], 0);
  return values.map((_, id) => (kept.includes(id) ? weights[id] / total : 0));
}

/** @param {() => number} pick @param {number} size @param {number} [draws] */
function countShares(pick, size, draws = 20000) {
  const shares = Array(size).fill(0);
  for (let draw = 0; draw < draws; draw++) shares[pick()] += 1 / draws;
  return shares;
}

const cases = [
  {},
  { temperature: 0.5 },
  { temperature: 2 },
  { top_k: 3 },
  { top_k: 1 },
  { top_p: 0.6 },
  { top_p: 0 },
  { min_p: 0.3 },
  { top_k: 5, top_p: 0.8 },
  { top_p: 0.9, min_p: 0.4, temperature: 1.5 },
  { top_k: 100, top_p: 0.95 },
];
for (const sampling of cases) {
  test(`draws as the definitions say: ${JSON.stringify(sampling)}`, () => {
    const wanted = expectShares(sampling);
    const found = countShares(makeSampler(sampling), logits.length);
    wanted.forEach((share, id) => {
      if (!share) assert.equal(found[id], 0, `token ${id} is cut off`);
      // Five standard deviations of 20,000 draws: wrong once in a million, and the seed is fixed.
      const allowed = 5 * Math.sqrt((share * (1 - share)) / 20000) + 1e-9;
      assert.ok(Math.abs(found[id] - share) <= allowed, `token ${id}: ${found[id]}, not ${share}`);
    });
  });
}

test("the same seed gives the same tokens, another one others, none a new one each time", () => {
  const values = Array.from({ length: 1000 }, (_, id) => Math.sin(id));
  const draw = (/** @type {number | null} */ seed) => {
    const pick = makeSampler({ seed }, { values });
    return Array.from({ length: 40 }, pick).join();
  };
  assert.equal(draw(7), draw(7));
  assert.equal(draw(-7), draw(-7));
  const all = [7, 8, -7, 0, 2 ** 32, 2 ** 32 + 7, 2 ** 53 - 1].map(draw);
  assert.equal(new Set(all).size, all.length);
  assert.notEqual(draw(null), draw(null));
});

test("temperature 0 takes the first of the best, whatever else is set", () => {
  assert.equal(makeSampler({ temperature: 0, top_k: 3, top_p: 0.1 })(), 4);
  assert.equal(makeSampler({ temperature: 0 }, { values: [1, 5, 5, 2] })(), 1);
});

test("a tiny temperature neither overflows nor chooses anything but the best", () => {
  for (const sampling of [{ temperature: 1e-9 }, { temperature: 1e-9, top_p: 0.9 }, { temperature: 1e-9, top_k: 2 }]) {
    assert.equal(makeSampler(sampling)(), 4);
  }
});

test("repetition penalty: over prompt and answer, towards zero probability on both sides of zero", () => {
  const values = [2, -1, 1.9];
  const pick = makeSampler({ temperature: 0, repetition_penalty: 1.1 }, { values, prompt: [0] });
  assert.equal(pick(), 2); // 2 / 1.1 < 1.9
  assert.equal(pick(), 0); // now both are divided
  const other = makeSampler({ temperature: 0, repetition_penalty: 1.5 }, { values: [-1, -1.2], prompt: [0] });
  assert.equal(other(), 1);
});

test("frequency and presence penalty: over the answer only, by count and once", () => {
  const frequency = makeSampler({ temperature: 0, frequency_penalty: 1 }, { values: [3, 1.5], prompt: [0, 0, 0] });
  assert.deepEqual(Array.from({ length: 4 }, frequency), [0, 0, 1, 0]);
  const presence = makeSampler({ temperature: 0, presence_penalty: 1 }, { values: [3, 2.5], prompt: [0] });
  assert.deepEqual(Array.from({ length: 4 }, presence), [0, 1, 0, 0]);
});

test("logits that are no numbers are an error, not a token", () => {
  assert.equal(findBest(Float32Array.of(NaN, 1, 2)), 2);
  for (const values of [[NaN, NaN], [-Infinity, -Infinity], [1, Infinity]]) {
    assert.throws(makeSampler({}, { values }), { code: "run" });
  }
  assert.equal(makeSampler({ top_p: 0.9 }, { values: [-Infinity, 0, -Infinity] })(), 1);
});

test("the ranking is a sort, with equals in the order of their ids", () => {
  const random = new Random(3);
  for (const size of [1, 2, 3, 50, 1000]) {
    const values = Float32Array.from({ length: size }, () => Math.floor(random.nextFraction() * 20));
    const ranking = new Ranking(size);
    ranking.start(values, Math.max(...values), 1);
    const taken = [];
    for (let id = ranking.take(); id >= 0; id = ranking.take()) taken.push(id);
    const wanted = [...values.keys()].sort((a, b) => values[b] - values[a] || a - b);
    assert.deepEqual(taken, wanted);
  }
});

test("random numbers are spread evenly, and in [0, 1)", () => {
  const random = new Random(42);
  const bins = Array(10).fill(0);
  for (let draw = 0; draw < 100000; draw++) {
    const fraction = random.nextFraction();
    assert.ok(fraction >= 0 && fraction < 1);
    bins[Math.floor(fraction * 10)]++;
  }
  for (const count of bins) assert.ok(Math.abs(count - 10000) < 5 * Math.sqrt(9000), `${count} of 10000`);
});

test("where there is a mask only its tokens are drawn", () => {
  const sampler = new Sampler({ ...plainSampling, seed: 1 }, [], new SamplerBuffers(logits.length));
  sampler.mask = Int32Array.of(0b10100010);
  const shares = countShares(() => sampler.pick(Float32Array.from(logits)), logits.length, 2000);
  assert.deepEqual([...shares.keys()].filter((id) => shares[id]), [1, 7]);
  const greedy = new Sampler({ ...plainSampling, temperature: 0 }, [], new SamplerBuffers(logits.length));
  greedy.mask = Int32Array.of(0b100101);
  assert.equal(greedy.pick(Float32Array.from(logits)), 0);
});

test("fast enough: top-p over 49,152 tokens under 10 ms", () => {
  const values = Float32Array.from({ length: 49152 }, (_, id) => 10 * Math.sin(id * id));
  const sampler = new Sampler({ ...plainSampling, top_p: 0.95, seed: 1 }, [], new SamplerBuffers(values.length));
  const times = Array.from({ length: 9 }, () => {
    const { user } = process.cpuUsage();
    sampler.pick(values);
    return (process.cpuUsage().user - user) / 1000;
  });
  assert.ok(Math.min(...times) < 10, `${Math.min(...times)} ms`);
});
