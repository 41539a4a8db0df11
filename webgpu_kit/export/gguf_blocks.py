"""GGUF's blocks -> our packed tensors, without loss: every value of the one is the value of the other, bit for bit.

| type | bytes of a block of 32        | value       | becomes                                                       |
|------|-------------------------------|-------------|---------------------------------------------------------------|
| Q4_0 | scale d, 16 of nibbles q      | (q - 8) * d | 4 bits, scales float16                                        |
| Q4_1 | scale d, offset m, 16 of q    | q * d + m   | 4 bits, scales and offsets float16                            |
| Q8_0 | scale d, 32 signed bytes q    | q * d       | 8 bits (q + 128, the default zero point), scales float16      |
| F16  | (no blocks)                   |             | float16                                                       |

Nibbles: GGUF puts value i and value i + 16 into byte i, MatMulNBits values 2 i and 2 i + 1.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from webgpu_kit.artifacts import Array, PackedTensor
from webgpu_kit.errors import ExportError
from webgpu_kit.export.gguf_file import GgufTensor

BLOCK = 32
PACKED_KINDS = ("Q4_0", "Q4_1", "Q8_0", "F16")


def dequantize(tensor: GgufTensor) -> Array:
    """The tensor's values as float32, by the gguf package. Raises ExportError for a type that it cannot."""
    import gguf

    try:
        values = gguf.quants.dequantize(tensor.data, gguf.GGMLQuantizationType[tensor.kind])
    except NotImplementedError as error:
        raise ExportError(
            f"'{tensor.name}' has the type {tensor.kind}, which cannot be read.", fix="convert the model to Q8_0"
        ) from error
    return np.asarray(values, dtype=np.float32).reshape(tensor.shape)


def repack_blocks(tensor: GgufTensor, name: str, *, transpose: bool) -> PackedTensor:
    """The packed tensor `name` with exactly the values of a (rows, columns) tensor whose type is in PACKED_KINDS.

    With `transpose` it stands for (columns, rows), as the right-hand side of MatMul.
    """
    rows, columns = tensor.shape
    shape = (columns, rows) if transpose else (rows, columns)
    if tensor.kind == "F16":
        return PackedTensor(name, "float16", 16, 0, rows, columns, transpose, shape, np.asarray(tensor.data))
    blocks = np.ascontiguousarray(tensor.data).reshape(rows, columns // BLOCK, -1)
    has_offsets = tensor.kind == "Q4_1"
    content = np.ascontiguousarray(blocks[:, :, 4 if has_offsets else 2 :])
    return PackedTensor(
        name=name,
        kind="blocks",
        bits=8 if tensor.kind == "Q8_0" else 4,
        block_size=BLOCK,
        rows=rows,
        columns=columns,
        transpose=transpose,
        shape=shape,
        data=content ^ 0x80 if tensor.kind == "Q8_0" else _reorder_nibbles(content),
        scales=_read_halves(blocks, 0),
        offsets=_read_halves(blocks, 2) if has_offsets else None,
    )


def _read_halves(blocks: Array, start: int) -> Array:
    return np.ascontiguousarray(blocks[:, :, start : start + 2]).view(np.float16)[:, :, 0]


def _reorder_nibbles(packed: Array) -> Array:
    values = np.concatenate([packed & 0x0F, packed >> 4], axis=-1)
    return np.asarray(values[..., 0::2] | (values[..., 1::2] << 4))


def take_rows(packed: PackedTensor, order: Array) -> PackedTensor:
    """The same matrix with its rows in another order: whole rows of blocks move, no value changes."""
    data = packed.data.reshape(packed.rows, -1)[order].reshape(packed.data.shape)
    scales = None if packed.scales is None else packed.scales[order]
    offsets = None if packed.offsets is None else packed.offsets[order]
    return replace(packed, data=data, scales=scales, offsets=offsets)


def stack_rows(name: str, parts: Sequence[PackedTensor]) -> PackedTensor:
    """One matrix with the rows of several of one kind and width, in their order."""

    def join(arrays: Sequence[Array | None]) -> Array | None:
        given = [array for array in arrays if array is not None]
        return np.concatenate(given) if given else None

    rows, first = sum(part.rows for part in parts), parts[0]
    data = join([part.data for part in parts])
    assert data is not None
    return replace(
        first,
        name=name,
        rows=rows,
        shape=(first.columns, rows) if first.transpose else (rows, first.columns),
        data=data,
        scales=join([part.scales for part in parts]),
        offsets=join([part.offsets for part in parts]),
    )
