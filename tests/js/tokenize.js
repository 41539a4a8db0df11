/** Answers lines of JSON on stdin: {tokenizer, config, maxLength} sets one up, {text, second?, truncation?} is encoded. */

import { createInterface } from "node:readline";
import { makeContext } from "../../site_templates/kit/task.js";
import { SpanFinder } from "../../site_templates/kit/text/spans.js";
import { makeManifest } from "./fixtures.js";

const tokenizersUrl = new URL(
  "../../site_templates/node_modules/@huggingface/tokenizers/dist/tokenizers.mjs",
  import.meta.url,
).href;
const asBytes = (/** @type {unknown} */ value) => new TextEncoder().encode(JSON.stringify(value));
/** @type {any} */
let context;
/** @type {any} */
let json;

/** @param {any} request */
async function answer({ tokenizer, config, maxLength, text, second, truncation, spans }) {
  if (tokenizer) {
    json = tokenizer;
    const assets = new Map([["tokenizer.json", asBytes(tokenizer)], ["tokenizer_config.json", asBytes(config)]]);
    context = await makeContext(makeManifest([], { settings: { max_length: maxLength } }), assets, tokenizersUrl);
    return {};
  }
  const row = second === undefined ? context.rowEncoder.encode(text) : context.rowEncoder.encodePair(text, second, truncation);
  const placed = spans ? new SpanFinder(context.tokenizer, json).find(text) : [];
  return { ids: row.ids, types: row.types, spans: placed.map(({ span }) => span) };
}

for await (const line of createInterface({ input: process.stdin })) {
  try {
    console.log(JSON.stringify(await answer(JSON.parse(line))));
  } catch (error) {
    console.log(JSON.stringify({ error: String(error) }));
  }
}
