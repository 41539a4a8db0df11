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
 *
 * @typedef {import("./ranking.js").Ranked} Ranked
 */

import { KitError } from "../errors.js";
import { Penalties } from "./penalties.js";
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

/** The buffers that every generation of a model shares. */
export class SamplerBuffers {
  /**
   * @param {number} vocabulary
   */
  constructor(vocabulary) {
    this.ranking = new Ranking(vocabulary);
    this.kept = new Int32Array(vocabulary);
    this.weights = new Float64Array(vocabulary);
    this.penalties = new Uint32Array(vocabulary);
  }
}

/** Chooses the tokens of one generation. */
export class Sampler {
  /** Which tokens can be picked: 32 a word, the lowest bit first; null for all. @type {Int32Array | null} */
  mask = null;
  /** Of the token at hand; kept while a short list is not enough to place it. @type {number | null} */
  #fraction = null;

  /**
   * @param {Sampling} sampling
   * @param {readonly number[]} prompt
   * @param {SamplerBuffers} buffers
   */
  constructor(sampling, prompt, buffers) {
    this.sampling = sampling;
    this.buffers = buffers;
    this.random = new Random(sampling.seed ?? drawSeed());
    this.penalties = new Penalties(sampling, prompt, buffers.penalties);
    /** 0 for all. */
    this.topK = sampling.top_k < buffers.kept.length ? sampling.top_k : 0;
  }

  /**
   * @param {Float32Array} logits  of one position; changed in place by mask and penalties
   * @returns {number} a token id
   */
  pick(logits) {
    if (this.mask) forbid(logits, this.mask);
    this.penalties.apply(logits);
    const best = findBest(logits);
    const { temperature } = this.sampling;
    if (temperature === 0) return this.#keep(best);
    this.buffers.ranking.start(logits, logits[best], temperature);
    return this.#keep(this.#draw(this.buffers.ranking));
  }

  /**
   * What `pick` would choose from the whole row, where a part of it tells.
   * @param {import("./shortlist.js").Shortlist} shortlist  made with this sampler's mask and penalties
   * @returns {number} a token id, or -1: `pick` must see all logits
   */
  pickListed(shortlist) {
    if (!shortlist.certain) return -1;
    const id = this.sampling.temperature === 0 ? shortlist.take() : this.#draw(shortlist);
    return id < 0 ? -1 : this.#keep(id);
  }

  /**
   * @param {number} id
   * @returns {number} the same
   */
  #keep(id) {
    this.#fraction = null;
    this.penalties.add(id);
    return id;
  }

  /**
   * @param {Ranked} ranked
   * @returns {number} a token id; -1 where it cannot be told
   */
  #draw(ranked) {
    const { top_p: topP, min_p: minP } = this.sampling;
    if (!this.topK && topP >= 1 && !minP) return this.#drawUncut(ranked);
    const { kept, weights } = this.buffers;
    const count = this.topK ? this.#keepBest(ranked) : this.#keepLikely(ranked);
    return count < 0 ? -1 : kept[this.#choose(weights, count)];
  }

  /**
   * Top-k, and of its tokens top-p and min-p.
   * @param {Ranked} ranked
   * @returns {number} how many tokens are kept; -1 where it cannot be told
   */
  #keepBest(ranked) {
    const { temperature, top_p: topP, min_p: minP } = this.sampling;
    const { kept, weights } = this.buffers;
    let [count, sum] = [0, 0];
    while (count < this.topK) {
      const id = ranked.take();
      if (id < 0 && weigh(ranked, ranked.floor, temperature) > 0) return -1;
      if (id < 0) break;
      kept[count] = id;
      weights[count] = weigh(ranked, ranked.logit, temperature);
      sum += weights[count++];
    }
    return cutUnlikely(weights, cutNucleus(weights, count, topP * sum), minP);
  }

  /**
   * Top-p and min-p of all tokens.
   * @param {Ranked} ranked
   * @returns {number} how many tokens are kept; -1 where it cannot be told
   */
  #keepLikely(ranked) {
    const { temperature, top_p: topP, min_p: minP } = this.sampling;
    const { kept, weights } = this.buffers;
    const wanted = topP < 1 ? topP * ranked.sumWeights(temperature) : Infinity;
    const error = topP < 1 ? topP * ranked.sumError : 0;
    let [count, sum] = [0, 0];
    while (!count || sum < wanted + error) {
      const id = ranked.take();
      const weight = weigh(ranked, id < 0 ? ranked.floor : ranked.logit, temperature);
      if (count && weight < minP) break; // and all that follow are less likely still
      if (count && error && sum >= wanted - error) return -1;
      if (id < 0 && weight > 0) return -1;
      if (id < 0) break;
      kept[count] = id;
      weights[count] = weight;
      sum += weights[count++];
    }
    return count;
  }

  /**
   * Where no token is cut off, only those up to the one that is drawn need to be ranked.
   * @param {Ranked} ranked
   * @returns {number} a token id; -1 where it cannot be told
   */
  #drawUncut(ranked) {
    const { temperature } = this.sampling;
    const fraction = this.#nextFraction();
    const wanted = fraction * ranked.sumWeights(temperature);
    const error = fraction * ranked.sumError;
    let [last, sum] = [-1, 0];
    while (sum <= wanted + error) {
      if (sum && error && sum > wanted - error) return -1;
      const id = ranked.take();
      if (id < 0 && weigh(ranked, ranked.floor, temperature) > 0) return -1;
      if (id < 0) break; // rounding has left a rest
      const weight = weigh(ranked, ranked.logit, temperature);
      if (weight) last = id;
      sum += weight;
    }
    return last;
  }

  /**
   * @param {Float64Array} weights
   * @param {number} count
   * @returns {number} a place below `count`, as likely as its weight
   */
  #choose(weights, count) {
    let sum = 0;
    for (let place = 0; place < count; place++) sum += weights[place];
    let rest = this.#nextFraction() * sum;
    let last = 0;
    for (let place = 0; place < count; place++) {
      if (!weights[place]) continue;
      last = place;
      rest -= weights[place];
      if (rest < 0) break;
    }
    return last; // where rounding leaves a rest, the last one that can be chosen
  }

  /** @returns {number} */
  #nextFraction() {
    this.#fraction ??= this.random.nextFraction();
    return this.#fraction;
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
 * @param {Ranked} ranked
 * @param {number} logit
 * @param {number} temperature
 * @returns {number} its probability, as a share of the most likely token's
 */
function weigh(ranked, logit, temperature) {
  return Math.exp((logit - ranked.highest) / temperature);
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
