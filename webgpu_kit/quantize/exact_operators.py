"""Nodes that compute on a source's own blocks, exactly.

MatMulNBits knows value = (q - 8) * d; blocks with offsets are value = q * d + m = (q - 8) * d + (m + 8 d). The second
part is the same for a whole block, so it is a block of ones with the scale m + 8 d: appended as further columns of the
matrix, times the input once more, it costs one Concat a distinct input and no node a matrix. Ones are q = 9.
With 8 bits it is (q - 128) * d: a weight that is widened is widened to q + 128, and the ones' scale is m alone.
ONNX Runtime computes what depends on weights alone (the appended columns, float32 scales) once, at load.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from webgpu_kit.artifacts import Array, PackedTensor
from webgpu_kit.packing import expand_tensor

if TYPE_CHECKING:
    import onnx

ONES = {4: 0x99, 8: 0x81}  # bytes of ones, less the zero points 8 and 128
FLOAT32_LEVEL = 1  # MatMulNBits' accuracy_level: activations stay float32


@dataclass
class Rewrite:
    """A graph as it is written anew: its nodes, the initializers that they need, and which are `made` at load."""

    nodes: list[onnx.NodeProto] = field(default_factory=list)
    initializers: dict[str, onnx.TensorProto] = field(default_factory=dict)
    made: dict[str, PackedTensor] = field(default_factory=dict)
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

    def add_made(self, tensor: PackedTensor, shape: tuple[int, ...] = ()) -> str:
        """Add a weight that travels packed and that the graph takes unpacked; give its name."""
        self.made[tensor.name] = tensor
        return self.add_initializer(tensor.name, expand_tensor(tensor).reshape(shape or tensor.shape))

    def add_scales(self, tensor: PackedTensor, part: Literal["scales", "offsets"]) -> str:
        """Add a packed tensor's scales or offsets, float32 (rows, blocks); give their name."""
        values, supers = getattr(tensor, part), getattr(tensor, f"super_{part}")
        rows, columns = values.shape
        halves = PackedTensor(f"{tensor.name}.{part}", "float16", 16, 0, rows, columns, False, (rows, columns), values)
        if supers is None:
            return self.add_made(halves)
        # Their bytes are blocks of 8 bits themselves.
        return self.add_made(replace(halves, kind="blocks", bits=8, block_size=tensor.super_size, scales=supers))


def gather_blocks(node: onnx.NodeProto, tensor: PackedTensor, rewrite: Rewrite) -> None:
    """Gather rows of a packed table without offsets."""
    data, bits = _add_levels(tensor, (tensor.rows, -1), rewrite)
    scales = rewrite.add_scales(tensor, "scales")
    settings = {"bits": bits, "block_size": tensor.block_size, "gather_axis": 0, "quantize_axis": 1}
    rewrite.add_node("GatherBlockQuantized", [data, node.input[1], scales], node.output[0], **settings)


def multiply_blocks(node: onnx.NodeProto, tensor: PackedTensor, rewrite: Rewrite) -> None:
    """Multiply by a packed matrix; where it has offsets, by twice as many columns."""
    blocks = tensor.columns // tensor.block_size
    data, bits = _add_levels(tensor, (tensor.rows, blocks, -1), rewrite)
    factor, scales, columns = node.input[0], rewrite.add_scales(tensor, "scales"), tensor.columns
    if tensor.offsets is not None:
        offsets = rewrite.add_scales(tensor, "offsets")
        shape = (tensor.rows, blocks, tensor.block_size * bits // 8)
        data, scales = _append_ones(tensor.name, bits, shape, (data, scales, offsets), rewrite)
        factor, columns = _double_input(factor, rewrite), 2 * columns
    settings = {"K": columns, "N": tensor.rows, "bits": bits, "block_size": tensor.block_size}
    rewrite.add_node("MatMulNBits", [factor, data, scales], node.output[0], accuracy_level=FLOAT32_LEVEL, **settings)


def _add_levels(tensor: PackedTensor, shape: tuple[int, ...], rewrite: Rewrite) -> tuple[str, int]:
    """The integers of a packed tensor as the operators take them, and their width in bits, 4 or 8."""
    if not tensor.codebook and (tensor.bits == 4 or (tensor.bits == 8 and tensor.offsets is None)):
        return rewrite.add_initializer(f"{tensor.name}.data", tensor.data.reshape(shape)), tensor.bits
    first = 0 if tensor.offsets is not None else -(2 ** (tensor.bits - 1))
    levels = replace(
        tensor,
        name=f"{tensor.name}.levels",
        kind="levels",
        transpose=False,
        shape=(tensor.rows, tensor.columns),
        codebook=tensor.codebook or tuple(range(first, first + 2**tensor.bits)),
        scales=None,
        offsets=None,
        super_scales=None,
        super_offsets=None,
    )
    return rewrite.add_made(levels, shape), 8


def _append_ones(
    name: str, bits: int, shape: tuple[int, ...], parts: tuple[str, str, str], rewrite: Rewrite
) -> tuple[str, str]:
    """The integers and scales of twice as many columns, from `parts`: integers, scales, offsets."""
    data, scales, weights = parts
    size = rewrite.add_initializer(f"shape_{'x'.join(map(str, shape))}", np.asarray(shape))
    ones = rewrite.add_initializer(f"ones_{bits}", np.full((1, 1, 1), ONES[bits], dtype=np.uint8))
    columns = rewrite.add_node("Expand", [ones, size], f"{name}.ones")
    if bits == 4:
        eight = rewrite.add_initializer("eight", np.asarray(8, dtype=np.float32))
        shifted = rewrite.add_node("Mul", [scales, eight], f"{name}.shift")
        weights = rewrite.add_node("Add", [weights, shifted], f"{name}.shifted_offsets")
    return (
        rewrite.add_node("Concat", [data, columns], f"{name}.wide_data", axis=1),
        rewrite.add_node("Concat", [scales, weights], f"{name}.wide_scales", axis=1),
    )


def _double_input(name: str, rewrite: Rewrite) -> str:
    if name not in rewrite.doubled:
        rewrite.doubled[name] = rewrite.add_node("Concat", [name, name], f"{name}.twice", axis=-1)
    return rewrite.doubled[name]
