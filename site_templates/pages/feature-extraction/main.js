/** Feature extraction: type sentences, and see how alike they are in meaning. */

import { answerLive } from "./kit/ui/live-answer.js";
import { SentenceList } from "./kit/ui/sentence-list.js";
import { openShell } from "./kit/ui/shell.js";
import { drawHeatMap } from "./heatmap.js";
import { drawRanking } from "./ranking.js";
import { EmbeddingCache } from "./similarity.js";

/** Few enough that a slow machine shows the first results soon. */
const BATCH = 8;

const shell = openShell();
const cache = new EmbeddingCache();

const live = answerLive(shell, {
  read() {
    const text = cache.findMissing(sentences.read().map((sentence) => sentence.text)).slice(0, BATCH);
    return text.length > 0 ? { text } : null;
  },
  show({ embeddings }, { text }) {
    cache.keep(text, embeddings);
    draw();
    live.ask();
  },
});
const sentences = new SentenceList(shell.settings.sentences ?? [], {
  onChange() {
    draw();
    live.askSoon();
  },
});
const showMap = drawHeatMap((number) => sentences.select(number));
const showRanking = drawRanking();

function draw() {
  const written = sentences.read();
  showMap(written, (a, b) => cache.compare(a, b));
  showRanking(written, (a, b) => cache.compare(a, b));
}

draw();
await live.start();
