"""Graph surgery: nodes that compute on packed weights in the place of those that take the weight itself."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from webgpu_kit.artifacts import PackedTensor
from webgpu_kit.manifest import Backend
from webgpu_kit.nodes import add_initializer, read_int, walk_nodes

if TYPE_CHECKING:
    import onnx


def use_packed_operators(
    model: onnx.ModelProto, packed: Mapping[str, PackedTensor], backend: Backend, *, gathers: bool = True
) -> set[str]:
    """Replace nodes that can compute on a packed weight, where all its users can. Gives the names of those weights.

    Without `gathers` a table's rows are taken of the expanded table.
    """
    users: dict[str, list[onnx.NodeProto]] = {}
    for node in walk_nodes(model.graph):
        for name in node.input:
            users.setdefault(name, []).append(node)
    top_level = {id(node) for node in model.graph.node}
    replaced = set()
    for name, tensor in packed.items():
        nodes = users.get(name, [])
        if (
            tensor.kind == "blocks"
            and nodes
            and all(id(node) in top_level and _takes_packed(node, tensor, backend) for node in nodes)
            and (gathers or all(node.op_type != "Gather" for node in nodes))
        ):
            replaced.add(name)
    if replaced:
        _replace_nodes(model, {name: packed[name] for name in replaced})
    return replaced


def _takes_packed(node: onnx.NodeProto, tensor: PackedTensor, backend: Backend) -> bool:
    fits = len(tensor.shape) == 2 and tensor.columns % tensor.block_size == 0
    if node.op_type == "MatMul":
        return fits and backend == "webgpu" and tensor.transpose and node.input[1] == tensor.name
    if node.op_type == "Gemm":
        plain = all(
            attribute.name == "transB"
            or (attribute.name in ("alpha", "beta") and attribute.f == 1.0)
            or attribute.i == 0
            for attribute in node.attribute
        )
        return fits and backend == "webgpu" and plain and node.input[1] == tensor.name
    if node.op_type == "Gather":
        # WebGPU takes no zero points that are padded to whole bytes.
        whole = tensor.zero_points is None or tensor.columns // tensor.block_size * tensor.bits % 8 == 0
        fits = fits and (whole or backend == "wasm") and not tensor.transpose
        return fits and node.input[0] == tensor.name and read_int(node, "axis", 0) == 0
    return False


def _replace_nodes(model: onnx.ModelProto, packed: Mapping[str, PackedTensor]) -> None:
    from onnx import helper

    nodes: list[onnx.NodeProto] = []
    for node in model.graph.node:
        tensor = next((packed[name] for name in node.input if name in packed), None)
        nodes.extend([node] if tensor is None else _packed_nodes(node, tensor))
    for tensor in packed.values():
        data = (
            tensor.data if tensor.transpose or not _is_gathered(tensor, nodes) else tensor.data.reshape(tensor.rows, -1)
        )
        assert tensor.scales is not None
        # Float32 here even where float16 travels: the conversion to float16 turns the whole graph at once.
        parts = {"data": data, "scales": tensor.scales.astype(np.float32)}
        parts |= {} if tensor.zero_points is None else {"zero_points": tensor.zero_points}
        for part, value in parts.items():
            add_initializer(model, f"{tensor.name}.{part}", value)
    del model.graph.node[:]
    model.graph.node.extend(nodes)
    if not any(entry.domain == "com.microsoft" for entry in model.opset_import):
        model.opset_import.append(helper.make_opsetid("com.microsoft", 1))


def _is_gathered(tensor: PackedTensor, nodes: list[onnx.NodeProto]) -> bool:
    return any(node.op_type == "GatherBlockQuantized" and node.input[0] == f"{tensor.name}.data" for node in nodes)


def _packed_nodes(node: onnx.NodeProto, tensor: PackedTensor) -> list[onnx.NodeProto]:
    from onnx import helper

    names = ("data", "scales") if tensor.zero_points is None else ("data", "scales", "zero_points")
    parts = [f"{tensor.name}.{part}" for part in names]
    if node.op_type == "Gather":
        inputs = [parts[0], node.input[1], *parts[1:]]
        settings: dict[str, Any] = {"bits": tensor.bits, "block_size": tensor.block_size}
        settings |= {"gather_axis": 0, "quantize_axis": 1}
        return [
            helper.make_node(
                "GatherBlockQuantized", inputs, list(node.output), name=node.name, domain="com.microsoft", **settings
            )
        ]
    has_bias = node.op_type == "Gemm" and len(node.input) > 2 and bool(node.input[2])
    result = f"{node.output[0]}.product" if has_bias else node.output[0]
    settings = {"K": tensor.columns, "N": tensor.rows, "bits": tensor.bits, "block_size": tensor.block_size}
    product = helper.make_node(
        "MatMulNBits", [node.input[0], *parts], [result], name=node.name, domain="com.microsoft", **settings
    )
    if not has_bias:
        return [product]
    return [product, helper.make_node("Add", [result, node.input[2]], list(node.output), name=f"{node.name}.bias")]
