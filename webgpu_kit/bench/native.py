"""The graph of a built site in onnxruntime on this machine's CPU, as a yardstick for the page."""

from __future__ import annotations

import os
import statistics
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np

from webgpu_kit.artifacts import Bundle, Run, Sample, Tensors
from webgpu_kit.browser.patience import Stopwatch
from webgpu_kit.golden_file import RecordedSample, decode_tensor, decode_tensors
from webgpu_kit.manifest import VariantEntry
from webgpu_kit.report import NativeEntry
from webgpu_kit.site_graph import open_session, read_asset
from webgpu_kit.tasks import TASKS

MIN_RUNS, MAX_RUNS, BUDGET_S = 3, 50, 3.0


def time_native(bundle: Bundle, variant: VariantEntry, sample: RecordedSample) -> NativeEntry:
    """Time the graph that wasm loads on the CPU of this machine, with all its cores, on one golden sample."""
    try:
        task, given = TASKS[bundle.manifest.task], read_sample(bundle, sample)
    except ImportError as error:
        return NativeEntry(reason=f"tokenizing text needs {error.name}: pip install 'webgpu-kit[export]'")
    threads = os.cpu_count() or 1
    with TemporaryDirectory(prefix="webgpu-kit-") as folder:
        run = _wrap_session(open_session(bundle, variant, Path(folder), threads))
        task.respond(run, given, bundle.manifest.settings)
        times_ms: list[float] = []
        clock = Stopwatch()
        while len(times_ms) < MIN_RUNS or (len(times_ms) < MAX_RUNS and clock.seconds() < BUDGET_S):
            lap = Stopwatch()
            task.respond(run, given, bundle.manifest.settings)
            times_ms.append(lap.seconds() * 1000)
        del run  # its session maps the weights: Windows does not delete a mapped file
    return NativeEntry(median_ms=statistics.median(times_ms), fastest_ms=min(times_ms), threads=threads)


def _wrap_session(session: Any) -> Run:
    names = [output.name for output in session.get_outputs()]
    return lambda feeds: dict(zip(names, session.run(names, feeds), strict=True))


def read_sample(bundle: Bundle, sample: RecordedSample) -> Sample:
    """A golden sample, as the graph takes it. Raises: ImportError if it is text and there is no tokenizer."""
    given: dict[str, Any] = dict(sample.input)
    if "text" in given:
        feeds = _tokenize(bundle, given["text"])
    elif "token_ids" in given:
        feeds = {"input_ids": np.array([given["token_ids"]], dtype=np.int64)}
        given["ask"] = decode_tensor(given["ask"])
    elif "inputs" in given:
        feeds = decode_tensors(given["inputs"])
    else:
        feeds = {name: decode_tensor(tensor) for name, tensor in given.items()}
    return Sample(input=given, feeds=feeds, outputs=sample.outputs)


def _tokenize(bundle: Bundle, text: list[str]) -> Tensors:
    from tokenizers import Tokenizer

    tokenizer = Tokenizer.from_buffer(read_asset(bundle, "tokenizer.json"))
    tokenizer.enable_truncation(bundle.manifest.settings["max_length"])
    tokenizer.enable_padding()
    encoded = tokenizer.encode_batch(text)
    return {
        "input_ids": np.array([each.ids for each in encoded], dtype=np.int64),
        "attention_mask": np.array([each.attention_mask for each in encoded], dtype=np.int64),
    }
