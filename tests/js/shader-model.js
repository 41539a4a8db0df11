/** What the shader computes, number by number in its float32, for tests on node. */

import {
  brokenKey,
  bucketShift,
  buckets,
  groups,
  headWords,
  listBytes,
  nearBits,
  nearDistance,
  threads,
} from "../../site_templates/kit/generation/shortlist-layout.js";
import { seenBit } from "../../site_templates/kit/generation/penalties.js";

const { fround } = Math;
const bits = new Uint32Array(1);
const float = new Float32Array(bits.buffer);

/**
 * @param {Float32Array} row
 * @param {import("../../site_templates/kit/generation/sampler.js").Sampler} sampler
 * @param {number} tokens  that fit
 * @returns {ArrayBuffer}
 */
export function listTokens(row, sampler, tokens) {
  const bytes = new ArrayBuffer(listBytes(tokens));
  const [words, floats] = [new Uint32Array(bytes), new Float32Array(bytes)];
  const values = row.map((logit, id) => readValue(logit, id, sampler));
  const highest = values.reduce((best, value) => Math.max(best, value), -Infinity);
  if (highest === -Infinity) return bytes;
  const histogram = new Uint32Array(buckets);
  const bucketOf = Array.from(values, (value) => (value === -Infinity ? -1 : findBucket(highest, value)));
  for (const bucket of bucketOf) if (bucket >= 0) histogram[bucket]++;
  let [end, sum] = [0, 0];
  while (end < buckets && sum + histogram[end] <= tokens) sum += histogram[end++];
  float[0] = highest;
  words.set([sum, bits[0] >>> 31 ? ~bits[0] : bits[0] | 0x80000000, end]);
  const inverse = fround(Math.min(1 / sampler.sampling.temperature, 1e30));
  const listed = [...row.keys()].filter((id) => bucketOf[id] >= 0 && bucketOf[id] < end).reverse(); // any order
  listed.forEach((id, place) => {
    float[0] = row[id];
    words.set([id, bits[0]], headWords + 2 * place);
  });
  for (const id of row.keys()) {
    const group = headWords - groups + (Math.floor(id / threads) % groups);
    if (bucketOf[id] >= end) floats[group] += fround(Math.exp(fround(fround(values[id] - highest) * inverse)));
  }
  if (row.some((logit) => Number.isNaN(logit) || logit === Infinity)) words[1] = brokenKey;
  return bytes;
}

/**
 * @param {number} logit
 * @param {number} id
 * @param {import("../../site_templates/kit/generation/sampler.js").Sampler} sampler
 * @returns {number}
 */
function readValue(logit, id, { mask, penalties, sampling }) {
  if (mask && !((mask[id >> 5] >>> (id & 31)) & 1)) return -Infinity;
  const word = penalties.words[id];
  if (!word || logit === -Infinity) return logit;
  const repetition = fround(sampling.repetition_penalty);
  const left = fround(logit > 0 ? fround(logit / repetition) : fround(logit * repetition));
  const count = (word & ~seenBit) >>> 0;
  const shift = fround(fround(fround(sampling.frequency_penalty) * count) + fround(sampling.presence_penalty));
  return count ? fround(left - shift) : left;
}

/**
 * @param {number} highest
 * @param {number} value
 * @returns {number}
 */
function findBucket(highest, value) {
  float[0] = fround(fround(highest - value) + nearDistance);
  return Math.min((bits[0] - nearBits) >>> bucketShift, buckets - 1);
}
