"""The cheapest rounding that is good enough, tried in order of cost.

1. plain rounding
2. searched scales             as small; a few seconds
3. compensated rounding        as small; needs a text to learn from
4. mixed precision (q4 only)   8 bits for the weights that hurt most per byte, as few as pass
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from webgpu_kit.artifacts import Array, Graph, PackedTensor, Progress, Tensors
from webgpu_kit.packing import expand_tensor
from webgpu_kit.quantize.judge import GoldenJudge, Judge, Limits, TextJudge, Verdict
from webgpu_kit.quantize.probe import Probe
from webgpu_kit.quantize.rounding import Shape, compensate_rounding, search_scales
from webgpu_kit.quantize.weights import Bits, Weight, list_weights, pack_plain, share_packing
from webgpu_kit.tasks.reference_text import make_sentences, make_windows

GLANCE_TOKENS = 96  # what one weight does alone is measured on so much of the text
FINENESS = 1 / 40  # the fewest matrices with 8 bits are found to so many of all
Packed = dict[str, PackedTensor]


@dataclass(frozen=True)
class Rounding:
    """Packed weights, how they were rounded in plain words, and what was measured."""

    packed: Packed
    method: str
    verdict: Verdict


class Bench:
    """What the search needs of one graph, made when it is first asked for and kept for the next variant."""

    def __init__(self, graph: Graph, task: str, progress: Progress) -> None:
        self.graph, self.task, self.progress = graph, task, progress
        self.on_text = task == "text-generation"

    @cached_property
    def weights(self) -> dict[str, Weight]:
        """The weights that are quantized."""
        return list_weights(self.graph.model)

    @cached_property
    def probe(self) -> Probe:
        """The session that everything is measured with."""
        return Probe(self.graph, self.weights, all_positions=self.on_text)

    @cached_property
    def judge(self) -> Judge:
        """What decides."""
        if not self.on_text:
            return GoldenJudge(self.probe, self.graph, self.task)
        self.progress("reading the text that variants are measured on with the original weights")
        return TextJudge(self.probe, make_windows(self.graph.assets, self.graph.settings, "measured"))

    @cached_property
    def source_error(self) -> float:
        """How far a language model's graph with its own weights is from the original, on the golden; 0 for others."""
        judge = self.judge
        return judge.measure_golden(self.graph, self.task, {}) if isinstance(judge, TextJudge) else 0.0

    @cached_property
    def glance(self) -> Judge:
        """What says how much a single weight hurts: shorter, and of a text only what rounding may learn from."""
        if not self.on_text:
            return self.judge
        window = self._calibration[0]
        short = {name: window[name][:, :GLANCE_TOKENS] for name in ("input_ids", "attention_mask")}
        return TextJudge(self.probe, [window | short])

    @cached_property
    def grams(self) -> dict[str, list[Array]]:
        """How the inputs of each matrix go together, by its name; empty where there is no text to learn from."""
        if not self._calibration:
            return {}
        self.progress("learning what the matrices are multiplied with from a second text")
        return self.probe.learn_inputs(self._calibration)

    @property
    def encodes_text(self) -> bool:
        """Whether the graph turns token ids into an answer at once, as encoders do."""
        return not self.on_text and any(spec.name == "input_ids" for spec in self.graph.interface.inputs)

    @cached_property
    def peaks(self) -> dict[str, Array]:
        """The largest inputs of each matrix, by its name; empty where there is no text to learn from."""
        return self.probe.learn_peaks(self._calibration)

    @cached_property
    def _calibration(self) -> list[Tensors]:
        make = make_windows if self.on_text else make_sentences
        return make(self.graph.assets, self.graph.settings, "calibration") if self._takes_tokens() else []

    def _takes_tokens(self) -> bool:
        names = {spec.name for spec in self.graph.interface.inputs}
        return "tokenizer.json" in self.graph.assets and (self.on_text or names == {"input_ids", "attention_mask"})


def find_rounding(bench: Bench, bits: Bits, limits: Limits, *, half: bool) -> Rounding:
    """The first rounding within the limits, else the best one. `half`: scales travel as float16."""
    best: Rounding | None = None
    for method, packed in _try_uniform(bench, bits, half=half):
        rounding = Rounding(packed, method, judge_packed(bench, packed))
        bench.progress(f"{bits} bits, {method}: {describe_verdict(rounding.verdict)}")
        if rounding.verdict.passes(limits):
            return rounding
        if best is None or rounding.verdict.error < best.verdict.error:
            best = rounding
    assert best is not None
    if bits == 4:
        return _mix_precision(bench, best, limits, half=half) or best
    return best


