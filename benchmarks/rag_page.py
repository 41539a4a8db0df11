"""Search in files: the quality of retrieval per variant, and how fast passages are embedded, searched and reopened.

Embedding is timed beside Transformers.js, the same passages in the same browser, in turns.
"""

from __future__ import annotations

import json
import tempfile
from pathlib import Path
from typing import Any

import webgpu_kit
from benchmarks.minilm_page import lay_out_peer
from benchmarks.peer_pages import open_cold
from webgpu_kit.browser import find_browser, launch
from webgpu_kit.serve import serve_in_background
from webgpu_kit.vendor import models_folder

VARIANTS = ("q8", "fp32")
PASSAGES, WORDS, BATCH, ROUNDS = 256, 75, 8, 2
THREADS = 2
LIMITS = {
    "recall_at_5_lost_points": ("<=", 1.0),
    "mrr_lost_points": ("<=", 1.0),
    "ours_over_theirs_fastest": (">=", 1.3),
    "webgpu_dispatches_over_theirs": ("<=", 0.5),
    "search_100000_ms": ("<=", 50.0),
    "search_5000_ms": ("<=", 10.0),
    "reopen_5000_ms": ("<=", 500.0),
}
OURS = {f"ours_{variant}": f"?backend=wasm&variant={variant}" for variant in VARIANTS}
# Theirs as it is called, with all passages at once or one at a time; and with what our page does before: in batches of
# about the same length.
THEIRS = {
    "theirs_int8": (f"?dtype=q8&threads={THREADS}", 1),
    "theirs_int8_all": (f"?dtype=q8&threads={THREADS}", PASSAGES),
    "theirs_int8_batches": (f"?dtype=q8&threads={THREADS}", BATCH),
    "theirs_fp32": (f"?dtype=fp32&threads={THREADS}", 1),
}
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
EMBED_OURS = """async ({ texts }) => { const start = performance.now(); await kit.embed({ inputs: texts, cut: true });
  return texts.length / (performance.now() - start) * 1000; }"""
EMBED_THEIRS = """async ({ texts, batch }) => {
  texts = [...texts].sort((a, b) => a.length - b.length);
  const start = performance.now();
  for (let at = 0; at < texts.length; at += batch) await embed(batch > 1 ? texts.slice(at, at + batch) : texts[at]);
  return texts.length / (performance.now() - start) * 1000; }"""
DISPATCHES_OURS = """async (texts) => {
  await kit.embed({ inputs: texts, cut: true });
  const before = (await kit.stats()).dispatches;
  await kit.embed({ inputs: texts, cut: true });
  return (await kit.stats()).dispatches - before; }"""
COUNT = """globalThis.dispatches = 0;
for (const name of ["dispatchWorkgroups", "dispatchWorkgroupsIndirect"]) {
  const own = GPUComputePassEncoder.prototype[name];
  GPUComputePassEncoder.prototype[name] = function (...given) { dispatches++; return own.apply(this, given); };
}"""
DISPATCHES_THEIRS = """async (texts) => {
  await embed(texts); const before = dispatches; await embed(texts); return dispatches - before; }"""
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
    """Recall at 5 and mean reciprocal rank (0 to 1), cosines, passages a second, milliseconds, dispatches a batch."""
    folder = models_folder() / "rag"
    asked = json.loads((folder / "questions.json").read_text(encoding="utf-8"))
    documents = {path.name: path.read_text(encoding="utf-8") for path in sorted((folder / "samples").iterdir())}
    given = {"documents": documents, "questions": asked["questions"], "offTopic": asked["off_topic"]}
    with tempfile.TemporaryDirectory() as scratch:
        site, peer = Path(scratch) / "site", Path(scratch) / "peer"
        webgpu_kit.build("minilm", out=site, dtypes=list(VARIANTS))
        lay_out_peer(peer)
        with serve_in_background(site) as ours, serve_in_background(peer) as theirs:
            figures = _measure_wasm(ours, theirs, given, _cut_passages(documents))
            figures |= _count_dispatches(ours, theirs, _cut_passages(documents)[:2])
    return figures | _ratios(figures)


