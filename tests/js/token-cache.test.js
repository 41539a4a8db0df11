import assert from "node:assert/strict";
import { test } from "node:test";

import { findPartLength, shortPart } from "../../site_templates/kit/generation/part-length.js";
import { TokenCache, countCommon, longestPart, planCapacity } from "../../site_templates/kit/generation/token-cache.js";

/**
 * A decoder whose logits tell exactly what its cache holds: rows beyond `past` are overwritten, as in the real ones.
 * @typedef {import("../../site_templates/kit/generation/token-cache.js").Decoder} Decoder
 * @implements {Decoder}
 */
class FakeDecoder {
  /** @type {number[]} */
  rows = [];
  /** @type {number[][]} */
  runs = [];
  /** @type {number[][]} */
  resizes = [];
  /** @type {number[]} */
  settled = [];
  capacity = 0;
  length = 0;

  /** @param {number} capacity @param {number} used */
  resize(capacity, used) {
    this.resizes.push([capacity, used]);
    this.rows = Object.assign(Array(capacity).fill(-1), this.rows.slice(0, used));
    this.capacity = capacity;
  }

  /** @param {readonly number[]} ids @param {number} past */
  async run(ids, past) {
    assert.ok(past + ids.length <= this.capacity, "never beyond the cache");
    this.runs.push([...ids]);
    ids.forEach((id, index) => (this.rows[past + index] = id));
    this.length = past + ids.length;
  }

  async settle() {
    this.settled.push(this.length);
  }

  async readLogits() {
    return Float32Array.from(this.rows.slice(0, this.length));
  }

  /** @returns {Promise<number>} */
  async pick() {
    throw new Error("nothing is drawn here");
  }
}

/** @param {TokenCache} cache @param {number[]} ids @param {(done: number) => Promise<void>} [betweenParts] */
async function readAll(cache, ids, betweenParts) {
  await cache.read(ids, betweenParts);
  return [...(await cache.decoder.readLogits())];
}

test("a second turn reads only its new tokens", async () => {
  const decoder = new FakeDecoder();
  const cache = new TokenCache(decoder, 4096);
  await cache.read([1, 2, 3]);
  await cache.read([4]);
  const next = [1, 2, 3, 4, 5, 6];
  assert.equal(cache.rollBack(next), 4);
  assert.deepEqual(await readAll(cache, next.slice(4)), next);
  assert.deepEqual(decoder.runs, [[1, 2, 3], [4], [5, 6]]);
});

test("an edit goes back to where the two part; what was there before is gone", async () => {
  const decoder = new FakeDecoder();
  const cache = new TokenCache(decoder, 4096);
  await cache.read([1, 2, 3, 4, 5]);
  const edited = [1, 2, 9, 8];
  assert.equal(cache.rollBack(edited), 2);
  assert.deepEqual(await readAll(cache, [9, 8]), edited);
  assert.deepEqual(cache.ids, edited);
});

test("the same prompt again reads its last token, for its logits", async () => {
  const cache = new TokenCache(new FakeDecoder(), 4096);
  await cache.read([1, 2, 3]);
  assert.equal(cache.rollBack([1, 2, 3]), 2);
  assert.equal(cache.rollBack([1]), 0);
  assert.equal(cache.rollBack([7, 7]), 0);
});

test("a long prompt is read in parts, and may be stopped between them", async () => {
  const decoder = new FakeDecoder();
  const cache = new TokenCache(decoder, 4096);
  const prompt = Array.from({ length: 2 * longestPart + 5 }, (_, id) => id);
  assert.deepEqual(await readAll(cache, prompt), prompt);
  assert.deepEqual(decoder.runs.map(({ length }) => length), [longestPart, longestPart, 5]);
  assert.deepEqual(decoder.settled, [longestPart, 2 * longestPart], "one part at a time is in the queue");
  cache.clear();
  /** @type {number[]} */
  const told = [];
  const stop = async (/** @type {number} */ done) => {
    if (told.push(done) === 2) throw new Error("stopped");
  };
  await assert.rejects(cache.read(prompt, stop), /stopped/);
  assert.deepEqual(told, [longestPart, 2 * longestPart]);
  assert.equal(cache.rollBack(prompt), 2 * longestPart, "what was read stays of use");
});

test("room doubles, keeps what is there, and ends at the context", async () => {
  const decoder = new FakeDecoder();
  const cache = new TokenCache(decoder, 1500);
  const all = Array.from({ length: 1500 }, (_, id) => id);
  await cache.read(all.slice(0, 500));
  for (const id of all.slice(500)) await cache.read([id]);
  assert.deepEqual(decoder.resizes, [[512, 0], [1024, 512], [1500, 1024]]);
  assert.deepEqual(decoder.rows, all);
  assert.equal(planCapacity(1, 100), 100);
});

test("a cache that could not grow begins anew", async () => {
  const decoder = new FakeDecoder();
  const cache = new TokenCache(decoder, 4096);
  await cache.read(Array(512).fill(1));
  const { resize } = decoder;
  decoder.resize = () => {
    throw new Error("no memory");
  };
  await assert.rejects(cache.read([2]), /no memory/);
  decoder.resize = resize;
  assert.deepEqual(cache.ids, []);
  assert.deepEqual(await readAll(cache, [5, 6]), [5, 6]);
});

test("a run that fails leaves the cache as it was", async () => {
  const decoder = new FakeDecoder();
  const cache = new TokenCache(decoder, 4096);
  await cache.read([1, 2]);
  const { run } = decoder;
  decoder.run = async () => Promise.reject(new Error("failed"));
  await assert.rejects(cache.read([3]), /failed/);
  decoder.run = run;
  assert.deepEqual(await readAll(cache, [4]), [1, 2, 4]);
});

test("common beginnings", () => {
  assert.equal(countCommon([1, 2, 3], [1, 2, 4]), 2);
  assert.equal(countCommon([], [1]), 0);
  assert.equal(countCommon([1, 2], [1, 2, 3]), 2);
});

test("how much a GPU reads at once is tried, not believed", async () => {
  const facts = { vocabulary: 49152, contextLength: 4096, hasSubgroups: true };
  assert.equal(await findPartLength(new FakeDecoder(), facts), longestPart);
  const wrong = new FakeDecoder();
  const read = wrong.readLogits.bind(wrong);
  wrong.readLogits = async () => {
    const sign = (wrong.runs.at(-1)?.length ?? 0) >= 32 ? -1 : 1;
    return (await read()).map((value) => sign * value);
  };
  assert.equal(await findPartLength(wrong, facts), shortPart);
  const plain = new FakeDecoder();
  assert.equal(await findPartLength(plain, { ...facts, hasSubgroups: false }), longestPart);
  assert.deepEqual(plain.runs, [], "where it is known nothing is tried");
  const undefinedNumbers = new FakeDecoder();
  undefinedNumbers.readLogits = async () => Float32Array.of(NaN);
  assert.equal(await findPartLength(undefinedNumbers, facts), shortPart);
});
