"""Normalization on wasm: by its parts, of which each has a kernel that computes four numbers at once.

ONNX Runtime's kernels of LayerNormalization and SkipLayerNormalization go number by number there: 800 tokens of 384
numbers take 1.35 ms on one thread. Their sum, its mean, the difference, SimplifiedLayerNormalization of that, which
differs by not taking the mean, and the last addition take 0.65 ms.
"""

from __future__ import annotations

from collections.abc import Set
from typing import TYPE_CHECKING, Any

import numpy as np

from webgpu_kit.nodes import add_initializer, read_int, walk_nodes

if TYPE_CHECKING:
    import onnx

LAST_AXIS = "normalization.last_axis"
DEFAULT_EPSILON = {"LayerNormalization": 1e-5, "SkipLayerNormalization": 1e-12}


def split_normalizations(model: onnx.ModelProto) -> None:
    """Compute each normalization over the last axis by its parts; changes `model`. What it computes stays the same."""
    used = {name for node in walk_nodes(model.graph) for name in node.input}
    used.update(output.name for output in model.graph.output)
    nodes: list[onnx.NodeProto] = []
    for node in model.graph.node:
        nodes.extend(_list_parts(node) if _can_split(node, used) else [node])
    if len(nodes) == len(model.graph.node):
        return
    del model.graph.node[:]
    model.graph.node.extend(nodes)
    add_initializer(model, LAST_AXIS, np.asarray([-1]))


def _can_split(node: onnx.NodeProto, used: Set[str]) -> bool:
    """Whether it is a normalization over the last axis of which nothing but the normalized values is used."""
    last = node.op_type in DEFAULT_EPSILON and read_int(node, "axis", -1) == -1
    return last and used.isdisjoint(node.output[1:])


def _list_parts(node: onnx.NodeProto) -> list[onnx.NodeProto]:
    from onnx import helper

    result = node.output[0]
    nodes: list[onnx.NodeProto] = []

    def add(operator: str, inputs: list[str], output: str, **settings: Any) -> str:
        nodes.append(helper.make_node(operator, inputs, [output], name=output, **settings))
        return output

    has_skip = node.op_type == "SkipLayerNormalization"
    terms = list(node.input)
    value, scale, shift, bias = terms[0], terms[1 + has_skip], *(*terms[2 + has_skip :], "", "")[:2]
    if has_skip:
        value = add("Add", [value, terms[1]], f"{result}.sum")
    if has_skip and bias:
        value = add("Add", [value, bias], f"{result}.whole")
    mean = add("ReduceMean", [value, LAST_AXIS], f"{result}.mean", keepdims=1)
    centred = add("Sub", [value, mean], f"{result}.centred")
    epsilon = next((each.f for each in node.attribute if each.name == "epsilon"), DEFAULT_EPSILON[node.op_type])
    normal = f"{result}.normal" if shift else result
    add("SimplifiedLayerNormalization", [centred, scale], normal, axis=-1, epsilon=epsilon, stash_type=1)
    if shift:
        add("Add", [normal, shift], result)
    return nodes
