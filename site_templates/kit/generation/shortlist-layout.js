/**
 * How a GPU hands over the likeliest tokens of a row: numbers that the shader writes and the shortlist reads.
 *
 * Tokens fall into buckets by how far their logit lies under the highest one: fine ones near it, coarse ones far from
 * it, like a float's own steps. As many whole buckets as fit are listed, so nothing has to be sorted on the GPU.
 */

/** Workgroups of each pass, and so partial sums. */
export const groups = 64;
/** Threads of a workgroup. */
export const threads = 256;
export const buckets = 2048;
/** The distance at which buckets begin to widen; its bits as a float32 are where they are counted from. */
export const nearDistance = 0.25;
export const nearBits = 0x3e800000;
/** Of a float32's 23 bits of fraction 7 are left: 128 buckets each time that the distance doubles. */
export const bucketShift = 16;

/** Tokens that are listed at most: with all else, under 4 kB. */
export const capacity = 448;
/** The most likely token alone is asked for, but it may have neighbours in its bucket. */
export const greedyCapacity = 16;

/** Words before the pairs: how many tokens, the highest logit's key, the first bucket left out, one unused; sums. */
export const headWords = 4 + groups;

/** The key of a row with numbers that are none, or so large that they may overflow. */
export const brokenKey = 0xffffffff;

/**
 * @param {number} tokens
 * @returns {number} bytes of a list with so many tokens
 */
export function listBytes(tokens) {
  return 4 * (headWords + 2 * tokens);
}
