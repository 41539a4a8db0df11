"""Nodes that compute on a source's own blocks, exactly.

MatMulNBits knows value = (q - 8) * d; blocks with offsets are value = q * d + m = (q - 8) * d + (m + 8 d). The second
part is the same for a whole block, so it is a block of ones with the scale m + 8 d: appended as further columns of the
matrix, times the input once more, it costs one Concat a distinct input and no node a matrix. Ones are q = 9.
ONNX Runtime computes what depends on weights alone (the appended columns, float32 scales) once, at load.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from webgpu_kit.artifacts import Array, PackedTensor

if TYPE_CHECKING:
    import onnx

ONES = 0x99  # two nibbles of 9
FLOAT32_LEVEL = 1  # MatMulNBits' accuracy_level: activations stay float32


@dataclass
class Rewrite:
    """A graph as it is written anew: its nodes, and the initializers and float16 scales that they need."""

    nodes: list[onnx.NodeProto] = field(default_factory=list)
    initializers: dict[str, onnx.TensorProto] = field(default_factory=dict)
    scales: dict[str, PackedTensor] = field(default_factory=dict)
    doubled: dict[str, str] = field(default_factory=dict)

    def add_node(self, kind: str, inputs: list[str], output: str, **settings: Any) -> str:
        """Append a node named after its only output, and give that output's name."""
        from onnx import helper

        domain = "com.microsoft" if kind in ("MatMulNBits", "GatherBlockQuantized") else ""
        self.nodes.append(helper.make_node(kind, inputs, [output], name=output, domain=domain, **settings))
        return output

    def add_initializer(self, name: str, value: Array) -> str:
        """Add a weight once, and give its name."""
        from onnx import numpy_helper

        if name not in self.initializers:
            self.initializers[name] = numpy_helper.from_array(np.ascontiguousarray(value), name)
        return name

    def add_scales(self, name: str, halves: Array) -> str:
        """Add scales that travel as float16 and that the graph takes as float32; give their name."""
        rows, columns = halves.shape
        self.scales[name] = PackedTensor(name, "float16", 16, 0, rows, columns, False, (rows, columns), halves)
        return self.add_initializer(name, halves.astype(np.float32))


def gather_blocks(node: onnx.NodeProto, tensor: PackedTensor, rewrite: Rewrite) -> None:
    """Gather rows of a packed table without offsets."""
    assert tensor.scales is not None
    data = rewrite.add_initializer(f"{tensor.name}.data", tensor.data.reshape(tensor.rows, -1))
    scales = rewrite.add_scales(f"{tensor.name}.scales", tensor.scales)
    settings = {"bits": tensor.bits, "block_size": tensor.block_size, "gather_axis": 0, "quantize_axis": 1}
    rewrite.add_node("GatherBlockQuantized", [data, node.input[1], scales], node.output[0], **settings)


def multiply_blocks(node: onnx.NodeProto, tensor: PackedTensor, rewrite: Rewrite) -> None:
    """Multiply by a packed matrix; where it has offsets, by twice as many columns."""
    assert tensor.scales is not None
    factor, data = node.input[0], rewrite.add_initializer(f"{tensor.name}.data", tensor.data)
    scales, columns = rewrite.add_scales(f"{tensor.name}.scales", tensor.scales), tensor.columns
    if tensor.offsets is not None:
        offsets = rewrite.add_scales(f"{tensor.name}.offsets", tensor.offsets)
        data, scales = _append_ones(tensor, data, scales, offsets, rewrite)
        factor, columns = _double_input(factor, rewrite), 2 * columns
    settings = {"K": columns, "N": tensor.rows, "bits": tensor.bits, "block_size": tensor.block_size}
    rewrite.add_node("MatMulNBits", [factor, data, scales], node.output[0], accuracy_level=FLOAT32_LEVEL, **settings)


def _append_ones(tensor: PackedTensor, data: str, scales: str, offsets: str, rewrite: Rewrite) -> tuple[str, str]:
    shape = rewrite.add_initializer(f"shape_{'x'.join(map(str, tensor.data.shape))}", np.asarray(tensor.data.shape))
    ones = rewrite.add_initializer("ones", np.full((1, 1, 1), ONES, dtype=np.uint8))
    eight = rewrite.add_initializer("eight", np.asarray(8, dtype=np.float32))
    columns = rewrite.add_node("Expand", [ones, shape], f"{tensor.name}.ones")
    shifted = rewrite.add_node("Mul", [scales, eight], f"{tensor.name}.shift")
    weights = rewrite.add_node("Add", [offsets, shifted], f"{tensor.name}.shifted_offsets")
    return (
        rewrite.add_node("Concat", [data, columns], f"{tensor.name}.wide_data", axis=1),
        rewrite.add_node("Concat", [scales, weights], f"{tensor.name}.wide_scales", axis=1),
    )


def _double_input(name: str, rewrite: Rewrite) -> str:
    if name not in rewrite.doubled:
        rewrite.doubled[name] = rewrite.add_node("Concat", [name, name], f"{name}.twice", axis=-1)
    return rewrite.doubled[name]
