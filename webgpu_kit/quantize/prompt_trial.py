"""Whether a decoder reads long prompts as integers on wasm: tried, measured on a text, and taken back where it hurts.

What is compared are predictions after prompts that were read as integers and after the same ones in float32: what
rounding the weights for the download costs is measured elsewhere, and is no part of it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from webgpu_kit.artifacts import Array, Graph, PackedTensor, Progress, Tensors, VariantGraph
from webgpu_kit.manifest import ExpandedDtype
from webgpu_kit.nodes import copy_frame
from webgpu_kit.parity import compare_predictions, log_softmax
from webgpu_kit.quantize.integer_prompts import LEAST_ROWS, find_blocks, use_integer_prompts
from webgpu_kit.quantize.judge import measure_graph
from webgpu_kit.quantize.session import open_session
from webgpu_kit.tasks.reference_text import make_windows
from webgpu_kit.tasks.text_generation import TEXT_GENERATION

if TYPE_CHECKING:
    import onnx

LEARNED, MEASURED = 2, 3  # windows of two texts: for the sizes of what the matrices take, and for what rounding costs
FOLLOWING = 16  # tokens after each prompt, read one by one
SHARE = 0.8  # of the limit: another text may come out a little worse


def try_integer_prompts(
    entry: VariantGraph, packed: Mapping[str, PackedTensor], graph: Graph, limit: float, progress: Progress
) -> tuple[VariantGraph, dict[str, PackedTensor], str]:
    """The wasm graph `entry` with long prompts as integers, its new packed weights, and in plain words what it costs.

    It changes `entry`'s model. The graph as it was, where it has nothing to round or predictions become worse than
    float16 would make them, or than `limit` (KL, nats a token).
    """
    windows = {name: make_windows(graph.assets, graph.settings, name) for name in ("calibration", "measured")}
    measured = [window for window in windows["measured"][:MEASURED] if _count(window) > LEAST_ROWS + FOLLOWING]
    blocks = list(find_blocks(entry.model.graph, packed))
    if not blocks or not measured:
        return entry, {}, ""
    inputs = {node.input[1]: node.input[0] for block in blocks for node in (block.gate, block.up)}
    session = open_session(_show_values(entry.model, inputs.values()))
    peaks = _learn_peaks(session, inputs, windows["calibration"][:LEARNED])
    expected = [_predict_after_prompt(session, window) for window in measured]
    nodes, count = [_copy(node) for node in entry.model.graph.node], len(entry.model.graph.initializer)
    weights = use_integer_prompts(entry.model, packed, peaks)
    del session  # before there is another one: each holds all weights
    limit = min(limit, TEXT_GENERATION.thresholds["fp16"])
    session = open_session(entry.model)
    error = compare_predictions(
        (wanted, _predict_after_prompt(session, window), window["input_ids"][0, -FOLLOWING - 1 :])
        for wanted, window in zip(expected, measured, strict=True)
    ).kl_divergence
    good = error <= SHARE * limit and _measure_long_samples(entry.model, graph) <= limit
    progress(f"8-bit integers for long prompts on wasm: KL {error:.3g}" + ("" if good else ", too much: float32"))
    if not good:
        del entry.model.graph.node[:], entry.model.graph.initializer[count:]
        entry.model.graph.node.extend(nodes)
        return entry, {}, ""
    made: dict[str, ExpandedDtype] = dict.fromkeys(weights.packed, "uint8")
    note = f"8-bit integer products in long prompts on wasm (KL {error:.2g})"
    return (
        replace(entry, expanded={**entry.expanded, **made}, steps={**entry.steps, **weights.steps}),
        weights.packed,
        note,
    )


def _count(window: Tensors) -> int:
    return int(window["input_ids"].shape[1])


def _copy(node: onnx.NodeProto) -> onnx.NodeProto:
    copied = type(node)()
    copied.CopyFrom(node)
    return copied


def _show_values(model: onnx.ModelProto, names: Iterable[str]) -> onnx.ModelProto:
    """The model with some of its inner values as outputs; it shares no node with the original."""
    from onnx import helper

    shown = copy_frame(model)
    shown.graph.node.extend(model.graph.node)
    shown.graph.initializer.extend(model.graph.initializer)
    shown.graph.output.extend(helper.make_tensor_value_info(name, 1, None) for name in dict.fromkeys(names))
    return shown


def _learn_peaks(session: Any, inputs: Mapping[str, str], windows: list[Tensors]) -> dict[str, Array]:
    """The largest absolute value of each column of each weight's input, (columns,), by the weight's name."""
    names = list(dict.fromkeys(inputs.values()))
    peaks: dict[str, Array] = {}
    for window in windows:
        for name, value in zip(names, session.run(names, window), strict=True):
            highest = np.abs(value[0]).max(axis=0)
            peaks[name] = np.maximum(peaks.get(name, highest), highest)
    return {weight: peaks[name] for weight, name in inputs.items()}


def _predict_after_prompt(session: Any, window: Tensors) -> Array:
    """Log-probabilities (FOLLOWING + 1, vocabulary): of the prompt's last token, and of each token after it."""
    cache = {name: value for name, value in window.items() if name.startswith("past_key_values.")}
    names = ["logits", *(name.replace("past_key_values", "present") for name in cache)]
    count, start, rows = _count(window), 0, []
    for end in range(count - FOLLOWING, count + 1):
        ids = window["input_ids"][:, start:end]
        logits, *values = session.run(names, {**cache, "input_ids": ids, "attention_mask": np.ones((1, end), np.int64)})
        cache, start = dict(zip(cache, values, strict=True)), end
        rows.append(logits[0, -1])
    return log_softmax(np.stack(rows))


def _measure_long_samples(model: onnx.ModelProto, graph: Graph) -> float:
    """The golden's error on the samples with a long prompt; 0 where there is none."""
    samples = graph.golden.samples
    long = tuple(each for each in samples if each.feeds["input_ids"].shape[1] - each.input["scored"] >= LEAST_ROWS)
    golden = replace(graph.golden, samples=long)
    return measure_graph(model, replace(graph, golden=golden), TEXT_GENERATION.name, 0.0).value if long else 0.0