def _cut_passages(documents: dict[str, str]) -> list[str]:
    """PASSAGES texts of about 100 tokens; no two are as long as each other for certain."""
    words = [word for text in documents.values() for word in text.split()]
    step = (len(words) - 2 * WORDS) // PASSAGES
    return [" ".join(words[step * at : step * at + WORDS - 8 + at * 7 % 16]) for at in range(PASSAGES)]


def _measure_wasm(ours: str, theirs: str, given: dict[str, Any], texts: list[str]) -> dict[str, float]:
    figures: dict[str, float] = {}
    with launch(find_browser(None), webgpu="none") as browser:
        pages = {name: open_cold(browser.new_context(), f"{ours}/{query}")[0] for name, query in OURS.items()}
        for name, (query, _) in THEIRS.items():
            pages[name] = open_cold(browser.new_context(), f"{theirs}/{query}")[0]
        rates: dict[str, list[float]] = {name: [] for name in pages}
        for name in [*pages] * (ROUNDS + 1):
            script = EMBED_OURS if name in OURS else EMBED_THEIRS
            batch = THEIRS[name][1] if name in THEIRS else 0
            first = not rates[name]
            rates[name].append(pages[name].evaluate(script, {"texts": texts[:16] if first else texts, "batch": batch}))
        figures |= {f"{name}_passages_per_second": max(values[1:]) for name, values in rates.items()}
        for variant in VARIANTS:
            figures |= _judge(pages[f"ours_{variant}"].evaluate(ASK, given), variant)
        figures["search_100000_ms"] = pages["ours_q8"].evaluate(SEARCH)
        kept = pages["ours_q8"].evaluate(REOPEN, given["documents"]["tea.md"][:1000])
    return figures | {"reopen_5000_ms": kept["reopen"], "search_5000_ms": kept["search"]}


def _count_dispatches(ours: str, theirs: str, texts: list[str]) -> dict[str, float]:
    """WebGPU's dispatches for one batch, which are the same on a software adapter as on any other."""
    with launch(find_browser(None), webgpu="software") as browser:
        page = open_cold(browser.new_context(), f"{ours}/?backend=webgpu&variant=q8")[0]
        own = page.evaluate(DISPATCHES_OURS, texts)
        page.close()
        page = open_cold(browser.new_context(), f"{theirs}/?dtype=fp32&device=webgpu", COUNT)[0]
        return {"ours_webgpu_dispatches": own, "theirs_webgpu_dispatches": page.evaluate(DISPATCHES_THEIRS, texts)}


def _ratios(figures: dict[str, float]) -> dict[str, float]:
    ours = figures["ours_q8_passages_per_second"]
    fastest = max(figures[f"{name}_passages_per_second"] for name in THEIRS if name != "theirs_int8_batches")
    return {
        "ours_over_theirs_fastest": ours / fastest,
        "ours_over_theirs_in_batches": ours / figures["theirs_int8_batches_passages_per_second"],
        "webgpu_dispatches_over_theirs": figures["ours_webgpu_dispatches"] / figures["theirs_webgpu_dispatches"],
        "recall_at_5_lost_points": 100 * (figures["recall_at_5_fp32"] - figures["recall_at_5_q8"]),
        "mrr_lost_points": 100 * (figures["mrr_fp32"] - figures["mrr_q8"]),
    }


def _judge(found: dict[str, Any], variant: str) -> dict[str, float]:
    ranks = found["ranks"]
    return {
        f"passages_{variant}": found["passages"],
        f"recall_at_5_{variant}": sum(0 < rank <= 5 for rank in ranks) / len(ranks),
        f"mrr_{variant}": sum(1 / rank for rank in ranks if rank) / len(ranks),
        f"lowest_cosine_of_a_question_{variant}": min(found["scores"]),
        f"highest_cosine_off_topic_{variant}": max(found["others"]),
    }
