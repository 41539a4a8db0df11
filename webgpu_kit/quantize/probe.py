"""A graph whose weights are inputs: one session measures every rounding of them, and sees what they multiply.

The numbers are those of the expanded weights in float32, which is what every backend computes up to the order of
additions.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING

import numpy as np

from webgpu_kit.artifacts import Array, Graph, Tensors
from webgpu_kit.nodes import copy_frame
from webgpu_kit.quantize.rounding import PANEL_COLUMNS
from webgpu_kit.quantize.session import open_session
from webgpu_kit.quantize.weights import Weight
from webgpu_kit.tasks.reference_text import keep_every_position

if TYPE_CHECKING:
    import onnx


class Probe:
    """A session on `graph` in which any of `weights` can be replaced; of a language model with all tokens' logits."""

    def __init__(self, graph: Graph, weights: Mapping[str, Weight], *, all_positions: bool = False) -> None:
        model = copy_frame(graph.model)
        model.graph.node.extend(graph.model.graph.node)
        if all_positions:
            keep_every_position(model)
        model.graph.initializer.extend(entry for entry in graph.model.graph.initializer if entry.name not in weights)
        self.outputs = [output.name for output in model.graph.output]
        self._factors = _expose(model, weights)
        self._original = {name: weight.value for name, weight in weights.items()}
        self._session = open_session(model)

    def run(self, feeds: Tensors, replaced: Mapping[str, Array], outputs: list[str] | None = None) -> Tensors:
        """The named outputs for one set of feeds, with some weights replaced by others of their shape."""
        names = outputs or self.outputs
        values = self._session.run(names, {**feeds, **self._original, **replaced})
        return dict(zip(names, values, strict=True))

    def learn_inputs(self, windows: Iterable[Tensors]) -> dict[str, list[Array]]:
        """For each matrix: the mean of x x^T over what it is multiplied with, in panels along the diagonal.

        Shapes: each panel is (columns, columns), at most PANEL_COLUMNS.
        """
        sums: dict[str, list[Array]] = {}
        names = list(dict.fromkeys(self._factors.values()))
        count = dict.fromkeys(names, 0)
        for feeds in windows if names else ():
            for name, value in self.run(feeds, {}, names).items():
                rows = value.reshape(-1, value.shape[-1])
                starts = range(0, rows.shape[1], PANEL_COLUMNS)
                panels = [rows[:, start : start + PANEL_COLUMNS] for start in starts]
                squares = [panel.T @ panel for panel in panels]
                known = sums.get(name)
                sums[name] = squares if known is None else [a + b for a, b in zip(known, squares, strict=True)]
                count[name] += len(rows)
        means = {name: [panel / np.float32(count[name]) for panel in panels] for name, panels in sums.items()}
        return {weight: means[factor] for weight, factor in self._factors.items() if factor in means}

    def learn_peaks(self, windows: Iterable[Tensors]) -> dict[str, Array]:
        """For each matrix: the largest absolute value of each column of what it is multiplied with, (columns,)."""
        names = list(dict.fromkeys(self._factors.values()))
        peaks: dict[str, Array] = {}
        for feeds in windows if names else ():
            for name, value in self.run(feeds, {}, names).items():
                highest = np.abs(value.reshape(-1, value.shape[-1])).max(axis=0)
                peaks[name] = np.maximum(peaks.get(name, highest), highest)
        return {weight: peaks[factor] for weight, factor in self._factors.items() if factor in peaks}


def _expose(model: onnx.ModelProto, weights: Mapping[str, Weight]) -> dict[str, str]:
    """Make inputs of the weights, and outputs of what they are multiplied with. Gives each matrix's, by its name."""
    from onnx import helper

    model.graph.input.extend(
        helper.make_tensor_value_info(name, 1, weight.value.shape) for name, weight in weights.items()
    )
    made = {name for node in model.graph.node for name in node.output if name}
    shown = {output.name for output in model.graph.output}
    factors = {
        node.input[1]: node.input[0]
        for node in model.graph.node
        if node.op_type in ("MatMul", "Gemm") and node.input[1] in weights and node.input[0] in made
    }
    new = [name for name in dict.fromkeys(factors.values()) if name not in shown]
    model.graph.output.extend(helper.make_tensor_value_info(name, 1, None) for name in new)
    return factors
