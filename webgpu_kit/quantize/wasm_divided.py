"""Products whose answer is divided at once, as that of query, key and value is: one product for each part instead.

Dividing walks through memory on one thread while the others wait, and the parts' products together take no longer than
the whole. Weights are divided by a node too, which ONNX Runtime computes once, as it loads: the page makes them whole.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from webgpu_kit.initializers import read_weight
from webgpu_kit.nodes import add_initializer, read_int
from webgpu_kit.quantize.integer_products import PRODUCT

if TYPE_CHECKING:
    import onnx

WEIGHT = 1  # the inputs of a product: its weight,
COLUMN_INPUTS = (3, 5, 6)  # and scales, zero points and biases of its columns


def divide_products(model: onnx.ModelProto) -> None:
    """Give each part of a Split its own integer product; changes `model`, and no answer.

    Shapes: (..., columns) = product of a weight (inputs, columns), divided along its last axis.
    """
    known = {entry.name: entry for entry in model.graph.initializer}
    used = [name for node in model.graph.node for name in node.input] + [output.name for output in model.graph.output]
    products = {node.output[0]: node for node in model.graph.node if node.op_type == PRODUCT}
    first: list[onnx.NodeProto] = []
    rest: list[onnx.NodeProto] = []
    divided: set[str] = set()
    for node in model.graph.node:
        product = products.get(node.input[0]) if node.op_type == "Split" else None
        sizes = known.get(node.input[1]) if product and len(node.input) > 1 else None
        ends = node.op_type == "Split" and read_int(node, "axis", 0) in (-1, 2)
        if product is None or sizes is None or not ends or used.count(node.input[0]) > 1:
            rest.append(node)
            continue
        divided.add(node.input[0])
        weights = [f"{product.input[WEIGHT]}.{part}" for part in range(len(node.output))]
        first.append(_divide_weight(product.input[WEIGHT], node.input[1], weights))
        rest.extend(_list_products(model, product, list(node.output), weights, read_weight(sizes), known))
    kept = [node for node in rest if divided.isdisjoint(node.output)]
    del model.graph.node[:]
    model.graph.node.extend([*first, *kept])


def _divide_weight(weight: str, sizes: str, parts: list[str]) -> onnx.NodeProto:
    from onnx import helper

    return helper.make_node("Split", [weight, sizes], parts, name=f"{weight}.parts", axis=1)


def _list_products(
    model: onnx.ModelProto,
    product: onnx.NodeProto,
    outputs: list[str],
    weights: list[str],
    sizes: np.ndarray[tuple[int, ...], np.dtype[np.int64]],
    known: dict[str, onnx.TensorProto],
) -> list[onnx.NodeProto]:
    nodes = []
    ends = np.cumsum(sizes)
    for output, weight, start, end in zip(outputs, weights, ends - sizes, ends, strict=True):
        node = type(product)()
        node.CopyFrom(product)
        node.name = node.output[0] = output
        node.input[WEIGHT] = weight
        for place in (each for each in COLUMN_INPUTS if each < len(node.input)):
            value = read_weight(known[node.input[place]])
            node.input[place] = f"{weight}.{node.input[place]}"
            add_initializer(model, node.input[place], value[start:end])
        nodes.append(node)
    return nodes
