/**
 * The likeliest tokens of a row of logits, and the weight of all others, in three passes over it. Logits are read as
 * bits and compared as keys, whole numbers in the order of the floats: WGSL promises nothing about NaN and infinities.
 */

import { bucketShift, buckets, brokenKey, groups, nearBits, nearDistance, threads } from "./shortlist-layout.js";

const bindings = /* wgsl */ `
struct Settings {
  vocabulary: u32,
  capacity: u32,
  has_penalties: u32,
  has_mask: u32,
  inverse_temperature: f32,
  repetition: f32,
  frequency: f32,
  presence: f32,
}
struct Work {
  highest: array<u32, ${groups}>,
  histogram: array<atomic<u32>, ${buckets}>,
}
struct List {
  count: atomic<u32>,
  highest: u32,
  end_bucket: u32,
  unused: u32,
  rest: array<f32, ${groups}>,
  tokens: array<vec2<u32>>,
}
@group(0) @binding(0) var<uniform> settings: Settings;
@group(0) @binding(1) var<storage, read> logits: array<u32>;
@group(0) @binding(2) var<storage, read> penalties: array<u32>;
@group(0) @binding(3) var<storage, read> mask: array<u32>;
@group(0) @binding(4) var<storage, read_write> work: Work;
@group(0) @binding(5) var<storage, read_write> list: List;

const group_threads = ${threads}u;
const stride = ${groups * threads}u;
`;

/** What stands for a token: 0 where it is not allowed or impossible, else its penalized logit as a key. */
const keys = /* wgsl */ `
fn penalize(logit: f32, id: u32) -> f32 {
  let word = penalties[id];
  if (word == 0u) { return logit; }
  let left = select(logit * settings.repetition, logit / settings.repetition, logit > 0.0);
  let count = word & 0x7fffffffu;
  if (count == 0u) { return left; }
  return left - (settings.frequency * f32(count) + settings.presence);
}

fn to_key(value: f32) -> u32 {
  let bits = bitcast<u32>(value);
  return select(bits | 0x80000000u, ~bits, (bits >> 31u) == 1u);
}

fn from_key(key: u32) -> f32 {
  return bitcast<f32>(select(~key, key & 0x7fffffffu, (key >> 31u) == 1u));
}

fn read_key(id: u32) -> u32 {
  if (settings.has_mask == 1u && ((mask[id >> 5u] >> (id & 31u)) & 1u) == 0u) { return 0u; }
  let bits = logits[id];
  // From 1e37 on penalties may overflow; so far below zero nothing is possible any more.
  if ((bits & 0x7fffffffu) >= 0x7d000000u) {
    return select(${brokenKey}u, 0u, bits >= 0xfd000000u && bits <= 0xff800000u);
  }
  if (settings.has_penalties == 0u) { return to_key(bitcast<f32>(bits)); }
  return to_key(penalize(bitcast<f32>(bits), id));
}

fn find_bucket(highest: u32, key: u32) -> u32 {
  let distance = max(from_key(highest) - from_key(key), 0.0);
  return min((bitcast<u32>(distance + ${nearDistance}) - ${nearBits}u) >> ${bucketShift}u, ${buckets - 1}u);
}
`;

const reductions = /* wgsl */ `
var<workgroup> whole_numbers: array<u32, group_threads>;
var<workgroup> fractions: array<f32, group_threads>;

fn reduce_highest(thread: u32, value: u32) -> u32 {
  whole_numbers[thread] = value;
  workgroupBarrier();
  for (var width = group_threads / 2u; width > 0u; width /= 2u) {
    if (thread < width) { whole_numbers[thread] = max(whole_numbers[thread], whole_numbers[thread + width]); }
    workgroupBarrier();
  }
  return whole_numbers[0];
}

fn find_highest(thread: u32) -> u32 {
  var value = 0u;
  if (thread < ${groups}u) { value = work.highest[thread]; }
  return reduce_highest(thread, value);
}

fn reduce_sum(thread: u32, value: f32) -> f32 {
  fractions[thread] = value;
  workgroupBarrier();
  for (var width = group_threads / 2u; width > 0u; width /= 2u) {
    if (thread < width) { fractions[thread] += fractions[thread + width]; }
    workgroupBarrier();
  }
  return fractions[0];
}
`;

