"""GGUF's blocks -> our packed tensors, without loss: every value of the one is the value of the other, bit for bit.

| type         | block | value                              | becomes                                                  |
|--------------|-------|------------------------------------|----------------------------------------------------------|
| Q4_0, Q5_0   | 32    | (q - 8) * d, (q - 16) * d          | 4 or 5 bits, scales float16                              |
| Q4_1, Q5_1   | 32    | q * d + m                          | 4 or 5 bits, scales and offsets float16                  |
| Q8_0         | 32    | q * d, q signed                    | 8 bits (q + 128, the default zero point), scales float16 |
| Q4_K, Q5_K   | 32    | q * (d * s) - (dmin * m)           | 4 or 5 bits; s and m bytes, d and dmin float16 for 256   |
| Q2_K         | 16    | the same                           | 2 bits; the same                                         |
| Q3_K, Q6_K   | 16    | (q - 4) * (d * s), (q - 32) * ...  | 3 or 6 bits; s a byte, d float16 for 256                 |
| IQ4_NL       | 32    | codebook[q] * d                    | 4 bits and the codebook, scales float16                  |
| IQ4_XS       | 32    | codebook[q] * (d * s)              | 4 bits and the codebook; s a byte, d float16 for 256     |
| F16, BF16    |       | (no blocks)                        | float16, bfloat16                                        |

s and m have 4 to 8 bits in the file and are bytes here, which costs 1.5% to 4% more (a Q4_K's 144 bytes become 148),
and 19% for Q2_K, which has the most of them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from webgpu_kit.artifacts import Array, PackedTensor
from webgpu_kit.errors import ExportError
from webgpu_kit.export.gguf_file import GgufTensor
from webgpu_kit.packing import pack_codes

BLOCK, SUPER_BLOCK = 32, 256
CODEBOOK = (-127, -104, -83, -65, -49, -35, -22, -10, 1, 13, 25, 38, 53, 69, 89, 113)


@dataclass(frozen=True)
class _Parts:
    """What some blocks hold. Shapes: codes (n, values of a block), scales and offsets (n, 1) or (n, blocks in it)."""

    codes: Array
    bits: int
    scales: Array
    offsets: Array | None = None
    super_scales: Array | None = None
    super_offsets: Array | None = None
    codebook: tuple[int, ...] = ()


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
    if tensor.kind == "BF16":
        halves = np.ascontiguousarray(tensor.data).view("<u2").reshape(rows, columns)
        return PackedTensor(name, "bfloat16", 16, 0, rows, columns, transpose, shape, halves)
    length, split = _SPLITTERS[tensor.kind]
    parts = split(np.ascontiguousarray(tensor.data).reshape(rows * columns // length, -1))

    def spread(array: Array | None) -> Array | None:
        return None if array is None else np.ascontiguousarray(array).reshape(rows, -1)

    blocks = parts.scales.shape[1]
    return PackedTensor(
        name=name,
        kind="blocks",
        bits=parts.bits,
        block_size=length // blocks,
        rows=rows,
        columns=columns,
        transpose=transpose,
        shape=shape,
        data=pack_codes(parts.codes, parts.bits).reshape(rows, columns * blocks // length, -1),
        scales=spread(parts.scales),
        offsets=spread(parts.offsets),
        super_scales=spread(parts.super_scales),
        super_offsets=spread(parts.super_offsets),
        super_size=0 if parts.super_scales is None else blocks,
        codebook=parts.codebook,
    )


def _cut(blocks: Array, *lengths: int) -> list[Array]:
    """The columns of `blocks` in parts of these lengths, and the rest."""
    return np.split(blocks, np.cumsum(lengths), axis=1)


def _halves(raw: Array) -> Array:
    return np.ascontiguousarray(raw).view("<f2")


def _spread_bits(raw: Array, group: int, bits: int) -> Array:
    """Every `group` bytes hold the lowest `bits` of as many values, then the next bits of the next values."""
    shifts = np.arange(0, 8, bits, dtype=np.uint8)[:, None]
    values = (raw.reshape(len(raw), -1, 1, group) >> shifts) & np.uint8(2**bits - 1)
    return np.asarray(values.reshape(len(raw), -1))


def _split_small(blocks: Array, *, high: bool, offsets: bool) -> _Parts:
    """Q4_0, Q4_1, Q5_0, Q5_1."""
    scales, shifts, fifth, low = _cut(blocks, 2, 2 * offsets, 4 * high)
    codes = _spread_bits(low, 16, 4)
    if high:
        codes |= np.unpackbits(fifth, axis=1, bitorder="little") << 4
    return _Parts(codes, 5 if high else 4, _halves(scales), _halves(shifts) if offsets else None)


def _split_q8_0(blocks: Array) -> _Parts:
    scales, levels = _cut(blocks, 2)
    return _Parts(levels ^ 0x80, 8, _halves(scales))


def _split_iq4_nl(blocks: Array) -> _Parts:
    scales, low = _cut(blocks, 2)
    return _Parts(_spread_bits(low, 16, 4), 4, _halves(scales), codebook=CODEBOOK)


def _split_iq4_xs(blocks: Array) -> _Parts:
    scale, high, low, codes = _cut(blocks, 2, 2, 4)
    scales = _spread_bits(low, 1, 4) | (_spread_bits(high, 1, 2) << 4)
    codes = _spread_bits(codes, 16, 4)
    return _Parts(codes, 4, scales + (128 - 32), super_scales=_halves(scale), codebook=CODEBOOK)


def _split_q2_k(blocks: Array) -> _Parts:
    packed, low, scale, least = _cut(blocks, 16, 64, 2)
    scales, offsets = (packed & 0x0F) + 128, (packed >> 4) + 128
    return _Parts(_spread_bits(low, 32, 2), 2, scales, offsets, _halves(scale), -_halves(least))


def _split_q3_k(blocks: Array) -> _Parts:
    high, low, packed, scale = _cut(blocks, 32, 64, 12)
    scales = _spread_bits(packed[:, :8], 8, 4) | (_spread_bits(packed[:, 8:], 4, 2) << 4)
    codes = _spread_bits(low, 32, 2) | (_spread_bits(high, 32, 1) << 2)
    return _Parts(codes, 3, scales + (128 - 32), super_scales=_halves(scale))


def _split_wide(blocks: Array, *, high: bool) -> _Parts:
    """Q4_K, Q5_K."""
    scale, least, packed, fifth, low = _cut(blocks, 2, 2, 12, 32 * high)
    codes = _spread_bits(low, 32, 4)
    if high:
        codes |= _spread_bits(fifth, 32, 1) << 4
    # Six bits each: four scales, four offsets, then the low bits of four more of both, whose high bits sit above
    # the first eight.
    first, second, rest = packed[:, :4], packed[:, 4:8], packed[:, 8:]
    scales = np.concatenate([first & 0x3F, (rest & 0x0F) | ((first >> 2) & 0x30)], axis=1)
    offsets = np.concatenate([second & 0x3F, (rest >> 4) | ((second >> 2) & 0x30)], axis=1)
    return _Parts(codes, 5 if high else 4, scales + 128, offsets + 128, _halves(scale), -_halves(least))


def _split_q6_k(blocks: Array) -> _Parts:
    low, high, scales, scale = _cut(blocks, 128, 64, 16)
    codes = _spread_bits(low, 64, 4) | (_spread_bits(high, 32, 2) << 4)
    return _Parts(codes, 6, scales ^ 0x80, super_scales=_halves(scale))


_SPLITTERS: Mapping[str, tuple[int, Callable[[Array], _Parts]]] = {
    "Q4_0": (BLOCK, lambda blocks: _split_small(blocks, high=False, offsets=False)),
    "Q4_1": (BLOCK, lambda blocks: _split_small(blocks, high=False, offsets=True)),
    "Q5_0": (BLOCK, lambda blocks: _split_small(blocks, high=True, offsets=False)),
    "Q5_1": (BLOCK, lambda blocks: _split_small(blocks, high=True, offsets=True)),
    "Q8_0": (BLOCK, _split_q8_0),
    "Q2_K": (SUPER_BLOCK, _split_q2_k),
    "Q3_K": (SUPER_BLOCK, _split_q3_k),
    "Q4_K": (SUPER_BLOCK, lambda blocks: _split_wide(blocks, high=False)),
    "Q5_K": (SUPER_BLOCK, lambda blocks: _split_wide(blocks, high=True)),
    "Q6_K": (SUPER_BLOCK, _split_q6_k),
    "IQ4_NL": (BLOCK, _split_iq4_nl),
    "IQ4_XS": (SUPER_BLOCK, _split_iq4_xs),
}
PACKED_KINDS = (*_SPLITTERS, "F16", "BF16")


def take_rows(packed: PackedTensor, order: Array) -> PackedTensor:
    """The same matrix with these of its rows, in this order: whole rows of blocks move, no value changes."""
    rows, first = len(order), packed.data.reshape(packed.rows, -1)

    def take(part: Array | None) -> Array | None:
        return None if part is None else part[order]

    return replace(
        packed,
        rows=rows,
        shape=(packed.columns, rows) if packed.transpose else (rows, packed.columns),
        data=first[order].reshape(rows, *packed.data.shape[1:]),
        scales=take(packed.scales),
        offsets=take(packed.offsets),
        super_scales=take(packed.super_scales),
        super_offsets=take(packed.super_offsets),
    )


def stack_rows(name: str, parts: Sequence[PackedTensor]) -> PackedTensor:
    """One matrix with the rows of several of one kind and width, in their order."""

    def join(arrays: Sequence[Array | None]) -> Array | None:
        given = [array for array in arrays if array is not None]
        return np.concatenate(given) if given else None

    rows, first = sum(part.rows for part in parts), parts[0]
    return replace(
        first,
        name=name,
        rows=rows,
        shape=(first.columns, rows) if first.transpose else (rows, first.columns),
        data=np.concatenate([part.data for part in parts]),
        scales=join([part.scales for part in parts]),
        offsets=join([part.offsets for part in parts]),
        super_scales=join([part.super_scales for part in parts]),
        super_offsets=join([part.super_offsets for part in parts]),
    )
