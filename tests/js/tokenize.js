/**
 * The page's tokenizer for tests/test_tokenization.py: each line of JSON on stdin is a job, answered by a line.
 * {tokenizer, config, maxLength} sets one up; {requests} are answered by it, all at once. A job may be both.
 */

import { createInterface } from "node:readline";
import { TextStream, StopStrings } from "../../site_templates/kit/generation/text-stream.js";
import { TokenBytes } from "../../site_templates/kit/generation/token-bytes.js";
import { makeContext } from "../../site_templates/kit/task.js";
import { padRows } from "../../site_templates/kit/text/run-rows.js";
import { makeManifest } from "./fixtures.js";

const tokenizersUrl = new URL(
  "../../site_templates/node_modules/@huggingface/tokenizers/dist/tokenizers.mjs",
  import.meta.url,
).href;
const asBytes = (/** @type {unknown} */ value) => new TextEncoder().encode(JSON.stringify(value));
const inputs = ["input_ids", "attention_mask", "token_type_ids"].map((name) => ({ name, dtype: "int64", shape: [] }));

/** @param {any} context @returns {Record<string, (request: any) => unknown>} */
const makeAnswers = ({ rowEncoder, tokenizer }) => ({
  encode({ text, second, truncation }) {
    const row = second === undefined ? rowEncoder.encode(text) : rowEncoder.encodePair(text, second, truncation);
    return [row.ids, row.types];
  },
  batch({ pairs, truncation }) {
    const rows = pairs.map((/** @type {[string, string | null]} */ [text, second]) =>
      second === null ? rowEncoder.encode(text) : rowEncoder.encodePair(text, second, truncation),
    );
    const feeds = padRows(rows, { ...rowEncoder.padding, inputs });
    return Object.values(feeds).map(({ data }) => Array.from(/** @type {BigInt64Array} */ (data), Number));
  },
  spans: ({ text }) => rowEncoder.findSpans(text, Infinity).map((/** @type {any} */ { span }) => span),
  words: ({ text }) => [...tokenizer.walk(text)].map((part) => part.words?.map((/** @type {any} */ word) => word.text) ?? part.added.id),
  decode: ({ ids, skips }) => tokenizer.decode(ids, { skip_special_tokens: skips }),
  stream({ ids }) {
    const stream = new TextStream(new TokenBytes(tokenizer), new StopStrings([]));
    return ids.map((/** @type {number} */ id) => stream.push(id)).join("") + stream.finish();
  },
});

/** @type {Record<string, (request: any) => unknown>} */
let answers = {};

/** @param {any} job */
async function answer({ tokenizer, config, maxLength, requests = [] }) {
  if (tokenizer) {
    const assets = new Map([["tokenizer.json", asBytes(tokenizer)], ["tokenizer_config.json", asBytes(config)]]);
    const settings = { max_length: maxLength };
    answers = makeAnswers(await makeContext(makeManifest([], { settings }), assets, tokenizersUrl));
  }
  return requests.map((/** @type {any} */ request) => {
    try {
      return answers[request.kind](request);
    } catch (error) {
      return { error: String(error) };
    }
  });
}

for await (const line of createInterface({ input: process.stdin })) {
  try {
    console.log(JSON.stringify(await answer(JSON.parse(line))));
  } catch (error) {
    console.log(JSON.stringify({ error: String(error) }));
  }
}
