"""Weights as they travel: packed here, expanded here (for parity) and in `site_templates/kit/expand.js` (in the page).

The block layout is that of ONNX Runtime's contrib op MatMulNBits, so one packed tensor serves both the WebGPU
kernel, which computes on it, and wasm, for which it is expanded once at load.
"""

from __future__ import annotations

from typing import Literal

import numpy as np

from webgpu_kit.artifacts import Array, PackedTensor

# Values that share a scale and a zero point.
SMALL_BLOCK, LARGE_BLOCK = 32, 128


def pack_blocks(
    name: str, weight: Array, bits: Literal[4, 8], *, transpose: bool, block_size: int = SMALL_BLOCK
) -> PackedTensor:
    """Round a float32 weight to `bits`-wide integers, with a scale and a zero point for every block of values.

    Shapes: `weight` is flattened to (rows, columns) with the first axis as rows; with `transpose` it is (columns,
    rows), as the right-hand side of MatMul. Blocks run along columns.
    Source: ONNX Runtime's own blockwise quantizers.
    """
    from onnxruntime.capi import _pybind_state as ort

    flat = weight.astype(np.float32).reshape(weight.shape[0], -1)
    matrix = np.ascontiguousarray(flat if transpose else flat.T)  # (columns, rows): what the quantizers take
    columns, rows = matrix.shape
    blocks = -(-columns // block_size)
    data = np.zeros((rows, blocks, block_size * bits // 8), dtype=np.uint8)
    scales = np.zeros(rows * blocks, dtype=np.float32)
    zero_points = np.zeros((rows, -(-blocks * bits // 8)), dtype=np.uint8)
    quantize = ort.quantize_matmul_4bits if bits == 4 else ort.quantize_matmul_8bits
    quantize(data, matrix, scales, zero_points.reshape(-1), block_size, rows, columns, False)
    return PackedTensor(
        name=name,
        kind="blocks",
        bits=bits,
        block_size=block_size,
        rows=rows,
        columns=columns,
        transpose=transpose,
        shape=weight.shape,
        data=data,
        scales=scales.reshape(rows, blocks),
        zero_points=zero_points,
    )


def pack_float16(name: str, weight: Array) -> PackedTensor:
    """Round a float32 weight to float16; values beyond float16's range are clipped to its largest."""
    limit = np.finfo(np.float16).max
    return PackedTensor(
        name=name,
        kind="float16",
        bits=16,
        block_size=0,
        rows=1,
        columns=weight.size,
        transpose=False,
        shape=weight.shape,
        data=np.clip(weight, -limit, limit).astype(np.float16),
    )


def expand_tensor(packed: PackedTensor) -> Array:
    """The float32 weight that a packed one stands for, in its original shape."""
    if packed.kind == "float16":
        halves = packed.data.reshape(packed.rows, packed.columns).astype(np.float32)
        return np.ascontiguousarray(halves.T if packed.transpose else halves).reshape(packed.shape)
    assert packed.scales is not None
    values = _unpack_bits(packed.data.reshape(packed.rows, -1), packed.bits).astype(np.float32)
    blocks = packed.scales.shape[1]
    values = values.reshape(packed.rows, blocks, packed.block_size)
    if packed.offsets is None:
        values -= _read_zero_points(packed, blocks)[:, :, None]
    values *= packed.scales.astype(np.float32)[:, :, None]
    if packed.offsets is not None:
        values += packed.offsets.astype(np.float32)[:, :, None]
    matrix = values.reshape(packed.rows, -1)[:, : packed.columns]
    return np.ascontiguousarray(matrix.T if packed.transpose else matrix).reshape(packed.shape)


def _read_zero_points(packed: PackedTensor, blocks: int) -> Array:
    if packed.zero_points is None:
        return np.full((packed.rows, blocks), 2 ** (packed.bits - 1), dtype=np.float32)
    return _unpack_bits(packed.zero_points, packed.bits)[:, :blocks].astype(np.float32)


def _unpack_bits(packed: Array, bits: int) -> Array:
    if bits == 8:
        return packed
    return np.stack([packed & 0x0F, packed >> 4], axis=-1).reshape(packed.shape[0], -1)
