"""The graphs of a built site in onnxruntime on this machine, from the chunks that the page loads."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from webgpu_kit.artifacts import Array, Bundle, IntegerSteps, PackedTensor
from webgpu_kit.errors import BundleError
from webgpu_kit.manifest import Expansion, File, Span, VariantEntry
from webgpu_kit.packing import expand_tensor, round_to_steps


def open_session(bundle: Bundle, variant: VariantEntry, folder: Path, threads: int) -> Any:
    """An onnxruntime session of the variant's wasm graph, its files joined and expanded in `folder`."""
    import onnxruntime

    entry = variant.graphs["wasm"]
    contents = {file.name: read_content(bundle.path, file) for file in variant.files}
    (folder / "model.onnx").write_bytes(contents[entry.file])
    weights = contents.get("weights.bin", b"")
    if weights:
        (folder / "weights.bin").write_bytes(weights)
    if entry.expanded_bytes:
        (folder / "expanded.bin").write_bytes(expand_weights(weights, entry.expand, entry.expanded_bytes))
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.log_severity_level = 3
    return onnxruntime.InferenceSession(folder / "model.onnx", options, providers=["CPUExecutionProvider"])


def expand_weights(weights: bytes, plan: list[Expansion], size_bytes: int) -> bytes:
    """What the worker makes of `weights.bin` at load: `expanded.bin`."""
    expanded = bytearray(size_bytes)
    for step in plan:
        packed, steps = _read_packed(weights, step), _read_steps(weights, step)
        values = round_to_steps(packed, steps) if steps else expand_tensor(packed).astype(step.dtype)
        expanded[step.offset : step.offset + values.nbytes] = values.tobytes()
    return bytes(expanded)


def read_content(folder: Path, file: File) -> bytes:
    """A logical file of the bundle in `folder`. Raises: BundleError if one of its chunks cannot be read."""
    try:
        return b"".join((folder / chunk.path).read_bytes() for chunk in file.chunks)
    except OSError as error:
        raise BundleError(f"{error.filename}: {error.strerror}.", fix="build the site again") from error


def read_asset(bundle: Bundle, name: str) -> bytes:
    """A file that stands beside the model, such as tokenizer.json. Raises: BundleError if the bundle has none."""
    for file in bundle.manifest.assets:
        if file.name == name:
            return read_content(bundle.path, file)
    raise BundleError(f"{bundle.path}: {bundle.manifest.name} has no {name}.", fix="build the site again")


def _read_span(weights: bytes, span: Span, dtype: str) -> Array:
    size = np.dtype(dtype).itemsize
    return np.frombuffer(weights, dtype=np.dtype(dtype), count=span.bytes // size, offset=span.offset)


def _read_steps(weights: bytes, step: Expansion) -> IntegerSteps | None:
    if step.row_scales is None or step.row_zero_points is None or step.column_factors is None:
        return None
    return IntegerSteps(
        factors=_read_span(weights, step.column_factors, "float32"),
        scales=_read_span(weights, step.row_scales, "float32"),
        zero_points=_read_span(weights, step.row_zero_points, "uint8"),
    )


def _read_packed(weights: bytes, step: Expansion) -> PackedTensor:
    def read(span: Span | None, dtype: str) -> Array | None:
        return None if span is None else _read_span(weights, span, dtype)

    data = read(step.data, {"float16": "float16", "bfloat16": "uint16"}.get(step.kind, "uint8"))
    scales, offsets = read(step.scales, step.scales_dtype), read(step.offsets, step.scales_dtype)
    zero_points = read(step.zero_points, "uint8")
    super_scales, super_offsets = read(step.super_scales, "float16"), read(step.super_offsets, "float16")
    assert data is not None
    return PackedTensor(
        name=step.name,
        kind=step.kind,
        bits=step.bits,
        block_size=step.block_size,
        rows=step.rows,
        columns=step.columns,
        transpose=step.transpose,
        shape=(step.columns, step.rows) if step.transpose else (step.rows, step.columns),
        data=data.reshape(step.rows, -1),
        scales=None if scales is None else scales.reshape(step.rows, -1),
        zero_points=None if zero_points is None else zero_points.reshape(step.rows, -1),
        offsets=None if offsets is None else offsets.reshape(step.rows, -1),
        super_scales=None if super_scales is None else super_scales.reshape(step.rows, -1),
        super_offsets=None if super_offsets is None else super_offsets.reshape(step.rows, -1),
        super_size=step.super_size,
        codebook=tuple(step.codebook),
    )
