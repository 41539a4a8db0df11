"""SmolLM2 in the page on wasm beside Transformers.js and wllama: the same GGUF, browser, machine and text, in turns."""

from __future__ import annotations

import hashlib
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from itertools import pairwise
from pathlib import Path
from typing import Any

from benchmarks.page_load import measure_heap, measure_second_visit
from benchmarks.peer_pages import PEERS, compress_texts, lay_out_transformersjs, lay_out_wllama, open_cold
from webgpu_kit.browser import find_browser, launch
from webgpu_kit.manifest import read_manifest
from webgpu_kit.recipe import find_recipe
from webgpu_kit.serve import serve_in_background
from webgpu_kit.source import fetch_source
from webgpu_kit.vendor import models_folder

ROUNDS, LONG_ROUNDS = 3, 2
THREADS = 2
DECODED = 40  # tokens; the first few of an answer are left out of its pace
LONG_PROMPT, LONG_CONTEXT = 512, 1500  # tokens
CACHE = Path.home() / ".cache" / "webgpu-kit" / "benchmarks"
# What Transformers.js's users convert models with stopped at an older transformers: it has an environment of its own.
PEER_PACKAGES = ("optimum-onnx==0.1.0", "transformers==4.57.6", "onnxruntime==1.32.0", "onnx-ir", "gguf", "accelerate")
DTYPES = ("fp32", "q8", "q4")
SENTENCES = (
    "The lighthouse keeper wrote down the weather every evening before the lamps were lit.",
    "A ship that carried oranges came past the rocks in heavy rain and nobody was hurt.",
    "In spring the children of the village walked out to count the birds on the cliffs.",
)
ASK = "Tell a long story about this place and the people who lived there."
LIMITS = {
    "decode_over_theirs_fastest": (">=", 1.3),
    "decode_over_wllama": (">=", 2.0),
    "first_token_over_theirs_fastest": ("<=", 1.0),
    "first_token_over_wllama": ("<=", 0.25),
    "ours_download_mb": ("<=", 100.0),
    "ours_kl": ("<=", 0.01),
    "decode_at_1500_over_at_50": (">=", 0.7),
    "heap_over_download": ("<=", 1.3),
    "second_visit_over_first": ("<=", 1 / 3),
    "build_s": ("<=", 90.0),
}

# Each gives the milliseconds from the start at which the tokens came.
OURS = """async ([system, user, count]) => {
  const messages = [{ role: "system", content: system }, { role: "user", content: user }];
  const times = [], start = performance.now();
  const options = { messages, temperature: 0, max_tokens: count, stream: true };
  for await (const chunk of await window.kit.chat.completions.create(options))
    if (chunk.choices[0]?.delta.content) times.push(performance.now() - start);
  return times;
}"""
THEIRS = """([system, user, count]) => {
  const turn = (role, text) => `<|im_start|>${role}\\n${text}<|im_end|>\\n`;
  return window.generate(`${turn("system", system)}${turn("user", user)}<|im_start|>assistant\\n`, count);
}"""


def measure() -> dict[str, float]:
    """Tokens a second, milliseconds to the first token and megabytes: medians of rounds in turns, and their ratios."""
    with tempfile.TemporaryDirectory() as folder:
        site = Path(folder) / "site"
        build_s = _build(site)
        with ExitStack() as stack:
            pages = {"ours": (stack.enter_context(serve_in_background(site)) + "/?backend=wasm", OURS)}
            for name, address in stack.enter_context(_serve_peers(Path(folder))).items():
                pages[name] = (address, THEIRS)
            browser = stack.enter_context(launch(find_browser(None), webgpu="none"))
            figures = _compare(browser, pages)
            heap = measure_heap(browser, pages["ours"][0])
        visits = measure_second_visit(site, "/?backend=wasm")
        variant = read_manifest(site).variants[0]
    figures |= {"build_s": build_s, "ours_kl": variant.parity.value, "ours_download_mb": variant.download_bytes / 1e6}
    return figures | heap | visits | _ratios(figures)


def _build(site: Path) -> float:
    started = time.perf_counter()
    command = [sys.executable, "-m", "webgpu_kit.cli", "build", "smollm2", "--out", str(site)]
    subprocess.run(command, check=True, capture_output=True)
    return time.perf_counter() - started


