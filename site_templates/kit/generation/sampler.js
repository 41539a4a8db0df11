/**
 * From logits to the next token. The order is that of Transformers: penalties, temperature, top-k, top-p, min-p.
 *
 * @typedef {object} Sampling
 * @property {number} temperature  0 takes the most likely token
 * @property {number} top_k  0 for all
 * @property {number} top_p  1 for all
 * @property {number} min_p  0 for all; else the least probability, as a share of the most likely token's
 * @property {number} repetition_penalty  1 for none; over prompt and answer
 * @property {number} frequency_penalty  0 for none; for each time that the answer has the token
 * @property {number} presence_penalty  0 for none; once if the answer has the token
 * @property {number | null} seed
 */

import { KitError } from "../errors.js";
import { Random, drawSeed } from "./random.js";
import { Ranking } from "./ranking.js";

/** @type {Readonly<Sampling>} what OpenAI's API does when it is told nothing */
export const plainSampling = Object.freeze({
  temperature: 1,
  top_k: 0,
  top_p: 1,
  min_p: 0,
  repetition_penalty: 1,
  frequency_penalty: 0,
  presence_penalty: 0,
  seed: null,
});

/** Below this times the temperature under the best logit, a token has no probability that a double could tell from 0. */
const smallestExponent = 745;

/** The buffers that every generation of a model shares. */
export class SamplerBuffers {
  /**
   * @param {number} vocabulary
   */
  constructor(vocabulary) {
    this.ranking = new Ranking(vocabulary);
    this.kept = new Int32Array(vocabulary);
    this.weights = new Float64Array(vocabulary);
  }
}

/** Chooses the tokens of one generation. */
export class Sampler {
  /**
   * @param {Sampling} sampling
   * @param {readonly number[]} prompt
   * @param {SamplerBuffers} buffers
   */
  constructor(sampling, prompt, buffers) {
    this.sampling = sampling;
    this.buffers = buffers;
    this.random = new Random(sampling.seed ?? drawSeed());
    /** Which tokens can be picked: 32 a word, the lowest bit first; null for all. @type {Int32Array | null} */
    this.mask = null;
    /** How often the answer has each token. @type {Map<number, number>} */
    this.counts = new Map();
    /** @type {Set<number>} */
    this.seen = new Set(sampling.repetition_penalty === 1 ? [] : prompt);
  }

  /**
   * @param {Float32Array} logits  of one position; changed in place by mask and penalties
   * @returns {number} a token id
   */
  pick(logits) {
    if (this.mask) forbid(logits, this.mask);
    this.#penalize(logits);
    const best = findBest(logits);
    const id = this.sampling.temperature === 0 ? best : this.#draw(logits, logits[best]);
    this.counts.set(id, (this.counts.get(id) ?? 0) + 1);
    if (this.sampling.repetition_penalty !== 1) this.seen.add(id);
    return id;
  }

  /**
   * @param {Float32Array} logits
   */
  #penalize(logits) {
    const { repetition_penalty: repetition, frequency_penalty: frequency, presence_penalty: presence } = this.sampling;
    for (const id of this.seen) logits[id] = logits[id] > 0 ? logits[id] / repetition : logits[id] * repetition;
    if (!frequency && !presence) return;
    for (const [id, count] of this.counts) logits[id] -= frequency * count + presence;
  }

  /**
   * @param {Float32Array} logits
   * @param {number} highest
   * @returns {number}
   */
  #draw(logits, highest) {
    const { temperature, top_k: topK, top_p: topP, min_p: minP } = this.sampling;
    const limit = topK || logits.length;
    if (limit >= logits.length && topP >= 1) return this.#drawUnranked(logits, highest);
    const { ranking, kept, weights } = this.buffers;
    const whole = limit < logits.length ? 0 : sumWeights(logits, highest, temperature);
    ranking.start(logits, highest - temperature * smallestExponent);
    let count = 0;
    let sum = 0;
    for (let id = ranking.take(); id >= 0 && count < limit; id = ranking.take()) {
      kept[count] = id;
      weights[count] = Math.exp((logits[id] - highest) / temperature);
      sum += weights[count++];
      if (whole && sum >= topP * whole) break;
    }
    if (!whole) count = cutNucleus(weights, count, topP * sum);
    return kept[this.#choose(weights, cutUnlikely(weights, count, minP))];
  }

  /**
   * Without top-k and top-p nothing needs to be ranked.
   * @param {Float32Array} logits
   * @param {number} highest
   * @returns {number}
   */
  #drawUnranked(logits, highest) {
    const { temperature, min_p: minP } = this.sampling;
    const { weights } = this.buffers;
    for (let id = 0; id < logits.length; id++) {
      const weight = Math.exp((logits[id] - highest) / temperature);
      weights[id] = weight >= minP ? weight : 0;
    }
    return this.#choose(weights, logits.length);
  }

  /**
   * @param {Float64Array} weights
   * @param {number} count
   * @returns {number} a place below `count`, as likely as its weight
   */
  #choose(weights, count) {
    let sum = 0;
    for (let place = 0; place < count; place++) sum += weights[place];
    let rest = this.random.nextFraction() * sum;
    let last = 0;
    for (let place = 0; place < count; place++) {
      if (!weights[place]) continue;
      last = place;
      rest -= weights[place];
      if (rest < 0) break;
    }
    return last; // where rounding leaves a rest, the last one that can be chosen
  }
}

/**
 * @param {Float32Array} logits
 * @param {Int32Array} mask
 */
function forbid(logits, mask) {
  for (let id = 0; id < logits.length; id++) if (!((mask[id >> 5] >>> (id & 31)) & 1)) logits[id] = -Infinity;
}

/**
 * @param {Float32Array} logits
 * @returns {number} the id of the highest, the first of equals
 */
export function findBest(logits) {
  let best = 0;
  for (let id = 1; id < logits.length; id++) if (logits[id] > logits[best] || Number.isNaN(logits[best])) best = id;
  if (Number.isFinite(logits[best])) return best;
  throw new KitError("run", "The model's answer is not made of numbers any more, so no word can be chosen from it.");
}

/**
 * @param {Float32Array} logits
 * @param {number} highest
 * @param {number} temperature
 * @returns {number}
 */
function sumWeights(logits, highest, temperature) {
  let sum = 0;
  for (let id = 0; id < logits.length; id++) sum += Math.exp((logits[id] - highest) / temperature);
  return sum;
}

/**
 * @param {Float64Array} weights  in falling order
 * @param {number} count
 * @param {number} wanted  the sum to reach
 * @returns {number} how many it takes
 */
function cutNucleus(weights, count, wanted) {
  let sum = 0;
  for (let place = 0; place < count; place++) {
    sum += weights[place];
    if (sum >= wanted) return place + 1;
  }
  return count;
}

/**
 * @param {Float64Array} weights  in falling order, the first is 1
 * @param {number} count
 * @param {number} minP
 * @returns {number} how many are at least `minP`; never none
 */
function cutUnlikely(weights, count, minP) {
  while (count > 1 && weights[count - 1] < minP) count--;
  return count;
}
