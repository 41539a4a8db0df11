"""A GGUF file -> Graph, without loss: its blocks travel as they are, repacked.

The graph comes from the file's dequantized weights, by way of a Hugging Face folder; then each weight that the file
keeps packed is given beside it in packed form (`Graph.packed`), and both are held equal, bit for bit.
"""

from __future__ import annotations

import json
import re
import tempfile
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from webgpu_kit.artifacts import Array, Graph, PackedTensor, Progress, Source
from webgpu_kit.errors import ExportError
from webgpu_kit.export.decoder import export_decoder
from webgpu_kit.export.gguf_architecture import EMBEDDING, HEAD, Architecture, order_rows, read_architecture
from webgpu_kit.export.gguf_blocks import PACKED_KINDS, dequantize, repack_blocks, stack_rows, take_rows
from webgpu_kit.export.gguf_file import GgufFile, read_gguf
from webgpu_kit.export.gguf_tokenizer import find_end_tokens, write_tokenizer
from webgpu_kit.initializers import read_weight
from webgpu_kit.manifest import Dtype
from webgpu_kit.packing import expand_tensor
from webgpu_kit.recipe import Recipe
from webgpu_kit.tasks import Task

if TYPE_CHECKING:
    import onnx

WIDE_KINDS = ("F32", "F16", "BF16")  # of what is no matrix
# The builder's names of a layer's matrices -> the file's, one or several that stand above one another; of some a half.
_WHOLE, _UPPER, _LOWER = (0, 1), (0, 2), (1, 2)  # (which part, of how many)
_MATRICES = {
    "attn.qkv_proj": ("attn_q", "attn_k", "attn_v"),
    "attn.q_proj": ("attn_q",),
    "attn.k_proj": ("attn_k",),
    "attn.v_proj": ("attn_v",),
    "attn.o_proj": ("attn_output",),
    "mlp.gate_proj": ("ffn_gate",),
    "mlp.up_proj": ("ffn_up",),
    "mlp.down_proj": ("ffn_down",),
}


# Of a file that joins them: Phi 3's.
_JOINED = {
    "attn.qkv_proj": ("attn_qkv", _WHOLE),
    "mlp.gate_proj": ("ffn_up", _UPPER),
    "mlp.up_proj": ("ffn_up", _LOWER),
}


def export_gguf(source: Source, recipe: Recipe, task: Task, progress: Progress) -> Graph:
    """Import the file with its own blocks, tokenizer and chat template, and record its golden. Raises ExportError."""
    progress(f"reading {source.path.name}")
    file = read_gguf(source.path)
    architecture = read_architecture(file)
    _check_kinds(file)
    with tempfile.TemporaryDirectory(prefix="webgpu-kit-") as folder:
        _write_folder(file, architecture, Path(folder), progress)
        graph = export_decoder(
            replace(source, kind="folder", path=Path(folder)),
            recipe,
            task,
            progress,
            fuse_attention=_has_uniform_attention(file),
        )
    progress("repacking the file's own blocks")
    packed = _pack_weights(file, architecture, graph.model)
    return replace(graph, packed=packed, packed_dtype=_name_dtype(packed))


def _check_kinds(file: GgufFile) -> None:
    allowed = ("F32", *PACKED_KINDS)
    for tensor in file.tensors.values():
        if tensor.kind not in allowed or (len(tensor.shape) == 1 and tensor.kind not in WIDE_KINDS):
            raise ExportError(
                f"{file.path}: '{tensor.name}' is of type {tensor.kind}, which cannot be imported without loss. "
                f"Supported: {', '.join(allowed)}.",
                fix="take, or make with llama.cpp, a file of other types: Q4_K_M, Q5_K_M, Q6_K and Q8_0 are exact",
            )


def _has_uniform_attention(file: GgufFile) -> bool:
    layers = int(file.read("block_count"))
    if "blk.0.attn_qkv.weight" in file.tensors:
        return True
    kinds = [{file.tensors[f"blk.{layer}.attn_{part}.weight"].kind for part in "qkv"} for layer in range(layers)]
    return all(len(layer) == 1 for layer in kinds)


