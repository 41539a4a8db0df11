"""Finding gated feed-forward blocks: sigmoid(a) * a * b, with a = x A and b = x B, x normalized.

ONNX Runtime makes one WebGPU dispatch of normalization, both products and the gate (MatMulNBitsMlp), where there were
five; but only where the packed matrices have no zero points, and with this epsilon, whatever the normalization's own.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import onnx

FUSED_EPSILON = 1e-5


NORMALIZATIONS = ("SimplifiedLayerNormalization", "SkipSimplifiedLayerNormalization")


@dataclass(frozen=True)
class GatedBlock:
    """The nodes of one block: `gate` makes a, `up` b, `outer` the result."""

    norm: onnx.NodeProto
    gate: onnx.NodeProto
    up: onnx.NodeProto
    sigmoid: onnx.NodeProto
    inner: onnx.NodeProto
    outer: onnx.NodeProto


def find_gated(graph: onnx.GraphProto) -> set[str]:
    """The names of the weights A and B of every such block that can become one dispatch."""
    fitting = [block for block in find_gated_blocks(graph) if _has_epsilon(block.norm)]
    return {node.input[1] for block in fitting for node in (block.gate, block.up)}


def find_gated_blocks(graph: onnx.GraphProto) -> Iterator[GatedBlock]:
    """Every such block, in the graph's order."""
    makers = {name: node for node in graph.node for name in node.output}
    for outer in graph.node:
        for inner, up in _split(outer, makers, "Mul", "MatMul"):
            for gate, sigmoid in _split(inner, makers, "MatMul", "Sigmoid"):
                norm = makers.get(gate.input[0])
                same = sigmoid.input[0] == gate.output[0] and gate.input[0] == up.input[0]
                if same and norm is not None and norm.op_type in NORMALIZATIONS:
                    yield GatedBlock(norm, gate, up, sigmoid, inner, outer)


def _split(
    product: onnx.NodeProto, makers: dict[str, onnx.NodeProto], left: str, right: str
) -> list[tuple[onnx.NodeProto, onnx.NodeProto]]:
    """What makes the factors of a Mul, where they are operators of the kinds `left` and `right`; none or one pair."""
    factors = [makers[name] for name in product.input if name in makers]
    if product.op_type != "Mul" or len(factors) < 2:
        return []
    pairs = (factors[0], factors[1]), (factors[1], factors[0])
    return [(first, second) for first, second in pairs if (first.op_type, second.op_type) == (left, right)]


def _has_epsilon(norm: onnx.NodeProto) -> bool:
    given = [float(attribute.f) for attribute in norm.attribute if attribute.name == "epsilon"]
    epsilon = given[0] if given else FUSED_EPSILON
    return abs(epsilon - FUSED_EPSILON) < FUSED_EPSILON / 100
