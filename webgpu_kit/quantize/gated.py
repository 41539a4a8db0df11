"""Finding the two matrices of a gated feed-forward block: sigmoid(a) * a * b, with a = x A and b = x B, x normalized.

ONNX Runtime makes one WebGPU dispatch of normalization, both products and the gate (MatMulNBitsMlp), where there were
five; but only where the packed matrices have no zero points, and with this epsilon, whatever the normalization's own.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import onnx

FUSED_EPSILON = 1e-5


def find_gated(graph: onnx.GraphProto) -> set[str]:
    """The names of the weights A and B of every such block that can become one dispatch."""
    makers = {name: node for node in graph.node for name in node.output}
    found: set[str] = set()
    for outer in graph.node:
        for inner, up in _split(outer, makers, "Mul", "MatMul"):
            for gate, sigmoid in _split(inner, makers, "MatMul", "Sigmoid"):
                same = sigmoid.input[0] == gate.output[0] and gate.input[0] == up.input[0]
                if same and _has_epsilon(makers.get(gate.input[0])):
                    found |= {gate.input[1], up.input[1]}
    return found


def _split(
    product: onnx.NodeProto, makers: dict[str, onnx.NodeProto], left: str, right: str
) -> list[tuple[onnx.NodeProto, onnx.NodeProto]]:
    """What makes the factors of a Mul, where they are operators of the kinds `left` and `right`; none or one pair."""
    factors = [makers[name] for name in product.input if name in makers]
    if product.op_type != "Mul" or len(factors) < 2:
        return []
    pairs = (factors[0], factors[1]), (factors[1], factors[0])
    return [(first, second) for first, second in pairs if (first.op_type, second.op_type) == (left, right)]


def _has_epsilon(node: onnx.NodeProto | None) -> bool:
    if node is None or node.op_type not in ("SimplifiedLayerNormalization", "SkipSimplifiedLayerNormalization"):
        return False
    given = [float(attribute.f) for attribute in node.attribute if attribute.name == "epsilon"]
    epsilon = given[0] if given else FUSED_EPSILON
    return abs(epsilon - FUSED_EPSILON) < FUSED_EPSILON / 100