def judge_packed(bench: Bench, packed: Mapping[str, PackedTensor]) -> Verdict:
    """Measure packed weights: those of them that the bench can replace."""
    return bench.judge(expand_packed(bench, packed))


def expand_packed(bench: Bench, packed: Mapping[str, PackedTensor]) -> dict[str, Array]:
    """The values that packed weights stand for: of those that the bench can replace."""
    return {name: expand_tensor(tensor) for name, tensor in packed.items() if name in bench.weights}


def describe_verdict(verdict: Verdict) -> str:
    """The figures in one line."""
    if not verdict.details:
        return f"error {verdict.error:.3g}"
    ratio = verdict.details["perplexity_ratio"]
    return f"KL {verdict.error:.3g}, top-1 {verdict.agreement:.3f}, perplexity x{ratio:.3f}"


def _try_uniform(bench: Bench, bits: Bits, *, half: bool) -> Iterator[tuple[str, Packed]]:
    if not half:  # plain scales are rounded to float16 after the integers are chosen: searched ones cost no more
        yield "plain rounding", pack_each(bench, lambda weight: pack_plain(weight, bits))
    yield "searched scales", pack_each(bench, lambda weight: _search(bench, weight, bits, half=half))
    if bench.grams:
        yield "compensated rounding", pack_each(bench, lambda weight: _compensate(bench, weight, bits, half=half))


def _search(bench: Bench, weight: Weight, bits: Bits, *, half: bool) -> PackedTensor:
    shape = Shape(bits, weight.choose_block_size(bits), weight.transpose, half, weight.centred)
    grams = bench.grams.get(weight.name)
    importance = None if grams is None else np.concatenate([np.diag(gram) for gram in grams])
    return search_scales(weight.name, weight.value, shape, importance)


def _compensate(bench: Bench, weight: Weight, bits: Bits, *, half: bool) -> PackedTensor:
    shape = Shape(bits, weight.choose_block_size(bits), weight.transpose, half, weight.centred)
    grams = bench.grams.get(weight.name)
    if grams is None or sum(map(len, grams)) % shape.block_size:
        return _search(bench, weight, bits, half=half)
    return compensate_rounding(weight.name, weight.value, shape, grams)


def pack_each(bench: Bench, pack: Callable[[Weight], PackedTensor]) -> Packed:
    """`pack` of every weight, several at once; a tied embedding shares its head's."""
    own = [weight for weight in bench.weights.values() if not weight.twin]
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        made = {tensor.name: tensor for tensor in pool.map(pack, own)}
    return {
        name: share_packing(made[weight.twin], weight) if weight.twin else made[name]
        for name, weight in bench.weights.items()
    }


def _mix_precision(bench: Bench, narrow: Rounding, limits: Limits, *, half: bool) -> Rounding | None:
    """8 bits for the fewest groups of weights, those that hurt most per byte first, that keep the limits."""
    wide = pack_each(bench, lambda weight: _search(bench, weight, 8, half=half))
    groups = _rank_groups(bench, narrow.packed)
    low, high, found = 0, len(groups), None
    while not found or high - low > max(len(groups) * FINENESS, 1):
        count = (low + high) // 2 if found else high
        raised = [name for group in groups[:count] for name in group]
        packed = narrow.packed | {name: wide[name] for name in raised}
        verdict = judge_packed(bench, packed)
        method = f"{narrow.method}, 8 bits in {count} of {len(groups)} matrices"
        bench.progress(f"4 bits, {method}: {describe_verdict(verdict)}")
        if not verdict.passes(limits):
            if not found:
                return None
            low = count
            continue
        found, high = Rounding(packed, method, verdict), count
    return found


def _rank_groups(bench: Bench, narrow: Packed) -> list[tuple[str, ...]]:
    """Names of weights that go together, those whose 4 bits hurt most for the bytes they save first."""
    groups: dict[str, list[str]] = {}
    for name, weight in bench.weights.items():
        groups.setdefault(weight.twin or name, []).append(name)
    bench.progress(f"measuring how much each of {len(groups)} matrices hurts with 4 bits")
    costs = {}
    for first, names in groups.items():
        error = bench.glance({name: expand_tensor(narrow[name]) for name in names}).error
        costs[first] = error / bench.weights[first].value.size
    return [tuple(groups[first]) for first in sorted(groups, key=lambda first: -costs[first])]
