"""Weights as they travel: packed here, expanded here (for parity) and in `site_templates/kit/expand.js` (in the page).

The block layout is that of ONNX Runtime's contrib op MatMulNBits, so one packed tensor serves both the WebGPU
kernel, which computes on it, and wasm, for which it is expanded once at load.
"""

from __future__ import annotations

from typing import Literal

import numpy as np

from webgpu_kit.artifacts import Array, IntegerSteps, PackedTensor

# Values that share a scale and a zero point.
SMALL_BLOCK, LARGE_BLOCK = 32, 128


def pack_blocks(
    name: str,
    weight: Array,
    bits: Literal[4, 8],
    *,
    transpose: bool,
    block_size: int = SMALL_BLOCK,
    centred: bool = False,
) -> PackedTensor:
    """Round a float32 weight to `bits`-wide integers, with a scale and a zero point for every block of values.

    Shapes: `weight` is flattened to (rows, columns) with the first axis as rows; with `transpose` it is (columns,
    rows), as the right-hand side of MatMul. Blocks run along columns. With `centred` there are no zero points.
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
    quantize(data, matrix, scales, zero_points.reshape(-1), block_size, rows, columns, centred)
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
        zero_points=None if centred else zero_points,
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
    """The weight that a packed one stands for, in its original shape: float32, or uint8 for `levels`."""
    if packed.kind in ("float16", "bfloat16"):
        matrix = _read_floats(packed).reshape(packed.rows, packed.columns)
    elif packed.kind == "levels":
        levels = np.asarray(packed.codebook, dtype=np.int16) + 128
        matrix = levels.astype(np.uint8)[unpack_codes(packed.data.reshape(packed.rows, -1), packed.bits)]
    else:
        matrix = _expand_blocks(packed)
    return np.ascontiguousarray(matrix.T if packed.transpose else matrix).reshape(packed.shape)


def round_to_steps(packed: PackedTensor, steps: IntegerSteps) -> Array:
    """A packed weight as 8-bit integers, uint8, in its original shape. Halves are rounded up, as in the page."""
    factors, scales = steps.factors.astype(np.float64), steps.scales.astype(np.float64)
    levels = np.floor(_expand_blocks(packed).astype(np.float64) * factors / scales[:, None] + 0.5)
    integers = np.clip(levels + steps.zero_points[:, None], 0, 255).astype(np.uint8)
    return np.ascontiguousarray(integers.T if packed.transpose else integers).reshape(packed.shape)


def _read_floats(packed: PackedTensor) -> Array:
    if packed.kind == "float16":
        return packed.data.astype(np.float32)
    return (packed.data.view(np.uint16).astype(np.uint32) << 16).view(np.float32)  # bfloat16: float32's upper half


def _expand_blocks(packed: PackedTensor) -> Array:
    scales, offsets = read_scales(packed), read_offsets(packed)
    codes = unpack_codes(packed.data.reshape(packed.rows, -1), packed.bits)
    values = np.asarray(packed.codebook, dtype=np.float32)[codes] if packed.codebook else codes.astype(np.float32)
    blocks = scales.shape[1]
    values = values.reshape(packed.rows, blocks, packed.block_size)
    if offsets is None and not packed.codebook:
        values -= _read_zero_points(packed, blocks)[:, :, None]
    values *= scales[:, :, None]
    if offsets is not None:
        values += offsets[:, :, None]
    return values.reshape(packed.rows, -1)[:, : packed.columns]


def read_scales(packed: PackedTensor) -> Array:
    """The scale of every block, float32 (rows, blocks)."""
    assert packed.scales is not None
    return _multiply_out(packed.scales, packed.super_scales, packed.super_size)


def read_offsets(packed: PackedTensor) -> Array | None:
    """The offset of every block, float32 (rows, blocks); None where it has a zero point or a codebook alone."""
    if packed.offsets is None:
        return None
    return _multiply_out(packed.offsets, packed.super_offsets, packed.super_size)


def _multiply_out(parts: Array, supers: Array | None, size: int) -> Array:
    if supers is None:
        return parts.astype(np.float32)
    wide = np.repeat(supers.astype(np.float32), size, axis=1)[:, : parts.shape[1]]
    return np.asarray((parts.astype(np.float32) - 128) * wide)


def _read_zero_points(packed: PackedTensor, blocks: int) -> Array:
    if packed.zero_points is None:
        return np.full((packed.rows, blocks), 2 ** (packed.bits - 1), dtype=np.float32)
    return unpack_codes(packed.zero_points, packed.bits)[:, :blocks].astype(np.float32)


def pack_codes(codes: Array, bits: int) -> Array:
    """Integers below 2 ** bits, uint8 (rows, columns), as a stream of bits: uint8 (rows, columns * bits / 8).

    The first value takes the lowest bits of the first byte. `columns` is a multiple of 8.
    """
    eights = codes.reshape(-1, 8)
    words = np.zeros(len(eights), dtype="<u8")
    for place in range(8):
        words |= eights[:, place].astype("<u8") << np.uint64(bits * place)
    return np.ascontiguousarray(words.view(np.uint8).reshape(-1, 8)[:, :bits]).reshape(codes.shape[0], -1)


def unpack_codes(packed: Array, bits: int) -> Array:
    """The integers of a stream of bits, uint8 (rows, columns): what `pack_codes` took."""
    if bits == 8:
        return packed
    if bits == 4:
        return np.stack([packed & 0x0F, packed >> 4], axis=-1).reshape(packed.shape[0], -1)
    parts = packed.reshape(-1, bits)
    wide = np.zeros((len(parts), 8), dtype=np.uint8)
    wide[:, :bits] = parts
    words, codes = wide.view("<u8")[:, 0], np.empty_like(wide)
    for place in range(8):
        codes[:, place] = (words >> np.uint64(bits * place)) & np.uint64(2**bits - 1)
    return codes.reshape(packed.shape[0], -1)
