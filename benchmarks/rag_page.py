"""Search in files: retrieval quality per variant, the threshold of relevance, and the speed of embedding and search."""

from __future__ import annotations

import json
import tempfile
import time
from pathlib import Path
from typing import Any

import webgpu_kit
from webgpu_kit.browser import find_browser, launch
from webgpu_kit.serve import serve_in_background
from webgpu_kit.vendor import models_folder

VARIANTS = ("q8", "fp32")
LIMITS = {
    "recall_at_5_lost_points": ("<=", 1.0),
    "search_100000_ms": ("<=", 50.0),
    "search_5000_ms": ("<=", 10.0),
    "reopen_5000_ms": ("<=", 500.0),
}
IS_READY = """["ready", "done"].includes(document.documentElement.dataset.kitStatus) && window.kit !== undefined"""
# Passages of the sample documents, the questions' ranks among them, and the best cosine of every question.
ASK = """async ({ documents, questions, offTopic }) => {
  const [{ splitText }, { Collection }] = await Promise.all(["split", "collection"].map((name) =>
    import(new URL(`kit/search/${name}.js`, document.baseURI).href)));
  const collection = new Collection(kit.manifest.settings.dimensions);
  for (const [name, text] of Object.entries(documents)) {
    const passages = await splitText(text, (texts) => kit.countTokens(texts));
    const inputs = passages.map(({ start, end }) => text.slice(start, end));
    const { embeddings } = await kit.embed({ inputs, cut: true });
    collection.add({ document: { id: name, name, kind: "markdown", text, pages: [], passages }, vectors: embeddings });
  }
  const look = async (query) => {
    const { embeddings } = await kit.embed({ inputs: [query], cut: true });
    return collection.search(embeddings, query, 100);
  };
  const ranks = [], scores = [], others = [];
  for (const [query, name, quote] of questions) {
    const found = await look(query);
    ranks.push(found.findIndex((each) => each.name === name && each.text.replace(/\\s+/g, " ").includes(quote)) + 1);
    scores.push(Math.max(...found.map(({ score }) => score)));
  }
  for (const query of offTopic) others.push(Math.max(...(await look(query)).map(({ score }) => score)));
  return { ranks, scores, others, passages: collection.passageCount };
}"""
EMBED = """async (texts) => { const start = performance.now(); await kit.embed({ inputs: texts, cut: true });
  return texts.length / (performance.now() - start) * 1000; }"""
SEARCH = """async () => {
  const { VectorTable, pickBest } = await import(new URL("kit/search/vectors.js", document.baseURI).href);
  const table = new VectorTable(384);
  const rows = new Float32Array(384e5).map(() => Math.random() - 0.5);
  table.add(rows);
  const times = [];
  for (let run = 0; run < 9; run++) {
    const start = performance.now();
    pickBest(table.score(rows.subarray(0, 384)), 50);
    times.push(performance.now() - start);
  }
  return times.sort((a, b) => a - b)[4];
}"""
REOPEN = """async (text) => {
  const { startSearch } = await import(new URL("kit/search/client.js", document.baseURI).href);
  const model = { name: "m", sha256: "0", variant: "q8", dimensions: 384 };
  const first = startSearch();
  await first.open({ name: "benchmark", model });
  const passages = Array.from({ length: 100 }, (_, place) => ({ start: place * 500, end: place * 500 + 500 }));
  await first.add(Array.from({ length: 50 }, (_, id) => ({
    document: { id: String(id), name: String(id), kind: "text", text: text.repeat(50), pages: [], passages },
    vectors: new Float32Array(384e2).map(() => Math.random() - 0.5),
  })));
  const again = startSearch();
  await again.list(model);
  let start = performance.now();
  const { passages: count } = await again.open({ name: "benchmark", model });
  const reopen = performance.now() - start;
  const times = [];
  for (let run = 0; run < 9; run++) {
    start = performance.now();
    await again.search({ vector: new Float32Array(384).fill(0.05), query: "water in the refrigerator", count: 8 });
    times.push(performance.now() - start);
  }
  await again.delete("benchmark");
  return { count, reopen, search: times.sort((a, b) => a - b)[4] };
}"""


def measure() -> dict[str, float]:
    """Recall at 5 and mean reciprocal rank (0 to 1), cosines, passages a second and milliseconds."""
    folder = models_folder() / "rag"
    asked = json.loads((folder / "questions.json").read_text(encoding="utf-8"))
    documents = {path.name: path.read_text(encoding="utf-8") for path in sorted((folder / "samples").iterdir())}
    given = {"documents": documents, "questions": asked["questions"], "offTopic": asked["off_topic"]}
    texts = [" ".join(text.split()[start : start + 75]) for text in documents.values() for start in range(0, 300, 5)]
    figures: dict[str, float] = {}
    with tempfile.TemporaryDirectory() as scratch:
        site = Path(scratch) / "site"
        webgpu_kit.build("minilm", out=site, dtypes=list(VARIANTS))
        with serve_in_background(site) as origin, launch(find_browser(None), webgpu="none") as browser:
            for variant in VARIANTS:
                page = _open(browser, f"{origin}/?backend=wasm&variant={variant}")
                figures |= _judge(page.evaluate(ASK, given), variant)
                figures[f"passages_per_second_{variant}"] = max(page.evaluate(EMBED, texts[:64]) for _ in range(3))
            figures["search_100000_ms"] = page.evaluate(SEARCH)
            kept = page.evaluate(REOPEN, documents["tea.md"][:1000])
    figures |= {"reopen_5000_ms": kept["reopen"], "search_5000_ms": kept["search"]}
    figures["recall_at_5_lost_points"] = 100 * (figures["recall_at_5_fp32"] - figures["recall_at_5_q8"])
    return figures


def _judge(found: dict[str, Any], variant: str) -> dict[str, float]:
    ranks = found["ranks"]
    return {
        f"passages_{variant}": found["passages"],
        f"recall_at_5_{variant}": sum(0 < rank <= 5 for rank in ranks) / len(ranks),
        f"mrr_{variant}": sum(1 / rank for rank in ranks if rank) / len(ranks),
        f"lowest_cosine_of_a_question_{variant}": min(found["scores"]),
        f"highest_cosine_off_topic_{variant}": max(found["others"]),
    }


def _open(browser: Any, url: str) -> Any:
    page = browser.new_context().new_page()
    page.goto(url)
    deadline = time.monotonic() + 120
    while not page.evaluate(IS_READY):
        if time.monotonic() > deadline:
            raise TimeoutError(f"{url} was not ready within 120 s")
        time.sleep(0.2)
    return page
