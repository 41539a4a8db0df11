/** Splits texts as the page does, for tests of other languages: a line of JSON in, a line of JSON out. */

import { createInterface } from "node:readline";

import { splitText } from "../../site_templates/kit/search/split.js";

for await (const line of createInterface({ input: process.stdin })) {
  const { text, budget, overlap } = JSON.parse(line);
  // Longer words count more: nothing here hangs on a tokenizer.
  const count = async (/** @type {string[]} */ texts) => texts.map((each) => each.split(" ").length + (each.length >> 2));
  const spans = await splitText(text, count, { budget, overlap });
  process.stdout.write(`${JSON.stringify(spans.map(({ start, end }) => [start, end]))}\n`);
}
