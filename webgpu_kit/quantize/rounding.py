"""Better rounding than to the nearest: the same blocks, bits and bytes, with integers and scales chosen for the output.

| method                | what it knows of the inputs      | what it makes small                             |
|-----------------------|----------------------------------|-------------------------------------------------|
| searched scales       | the mean square of each column   | the squared error of a block, weighted by it     |
| compensated rounding  | the Gram matrix of the columns   | the squared error of the product, column by column|

Inside this module a weight is (columns, rows): columns are what is summed over, and blocks run along them.
Source for compensated rounding: Frantar and others, GPTQ, 2022.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from webgpu_kit.artifacts import Array, PackedTensor

# Parts of a block's range that its scale is tried with. 1 is plain rounding; less cuts off the outermost values.
RANGES = (1.0, 0.94, 0.88, 0.82, 0.75, 1.05)
# A few thousand tokens say little about how columns go together: that part of what they say is believed.
TRUST = 0.5
DAMPING = 0.01  # of the mean square, so that a column that is never used has an inverse too
PANEL_COLUMNS = 1536  # errors are made up for within so many columns: the work grows with their cube
TINIEST_SCALE = 1e-12


@dataclass(frozen=True)
class Shape:
    """How a weight is packed: `half` is for scales that travel as float16, `centred` for no zero points."""

    bits: Literal[4, 8]
    block_size: int
    transpose: bool
    half: bool = False
    centred: bool = False

    @property
    def top(self) -> int:
        """The largest integer."""
        return int(2**self.bits - 1)


def search_scales(name: str, weight: Array, shape: Shape, importance: Array | None = None) -> PackedTensor:
    """Round with the scale and zero point of least squared error for each block.

    `importance` (columns,) weighs the columns; without it all count the same.
    """
    matrix = _lay_out(weight, shape)
    columns = len(matrix)
    weights = np.ones(columns, np.float32) if importance is None else importance.astype(np.float32)
    integers = np.zeros((_round_up(columns, shape.block_size), matrix.shape[1]), np.uint8)
    scales, zeros = [], []
    for start in range(0, columns, shape.block_size):
        block = matrix[start : start + shape.block_size]
        scale, zero = _fit_block(block, weights[start : start + shape.block_size, None], shape)
        integers[start : start + len(block)] = _round(block, scale, zero, shape.top)
        scales.append(scale)
        zeros.append(zero)
    return _pack(name, weight, shape, integers, np.stack(scales), np.stack(zeros))


def compensate_rounding(name: str, weight: Array, shape: Shape, grams: Sequence[Array]) -> PackedTensor:
    """Round column by column, each time moving the columns that follow so that they make up for the error.

    `grams`: the mean of x x^T over inputs x, in squares along the diagonal that together have all columns; each is a
    whole number of blocks.
    """
    matrix = _lay_out(weight, shape).copy()
    integers = np.zeros(matrix.shape, np.uint8)
    scales, zeros, start = [], [], 0
    for gram in grams:
        panel = slice(start, start + len(gram))
        for scale, zero in _compensate_panel(matrix[panel], integers[panel], gram, shape):
            scales.append(scale)
            zeros.append(zero)
        start = panel.stop
    return _pack(name, weight, shape, integers, np.stack(scales), np.stack(zeros))


def _compensate_panel(matrix: Array, integers: Array, gram: Array, shape: Shape) -> list[tuple[Array, Array]]:
    factor, found, size = _factor_inverse(gram), [], shape.block_size
    for start in range(0, len(matrix), size):
        block, inner = matrix[start : start + size], factor[start : start + size, start : start + size]
        scale, zero = _fit_block(block, 1 / np.square(np.diag(inner))[:, None], shape)
        errors = np.empty_like(block)
        for column in range(size):
            block[column] -= inner[:column, column] @ errors[:column]
            rounded = _round(block[column], scale, zero, shape.top)
            integers[start + column] = rounded
            errors[column] = (block[column] - (rounded - zero) * scale) / inner[column, column]
        matrix[start + size :] -= factor[start : start + size, start + size :].T @ errors
        found.append((scale, zero))
    return found


def _factor_inverse(gram: Array) -> Array:
    """The upper Cholesky factor of the inverse of the Gram matrix, as far as it is believed."""
    wide = gram.astype(np.float64)
    squares = np.diag(wide).copy()
    floor = DAMPING * squares.mean() or 1.0
    believed = TRUST * wide + np.diag((1 - TRUST) * squares + floor)
    factor: Array = np.linalg.cholesky(np.linalg.inv(believed)).T.astype(np.float32)
    return factor


def _fit_block(block: Array, weights: Array, shape: Shape) -> tuple[Array, Array]:
    """The scale and zero point of every row of a block. Shapes: `block` (size, rows), `weights` (size, 1)."""
    lowest, highest = np.minimum(block.min(axis=0), 0), np.maximum(block.max(axis=0), 0)
    middle = (shape.top + 1) // 2
    farthest = np.where(highest > -lowest, highest, lowest)  # it takes the side that has one integer more
    least = np.full(block.shape[1], np.inf, np.float32)
    scales, zeros = np.ones_like(least), np.zeros_like(least)
    for part in RANGES:
        if shape.centred:
            step = np.where(farthest == 0, np.float32(TINIEST_SCALE), farthest * np.float32(-part / middle))
            zero = np.full_like(step, middle)
        else:
            step = np.maximum((highest - lowest) * np.float32(part / shape.top), np.float32(TINIEST_SCALE))
            zero = np.clip(np.rint(-lowest * np.float32(part) / step), 0, shape.top)
        integers = np.clip(np.rint(block / step), -zero, shape.top - zero)
        weighted = integers * weights
        size = np.einsum("ij,ij->j", weighted, integers)
        best = np.einsum("ij,ij->j", weighted, block) / np.maximum(size, np.float32(1e-30))
        scale = _keep_half(np.where(size > 0, best, step), shape)
        integers *= scale
        integers -= block
        error = np.einsum("ij,ij->j", integers * weights, integers)
        better = error < least
        least[better], scales[better], zeros[better] = error[better], scale[better], zero[better]
    return scales, zeros


def _keep_half(scale: Array, shape: Shape) -> Array:
    rounded = scale.astype(np.float16).astype(np.float32) if shape.half else scale.astype(np.float32)
    return np.where(rounded == 0, np.float32(1), rounded)  # a block of zeros


def _round(values: Array, scale: Array, zero: Array, top: int) -> Array:
    integers: Array = np.clip(np.rint(values / scale) + zero, 0, top)
    return integers


def _lay_out(weight: Array, shape: Shape) -> Array:
    flat = weight.astype(np.float32).reshape(weight.shape[0], -1)
    return np.ascontiguousarray(flat if shape.transpose else flat.T)


def _round_up(columns: int, block_size: int) -> int:
    return -(-columns // block_size) * block_size


def _pack(name: str, weight: Array, shape: Shape, integers: Array, scales: Array, zeros: Array) -> PackedTensor:
    """Lay integers (padded columns, rows), scales and zero points (blocks, rows) out as `manifest.Expansion` says."""
    blocks, rows = scales.shape
    stored = np.ascontiguousarray(zeros.T).astype(np.uint8)
    columns = weight.size // rows
    values = np.ascontiguousarray(integers.T)
    return PackedTensor(
        name=name,
        kind="blocks",
        bits=shape.bits,
        block_size=shape.block_size,
        rows=rows,
        columns=columns,
        transpose=shape.transpose,
        shape=weight.shape,
        data=_join_nibbles(values, shape.bits).reshape(rows, blocks, -1),
        scales=np.ascontiguousarray(scales.T).astype(np.float16 if shape.half else np.float32),
        zero_points=None if shape.centred else _join_nibbles(stored, shape.bits),
    )


def _join_nibbles(values: Array, bits: int) -> Array:
    if bits == 8:
        return values
    even = np.pad(values, ((0, 0), (0, values.shape[1] % 2)))
    joined: Array = even[:, 0::2] | (even[:, 1::2] << 4)
    return joined
