"""MiniLM in the page beside Transformers.js: the same weights, browser, machine and sentences, in turns."""

from __future__ import annotations

import shutil
import statistics
import tempfile
from pathlib import Path
from typing import Any

import webgpu_kit
from benchmarks.peer_pages import compress_texts, lay_out_transformersjs, open_cold
from webgpu_kit.browser import find_browser, launch
from webgpu_kit.recipe import find_recipe
from webgpu_kit.serve import serve_in_background
from webgpu_kit.source import fetch_source
from webgpu_kit.vendor import models_folder

# 16 tokens with [CLS] and [SEP]
SENTENCE = "The quick brown fox jumps over the lazy dog near the river bank"
ROUNDS, RUNS = 6, 20
THREADS = 2
LIMITS = {
    "ours_fp32_over_theirs_fp32": ("<=", 1.0),
    "ours_fp32_cold_over_theirs_fp32_cold": ("<=", 1.0),
    "ours_default_cold_over_theirs_smallest_cold": ("<=", 1.0),
    "longest_main_thread_task_ms": ("<=", 50.0),
}
OURS = {"default": "?backend=wasm&variant=q8", "fp32": "?backend=wasm&variant=fp32"}
THEIRS = {"fp32": f"?dtype=fp32&threads={THREADS}", "q8": f"?dtype=q8&threads={THREADS}"}

LONG_TASKS = """window.longTasks = [];
try { new PerformanceObserver((list) => window.longTasks.push(...list.getEntries().map((e) => e.duration)))
  .observe({ type: "longtask", buffered: true }); } catch { window.longTasks = null; }"""
EMBED_OURS = "async (text) => Array.from((await window.kit.run({ text: [text] })).embeddings[0])"
RUN_OURS = """async ([text, runs]) => { const times = []; for (let i = 0; i < runs; i++) {
  const start = performance.now(); await window.kit.run({ text: [text] }); times.push(performance.now() - start); }
  return times; }"""
RUN_THEIRS = """async ([text, runs]) => { const times = []; for (let i = 0; i < runs; i++) {
  const start = performance.now(); await window.embed(text); times.push(performance.now() - start); }
  return times; }"""


def measure() -> dict[str, float]:
    """Milliseconds a sentence (medians over all rounds), megabytes of a cold load, and their ratios."""
    with tempfile.TemporaryDirectory() as folder:
        site, peer = Path(folder) / "site", Path(folder) / "peer"
        webgpu_kit.build("minilm", out=site)
        lay_out_peer(peer)
        with (
            serve_in_background(site) as our_origin,
            serve_in_background(peer) as their_origin,
            launch(find_browser(None), webgpu="none") as browser,
        ):
            pages = {f"ours_{name}": (our_origin + "/" + query, RUN_OURS) for name, query in OURS.items()}
            pages |= {f"theirs_{name}": (their_origin + "/" + query, RUN_THEIRS) for name, query in THEIRS.items()}
            return _compare(browser, pages)


def _compare(browser: Any, pages: dict[str, tuple[str, str]]) -> dict[str, float]:
    opened, figures = {}, {}
    for name, (url, _) in pages.items():
        opened[name], figures[f"{name}_cold_mb"] = open_cold(browser.new_context(), url, LONG_TASKS)
        opened[name].evaluate(pages[name][1], [SENTENCE, 5])
    answers = {name: _embed(page, name) for name, page in opened.items()}
    times: dict[str, list[float]] = {name: [] for name in pages}
    for _ in range(ROUNDS):
        for name, (_, script) in pages.items():
            times[name] += opened[name].evaluate(script, [SENTENCE, RUNS])
    figures |= {f"{name}_ms": statistics.median(values) for name, values in times.items()}
    ours = [page for name, page in opened.items() if name.startswith("ours")]
    figures["longest_main_thread_task_ms"] = max(
        (t for page in ours for t in page.evaluate("window.longTasks")), default=0
    )
    figures["theirs_q8_cosine_distance"] = 1 - _dot(answers["theirs_fp32"], answers["theirs_q8"])
    figures["ours_default_cosine_distance"] = 1 - _dot(answers["theirs_fp32"], answers["ours_default"])
    return figures | _ratios(figures)


def _ratios(figures: dict[str, float]) -> dict[str, float]:
    fastest = min(figures["theirs_fp32_ms"], figures["theirs_q8_ms"])
    smallest = min(figures["theirs_fp32_cold_mb"], figures["theirs_q8_cold_mb"])
    return {
        "ours_fp32_over_theirs_fp32": figures["ours_fp32_ms"] / figures["theirs_fp32_ms"],
        "ours_default_over_theirs_fastest": figures["ours_default_ms"] / fastest,
        "ours_fp32_cold_over_theirs_fp32_cold": figures["ours_fp32_cold_mb"] / figures["theirs_fp32_cold_mb"],
        "ours_default_cold_over_theirs_smallest_cold": figures["ours_default_cold_mb"] / smallest,
    }


def _embed(page: Any, name: str) -> list[float]:
    script = "(text) => window.embed(text)" if name.startswith("theirs") else EMBED_OURS
    return list(page.evaluate(script, SENTENCE))


def _dot(first: list[float], second: list[float]) -> float:
    return sum(a * b for a, b in zip(first, second, strict=True))


def lay_out_peer(folder: Path) -> None:
    """A folder as Transformers.js wants it: its own files, and the model as its users publish it (fp32 and int8)."""
    lay_out_transformersjs(folder, "transformersjs.html")
    _export_peer_model(folder / "models" / "minilm")
    compress_texts(folder)


def _export_peer_model(folder: Path) -> None:
    import onnx
    import onnx_ir
    import torch
    from onnxruntime.quantization import QuantType, quantize_dynamic
    from transformers import AutoModel, AutoTokenizer
    from transformers.exporters.exporter_onnx import OnnxConfig, OnnxExporter

    recipe = find_recipe("minilm", models_folder())
    source = fetch_source(recipe.source, base=recipe.folder, progress=lambda line: None).path
    (folder / "onnx").mkdir(parents=True)
    for name in ("config.json", "tokenizer.json", "tokenizer_config.json"):
        shutil.copyfile(source / name, folder / name)
    model, tokenizer = AutoModel.from_pretrained(source).eval(), AutoTokenizer.from_pretrained(source)
    sample = dict(tokenizer(["one sentence", "and another one"], padding=True, return_tensors="pt"))
    axes = {0: torch.export.Dim("batch", min=1), 1: torch.export.Dim("sequence", min=1, max=512)}
    program = (
        OnnxExporter().export(model, sample, config=OnnxConfig(dynamic_shapes=dict.fromkeys(sample, axes))).program
    )
    proto = onnx_ir.to_proto(program if isinstance(program, onnx_ir.Model) else program.model)
    del proto.graph.output[1:]
    onnx.save(proto, folder / "onnx" / "model.onnx")
    quantize_dynamic(
        folder / "onnx" / "model.onnx", folder / "onnx" / "model_quantized.onnx", weight_type=QuantType.QInt8
    )
