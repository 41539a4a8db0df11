"""An ONNX model's nodes and initializers: walking, reading, copying and adding them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import numpy as np

from webgpu_kit.artifacts import Array

if TYPE_CHECKING:
    import onnx


def walk_nodes(graph: onnx.GraphProto) -> Iterator[onnx.NodeProto]:
    """Every node, those inside subgraphs too."""
    for node in graph.node:
        yield node
        for attribute in node.attribute:
            for inner in (*attribute.graphs, *([attribute.g] if attribute.HasField("g") else [])):
                yield from walk_nodes(inner)


def read_int(node: onnx.NodeProto, name: str, default: int) -> int:
    """An integer attribute of a node."""
    return next((int(attribute.i) for attribute in node.attribute if attribute.name == name), default)


def copy_frame(source: onnx.ModelProto) -> onnx.ModelProto:
    """The model without its nodes and weights: all else is small, and those change."""
    import onnx

    model = onnx.ModelProto()
    for field, value in source.ListFields():
        if field.name != "graph":
            _copy_field(model, field.name, value)
    for field, value in source.graph.ListFields():
        if field.name not in ("node", "initializer"):
            _copy_field(model.graph, field.name, value)
    return model


def _copy_field(target: Any, name: str, value: Any) -> None:
    if isinstance(value, str | bytes | int):
        setattr(target, name, value)
    else:
        getattr(target, name).MergeFrom(value)


def add_initializer(model: onnx.ModelProto, name: str, value: Array) -> None:
    """Add a weight to the graph. Its bytes are copied once, which counts for the large ones."""
    from onnx import helper

    entry = model.graph.initializer.add()
    entry.name, entry.data_type = name, helper.np_dtype_to_tensor_dtype(value.dtype)
    entry.dims.extend(value.shape)
    entry.raw_data = np.ascontiguousarray(value).tobytes()