const measure = /* wgsl */ `
@compute @workgroup_size(group_threads)
fn measure(@builtin(local_invocation_index) thread: u32, @builtin(workgroup_id) group: vec3<u32>) {
  let first = group.x * group_threads + thread;
  for (var bucket = first; bucket < ${buckets}u; bucket += stride) { atomicStore(&work.histogram[bucket], 0u); }
  if (first == 0u) { atomicStore(&list.count, 0u); }
  var highest = 0u;
  for (var id = first; id < settings.vocabulary; id += stride) { highest = max(highest, read_key(id)); }
  highest = reduce_highest(thread, highest);
  if (thread == 0u) { work.highest[group.x] = highest; }
}
`;

const spread = /* wgsl */ `
var<workgroup> own_histogram: array<atomic<u32>, ${buckets}>;

@compute @workgroup_size(group_threads)
fn spread(@builtin(local_invocation_index) thread: u32, @builtin(workgroup_id) group: vec3<u32>) {
  let highest = find_highest(thread);
  for (var id = group.x * group_threads + thread; id < settings.vocabulary; id += stride) {
    let key = read_key(id);
    if (key != 0u) { atomicAdd(&own_histogram[find_bucket(highest, key)], 1u); }
  }
  workgroupBarrier();
  for (var bucket = thread; bucket < ${buckets}u; bucket += group_threads) {
    let count = atomicLoad(&own_histogram[bucket]);
    if (count > 0u) { atomicAdd(&work.histogram[bucket], count); }
  }
}
`;

const gather = /* wgsl */ `
var<workgroup> end_bucket: u32;

// The first bucket that does not fit any more.
fn find_end(thread: u32) -> u32 {
  let own = ${buckets / threads}u;
  var sum = 0u;
  for (var bucket = thread * own; bucket < (thread + 1u) * own; bucket++) {
    sum += atomicLoad(&work.histogram[bucket]);
  }
  if (thread == 0u) { end_bucket = ${buckets}u; }
  workgroupBarrier();
  whole_numbers[thread] = sum;
  workgroupBarrier();
  for (var distance = 1u; distance < group_threads; distance *= 2u) {
    var before = 0u;
    if (thread >= distance) { before = whole_numbers[thread - distance]; }
    workgroupBarrier();
    whole_numbers[thread] += before;
    workgroupBarrier();
  }
  var count = whole_numbers[thread] - sum;
  for (var bucket = thread * own; bucket < (thread + 1u) * own; bucket++) {
    let fitted = count <= settings.capacity;
    count += atomicLoad(&work.histogram[bucket]);
    if (fitted && count > settings.capacity) { end_bucket = bucket; }
  }
  workgroupBarrier();
  return end_bucket;
}

@compute @workgroup_size(group_threads)
fn gather(@builtin(local_invocation_index) thread: u32, @builtin(workgroup_id) group: vec3<u32>) {
  let highest = find_highest(thread);
  let end = find_end(thread);
  var rest = 0.0;
  for (var id = group.x * group_threads + thread; id < settings.vocabulary; id += stride) {
    let key = read_key(id);
    if (key == 0u) { continue; }
    if (find_bucket(highest, key) >= end) {
      rest += exp((from_key(key) - from_key(highest)) * settings.inverse_temperature);
    } else {
      let place = atomicAdd(&list.count, 1u);
      if (place < settings.capacity) { list.tokens[place] = vec2<u32>(id, logits[id]); }
    }
  }
  rest = reduce_sum(thread, rest);
  if (thread == 0u) { list.rest[group.x] = rest; }
  if (thread == 0u && group.x == 0u) {
    list.highest = highest;
    list.end_bucket = end;
  }
}
`;

/** The passes by name, in their order. */
export const passes = Object.freeze(["measure", "spread", "gather"]);
export const shader = bindings + keys + reductions + measure + spread + gather;
