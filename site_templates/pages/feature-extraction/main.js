/** Feature extraction: type sentences, and see how alike they are in meaning. */

import { latestOnly } from "./kit/ui/latest.js";
import { openShell } from "./kit/ui/shell.js";
import { drawHeatMap } from "./heatmap.js";
import { drawRanking } from "./ranking.js";
import { SentenceList } from "./sentences.js";
import { EmbeddingCache } from "./similarity.js";

const PAUSE_MS = 220;
/** Few enough that a slow machine shows the first results soon. */
const BATCH = 8;

const shell = openShell();
const cache = new EmbeddingCache();
let isReady = false;
let timer = 0;

const sentences = new SentenceList(shell.settings.sentences ?? [], () => {
  show();
  clearTimeout(timer);
  timer = window.setTimeout(embed, PAUSE_MS);
});
const showMap = drawHeatMap((number) => sentences.select(number));
const showRanking = drawRanking();

function show() {
  const written = sentences.read();
  showMap(written, (a, b) => cache.compare(a, b));
  showRanking(written, (a, b) => cache.compare(a, b));
}

const embed = latestOnly(async () => {
  if (!isReady) return;
  const text = cache.findMissing(sentences.read().map((sentence) => sentence.text)).slice(0, BATCH);
  if (text.length === 0) return;
  try {
    const { embeddings } = await shell.run({ text });
    cache.keep(text, embeddings);
    show();
    embed();
  } catch (error) {
    await shell.showRunFailure(error, embed);
  }
});

show();
const model = await shell.load();
if (model) {
  Object.assign(window, { kit: model });
  isReady = true;
  embed();
}
