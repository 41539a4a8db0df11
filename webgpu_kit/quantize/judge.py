"""Whether a rounding is good enough: on a text for language models, on the golden for everything else."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from webgpu_kit.artifacts import Array, Graph, Tensors
from webgpu_kit.errors import QuantizeError, first_line
from webgpu_kit.manifest import Parity
from webgpu_kit.parity import TextQuality, compare_predictions, log_softmax, measure_parity
from webgpu_kit.quantize.probe import Probe
from webgpu_kit.quantize.session import open_session
from webgpu_kit.tasks import TASKS
from webgpu_kit.tasks.text_generation import read_logprobs

if TYPE_CHECKING:
    import onnx

# Weights to measure, by name; the others stay as they are.
Judge = Callable[[Mapping[str, Array]], "Verdict"]


@dataclass(frozen=True)
class Limits:
    """What a variant must reach: at most `error` in the task's metric, at least `agreement` on the likeliest token."""

    error: float
    agreement: float = 0.0


@dataclass(frozen=True)
class Verdict:
    """What was measured: `error` in the task's metric, further figures, and whether it is good enough."""

    error: float
    agreement: float = 1.0
    details: Mapping[str, float] = field(default_factory=dict)

    def passes(self, limits: Limits) -> bool:
        """Whether the limits are kept; a NaN keeps none."""
        return self.error <= limits.error and self.agreement >= limits.agreement


class TextJudge:
    """Predictions on windows of text, beside those of the graph with its own weights."""

    def __init__(self, probe: Probe, windows: list[Tensors]) -> None:
        self._probe, self._windows = probe, windows
        self._expected = [self._predict(window, {}) for window in windows]

    def __call__(self, weights: Mapping[str, Array]) -> Verdict:
        """Run the text through the graph with these weights."""
        quality = compare_predictions(
            (expected, self._predict(window, weights), window["input_ids"][0])
            for expected, window in zip(self._expected, self._windows, strict=True)
        )
        return Verdict(quality.kl_divergence, quality.top1_agreement, _describe(quality))

    def _predict(self, window: Tensors, weights: Mapping[str, Array]) -> Array:
        return log_softmax(self._probe.run(window, weights, ["logits"])["logits"][0])

    def measure_golden(self, graph: Graph, task: str, weights: Mapping[str, Array]) -> float:
        """The error of the golden's worst sample with these weights; every sample is scored in one run."""
        samples, actual = graph.golden.samples, []
        for sample in samples:
            ids = sample.feeds["input_ids"]
            feeds = {**self._windows[0], "input_ids": ids, "attention_mask": np.ones_like(ids)}
            logits = self._probe.run(feeds, weights, ["logits"])["logits"][0, -sample.input["scored"] :]
            actual.append({"top_logprobs": read_logprobs(logits, sample.input["ask"])})
        return measure_parity(TASKS[task].metric, [sample.outputs for sample in samples], actual, 0.0).value


def _describe(quality: TextQuality) -> dict[str, float]:
    return {
        "kl_divergence": quality.kl_divergence,
        "top1_agreement": quality.top1_agreement,
        "perplexity_ratio": quality.perplexity_ratio,
        "positions": quality.positions,
    }


class GoldenJudge:
    """Answers to the golden's samples, beside those of the original framework."""

    def __init__(self, probe: Probe, graph: Graph, task: str) -> None:
        self._probe, self._graph, self._task = probe, graph, TASKS[task]

    def __call__(self, weights: Mapping[str, Array]) -> Verdict:
        """Answer every sample with these weights."""
        samples, settings = self._graph.golden.samples, self._graph.settings
        actual = [
            self._task.respond(lambda feeds: self._probe.run(feeds, weights), sample, settings) for sample in samples
        ]
        expected: list[Tensors] = [sample.outputs for sample in samples]
        return Verdict(measure_parity(self._task.metric, expected, actual, 0.0).value)


def measure_graph(model: onnx.ModelProto, graph: Graph, task: str, threshold: float) -> Parity:
    """Run every golden sample through `model` with onnxruntime on the CPU and compare."""
    try:
        session = open_session(model)
        names = [output.name for output in graph.interface.outputs]

        def run(feeds: Tensors) -> Tensors:
            return dict(zip(names, session.run(names, feeds), strict=True))

        actual = [TASKS[task].respond(run, sample, graph.settings) for sample in graph.golden.samples]
    except Exception as error:  # onnxruntime raises a dozen classes without a common base
        raise QuantizeError(
            f"onnxruntime cannot run the quantized graph: {first_line(error)}",
            fix="leave this dtype out",
        ) from error
    expected: list[Tensors] = [sample.outputs for sample in graph.golden.samples]
    return measure_parity(TASKS[task].metric, expected, actual, threshold)