def _name_dtype(packed: Mapping[str, PackedTensor]) -> Dtype:
    """The variant's name, by the narrowest of its layers' matrices."""
    widths = [tensor.bits for name, tensor in packed.items() if ".MatMul." in name and not name.startswith("lm_head")]
    narrowest = min(widths, default=32)
    return "q4" if narrowest <= 4 else "q8" if narrowest <= 8 else "fp16" if narrowest <= 16 else "fp32"


def _write_folder(file: GgufFile, architecture: Architecture, folder: Path, progress: Progress) -> None:
    """Write what transformers reads: configuration, tokenizer, and the dequantized weights."""
    import torch
    from safetensors.torch import save_file

    write_tokenizer(file, folder)
    (folder / "config.json").write_text(json.dumps(architecture.config), encoding="utf-8")
    ends = {"eos_token_id": find_end_tokens(file)}
    (folder / "generation_config.json").write_text(json.dumps(ends), encoding="utf-8")
    progress("dequantizing the weights for the reference")
    weights = {parameter: _read_values(file, architecture, name) for name, parameter in architecture.names.items()}
    tensors = {name: torch.from_numpy(np.ascontiguousarray(values)) for name, values in weights.items()}
    save_file(tensors, folder / "model.safetensors", metadata={"format": "pt"})


def _read_values(file: GgufFile, architecture: Architecture, name: str) -> Array:
    values, order = dequantize(file.tensors[name]), order_rows(file, architecture, name)
    if name.endswith("norm.weight") and architecture.norm_offset:
        return np.asarray(values - np.float32(architecture.norm_offset))
    return values.copy() if order is None else values[order]


def _pack_weights(file: GgufFile, architecture: Architecture, model: onnx.ModelProto) -> dict[str, PackedTensor]:
    """Every weight of the graph that the file has in packed form. Raises ExportError where one is not its equal."""
    packed: dict[str, PackedTensor] = {}
    for initializer in model.graph.initializer:
        sources = _find_sources(file, initializer.name)
        if not sources or any(file.tensors[name].kind not in PACKED_KINDS for name, _ in sources):
            continue
        parts = [_repack(file, architecture, name, half, initializer.name) for name, half in sources]
        tensor = parts[0] if len(parts) == 1 else stack_rows(initializer.name, parts)
        if not np.array_equal(expand_tensor(tensor), read_weight(initializer)):
            raise ExportError(
                f"{file.path}: the graph's weight '{initializer.name}' is not what the file's blocks stand for.",
                fix="report this with the file: it is a fault of webgpu-kit",
            )
        packed[initializer.name] = tensor
    return packed


def _find_sources(file: GgufFile, name: str) -> list[tuple[str, tuple[int, int]]]:
    """The file's tensors that make the graph's initializer `name`, in the order of their rows; [] for others."""
    if name == "model.embed_tokens.weight":
        return [(EMBEDDING, _WHOLE)]
    if name == "lm_head.MatMul.weight":
        return [(HEAD if HEAD in file.tensors else EMBEDDING, _WHOLE)]
    found = re.fullmatch(r"model\.layers\.(\d+)\.(\w+\.\w+)\.MatMul\.weight", name)
    if not found:
        return []
    block = f"blk.{found[1]}"
    if found[2] in _JOINED and f"{block}.ffn_gate.weight" not in file.tensors:
        part, half = _JOINED[found[2]]
        return [(f"{block}.{part}.weight", half)]
    return [(f"{block}.{part}.weight", _WHOLE) for part in _MATRICES[found[2]]]


def _repack(file: GgufFile, architecture: Architecture, source: str, half: tuple[int, int], name: str) -> PackedTensor:
    packed = repack_blocks(file.tensors[source], name, transpose=".MatMul." in name)
    order = order_rows(file, architecture, source)
    if half != _WHOLE:
        part, parts = half
        rows = packed.rows // parts
        order = np.arange(part * rows, (part + 1) * rows)
    return packed if order is None else take_rows(packed, order)
