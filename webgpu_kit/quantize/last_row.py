"""A prompt on wasm: after the last attention only the last token's row is computed, for nothing else is asked of it.

The graph picks the last row just before the head. What stands between the last attention and that pick treats every row
alone, so the pick may come first: one row through the last layer's matrices in the place of all.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np

from webgpu_kit.nodes import add_initializer, read_int

if TYPE_CHECKING:
    import onnx

# With weights of one axis at most; and MatMul, where its right side is a weight.
ROW_WISE = (
    *("Add", "Mul", "Sigmoid", "Gelu", "QuickGelu"),
    *("SimplifiedLayerNormalization", "SkipSimplifiedLayerNormalization"),
)
LAST = "last_row.index"


def pick_last_row_first(model: onnx.ModelProto) -> int:
    """Move the pick of the last row, over axis 1 of (batch, rows, width), up to the last attention, in place.

    Gives the number of nodes that see one row from now on: 0 for a graph that does not pick its last row, or has no
    GroupQueryAttention above the pick, whose output is of that shape.
    """
    weights = _read_weights(model.graph)
    below = list(_find_rows_below(model.graph, weights))
    known = {name for node in below for name in node.output}.union(weights, [""])
    above = {name for node in below for name in node.input} - known
    if not any(node.op_type == "GroupQueryAttention" and node.output[0] in above for node in model.graph.node):
        return 0
    first = next(index for index, node in enumerate(model.graph.node) if any(node is other for other in below))
    nodes = list(model.graph.node)
    for node in below:
        for index, name in enumerate(node.input):
            node.input[index] = _name_row(name) if name in above else name
    del model.graph.node[:], model.graph.value_info[:]  # ONNX Runtime believes what it is told of shapes
    model.graph.node.extend([*nodes[:first], *(_make_pick(name) for name in sorted(above)), *nodes[first:]])
    add_initializer(model, LAST, np.asarray([-1], dtype=np.int64))
    return len(below)


def _name_row(name: str) -> str:
    return f"{name}.last_row"


def _make_pick(name: str) -> onnx.NodeProto:
    from onnx import helper

    return helper.make_node("Gather", [name, LAST], [_name_row(name)], name=_name_row(name), axis=1)


def _read_weights(graph: onnx.GraphProto) -> dict[str, onnx.TensorProto]:
    """Initializers, and the small constants that are nodes still."""
    constants = [node for node in graph.node if node.op_type == "Constant" and node.attribute[0].name == "value"]
    return {entry.name: entry for entry in graph.initializer} | {
        node.output[0]: node.attribute[0].t for node in constants
    }


def _find_rows_below(graph: onnx.GraphProto, weights: dict[str, onnx.TensorProto]) -> Iterator[onnx.NodeProto]:
    """The row-wise nodes of which nothing but the last row is used, from the last to the first."""
    free = {entry.name for entry in graph.output}  # what is used for more than the last row
    last: set[str] = set()
    for node in reversed(graph.node):
        outputs = [name for name in node.output if name]
        inputs = [name for name in node.input if name and name not in weights]
        if _picks_last_row(node, weights):
            last.add(node.input[0])
        elif _is_row_wise(node, weights) and any(name in last for name in outputs) and free.isdisjoint(outputs):
            last.update(inputs)
            yield node
        else:
            free.update(inputs)


def _picks_last_row(node: onnx.NodeProto, weights: dict[str, onnx.TensorProto]) -> bool:
    from onnx import numpy_helper

    if node.op_type != "Gather" or read_int(node, "axis", 0) != 1 or node.input[1] not in weights:
        return False
    index = numpy_helper.to_array(weights[node.input[1]])
    return index.size == 1 and int(index.reshape(-1)[0]) == -1


def _is_row_wise(node: onnx.NodeProto, weights: dict[str, onnx.TensorProto]) -> bool:
    if node.op_type == "MatMul":
        return node.input[1] in weights and len(weights[node.input[1]].dims) == 2
    return node.op_type in ROW_WISE and all(len(weights[name].dims) < 2 for name in node.input if name in weights)