def _compare(browser: Any, pages: dict[str, tuple[str, str]]) -> dict[str, float]:
    figures: dict[str, float] = {}
    steps: dict[str, list[float]] = {name: [] for name in pages}
    firsts: dict[str, list[float]] = {name: [] for name in pages}
    opened = {}
    for name, (url, _) in pages.items():
        opened[name], figures[f"{name}_cold_mb"] = open_cold(browser.new_context(), url)
    for number in range(ROUNDS):
        for name, (_, script) in pages.items():
            print(f"  round {number + 1} of {ROUNDS}: {name}", file=sys.stderr)
            # A new beginning each time, so that nobody's cache has it already.
            steps[name] += _read_steps(opened[name].evaluate(script, [f"Place {number}.", ASK, DECODED]))
            if number < LONG_ROUNDS:
                system = _make_text(f"Reading {number}.", LONG_PROMPT - len_tokens(ASK) - 12)
                firsts[name].append(opened[name].evaluate(script, [system, ASK, 2])[0])
    long_system = _make_text("A long one.", LONG_CONTEXT - len_tokens(ASK) - 12)
    late = _read_steps(opened["ours"].evaluate(OURS, [long_system, ASK, DECODED]))
    for name in pages:
        figures[f"{name}_tokens_per_s"] = 1000 / statistics.median(steps[name])
        figures[f"{name}_first_token_ms"] = statistics.median(firsts[name])
    figures["ours_tokens_per_s_at_1500"] = 1000 / statistics.median(late)
    return figures


def _read_steps(times_ms: list[float]) -> list[float]:
    steps = [later - earlier for earlier, later in pairwise(times_ms)]
    return steps[3:]


def _ratios(figures: dict[str, float]) -> dict[str, float]:
    theirs = [f"transformersjs_{dtype}" for dtype in DTYPES]
    fastest = max(figures[f"{name}_tokens_per_s"] for name in theirs)
    soonest = min(figures[f"{name}_first_token_ms"] for name in theirs)
    decode, first = figures["ours_tokens_per_s"], figures["ours_first_token_ms"]
    return {
        "decode_over_theirs_fastest": decode / fastest,
        "decode_over_wllama": decode / figures["wllama_tokens_per_s"],
        "first_token_over_theirs_fastest": first / soonest,
        "first_token_over_wllama": first / figures["wllama_first_token_ms"],
        "decode_at_1500_over_at_50": figures["ours_tokens_per_s_at_1500"] / decode,
    }


def len_tokens(text: str) -> int:
    """Tokens of `text` by the model's own tokenizer."""
    from tokenizers import Tokenizer

    tokenizer = Tokenizer.from_file(str(_export_peer_model() / "tokenizer.json"))
    return len(tokenizer.encode(text, add_special_tokens=False).ids)


def _make_text(start: str, tokens: int) -> str:
    """Prose of about so many tokens, which begins with `start`."""
    words = f"{start} " + " ".join(SENTENCES * 60)
    parts = words.split(" ")
    low, high = 1, len(parts)
    while low < high:
        middle = (low + high + 1) // 2
        low, high = (middle, high) if len_tokens(" ".join(parts[:middle])) <= tokens else (low, middle - 1)
    return " ".join(parts[:low])


@contextmanager
def _serve_peers(folder: Path) -> Iterator[dict[str, str]]:
    transformersjs, wllama = folder / "transformersjs", folder / "wllama"
    lay_out_transformersjs(transformersjs, "transformersjs_chat.html")
    shutil.copytree(_export_peer_model(), transformersjs / "models" / "smollm2")
    lay_out_wllama(wllama, _find_gguf())
    for each in (transformersjs, wllama):
        compress_texts(each)
    with serve_in_background(transformersjs) as theirs, serve_in_background(wllama) as other:
        pages = {f"transformersjs_{dtype}": f"{theirs}/?dtype={dtype}&threads={THREADS}" for dtype in DTYPES}
        yield pages | {"wllama": f"{other}/?threads={THREADS}"}


def _find_gguf() -> Path:
    recipe = find_recipe("smollm2", models_folder())
    return fetch_source(recipe.source, base=recipe.folder, progress=lambda line: None).path


def _export_peer_model() -> Path:
    """The GGUF in Transformers.js's form, kept between runs: making it takes minutes and an environment of its own."""
    script, gguf = PEERS / "export_decoder.py", _find_gguf()
    key = hashlib.sha256(script.read_bytes() + str(gguf).encode() + "".join(PEER_PACKAGES).encode()).hexdigest()[:16]
    out, environment = CACHE / f"smollm2-{key}", CACHE / f"export-{key}"
    if not out.is_dir():
        python = environment / "bin" / "python"
        subprocess.run([sys.executable, "-m", "venv", environment], check=True)
        for packages in (("torch==2.13.0",), PEER_PACKAGES):
            subprocess.run([python, "-m", "pip", "install", "--quiet", *packages], check=True)
        shutil.rmtree(CACHE / "making", ignore_errors=True)
        subprocess.run([python, script, gguf, CACHE / "making"], check=True, capture_output=True)
        (CACHE / "making").rename(out)
    return out
