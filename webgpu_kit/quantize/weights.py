"""Which weights of a graph are quantized, and how each is laid out."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal

import numpy as np

from webgpu_kit.artifacts import Array, PackedTensor
from webgpu_kit.initializers import read_weight
from webgpu_kit.manifest import Dtype
from webgpu_kit.nodes import read_int, walk_nodes
from webgpu_kit.packing import LARGE_BLOCK, SMALL_BLOCK, pack_blocks
from webgpu_kit.quantize.gated import find_gated

if TYPE_CHECKING:
    import onnx

Bits = Literal[4, 8]
SMALLEST_PACKED = 1024  # elements: below this a weight costs less than describing how to unpack it
BITS: Mapping[Dtype, Bits] = {"q8": 8, "q4": 4, "q4f16": 4}
# Operators whose weights are quantized, and which input the weight is.
WEIGHT_INPUT = {"MatMul": 1, "Gemm": 1, "Conv": 1, "ConvTranspose": 1, "Gather": 0, "LSTM": 1, "GRU": 1, "RNN": 1}


@dataclass(frozen=True)
class Weight:
    """A weight worth quantizing.

    `twin` is a matrix with the same numbers, lying the other way: a tied embedding travels once, as its head.
    A `centred` one is packed without zero points.
    """

    name: str
    value: Array
    gathered: bool
    transpose: bool
    twin: str = ""
    centred: bool = False

    def choose_block_size(self, bits: Bits) -> int:
        """Large blocks for 8-bit tables, which lose next to nothing by them and are half of a small encoder.

        Small ones for the rest: MatMulNBits on WebGPU has its fast kernel for blocks of 32 only, and convolutions
        lose (measured on EfficientNet: probability error 0.018 with 32, 0.055 with 128), as does everything at 4 bits.
        """
        return LARGE_BLOCK if bits == 8 and self.gathered and not self.twin else SMALL_BLOCK


def list_weights(model: onnx.ModelProto) -> dict[str, Weight]:
    """The float32 weights of quantizable operators, subgraphs included, in the graph's order."""
    users, gated = _find_users(model), find_gated(model.graph)
    weights: dict[str, Weight] = {}
    for initializer in model.graph.initializer:
        node = users.get(initializer.name)
        if node is None or not is_large(initializer) or len(initializer.dims) < 2:
            continue
        name, value = initializer.name, read_weight(initializer)
        transpose, centred = _is_transposed(node, value), name in gated
        weights[name] = Weight(name, value, node.op_type == "Gather", transpose, centred=centred)
    return _find_twins(weights)


def is_large(initializer: onnx.TensorProto) -> bool:
    """Whether it is a float32 weight that is worth packing."""
    return initializer.data_type == 1 and int(np.prod(initializer.dims)) >= SMALLEST_PACKED


def pack_plain(weight: Weight, bits: Bits) -> PackedTensor:
    """Round each value to the nearest step of its block."""
    size = weight.choose_block_size(bits)
    transpose, centred = weight.transpose, weight.centred
    return pack_blocks(weight.name, weight.value, bits, transpose=transpose, block_size=size, centred=centred)


def share_packing(packed: PackedTensor, twin: Weight) -> PackedTensor:
    """The packed form of a weight for its twin: the same bytes under another name."""
    return replace(packed, name=twin.name, transpose=twin.transpose, shape=twin.value.shape)


def _find_twins(weights: dict[str, Weight]) -> dict[str, Weight]:
    heads = {entry.value.shape: entry for entry in weights.values() if entry.transpose}
    for name, weight in weights.items():
        head = heads.get(weight.value.shape[::-1])
        if weight.gathered and head is not None and np.array_equal(weight.value, head.value.T):
            weights[name] = replace(weight, twin=head.name)
    return weights


def _find_users(model: onnx.ModelProto) -> dict[str, onnx.NodeProto]:
    """For each initializer that is the weight of a quantizable operator: the first such node."""
    users: dict[str, onnx.NodeProto] = {}
    for node in walk_nodes(model.graph):
        place = WEIGHT_INPUT.get(node.op_type) if node.domain in ("", "ai.onnx") else None
        if place is not None and len(node.input) > place:
            users.setdefault(node.input[place], node)
    return users


def _is_transposed(node: onnx.NodeProto, weight: Array) -> bool:
    if weight.ndim != 2:
        return False
    return node.op_type == "MatMul" or (node.op_type == "Gemm" and not read_int(node, "transB", 0))
