"""A Hugging Face folder with a decoder -> Graph, by onnxruntime-genai's model builder (GroupQueryAttention).

The builder runs in a process of its own: it takes the names `builder`, `builders` and `loaders` for itself, writes to
stdout, and needs twice the model's memory.
"""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

from webgpu_kit.artifacts import Graph, Progress, Source
from webgpu_kit.errors import ExportError, first_line
from webgpu_kit.export import builder_process, from_torch
from webgpu_kit.export.attention import settle_attention
from webgpu_kit.export.decoder_architectures import check_architecture
from webgpu_kit.export.golden import record_golden
from webgpu_kit.initializers import WeightFolder, map_weights
from webgpu_kit.interface import read_interface
from webgpu_kit.recipe import Recipe
from webgpu_kit.tasks import Task
from webgpu_kit.tasks.text_generation import wrap_decoder

if TYPE_CHECKING:
    import onnx

LARGEST_WEIGHT_BYTES = 2**31 - 2**24  # of one weight as float32: what one ONNX message holds
SMALLEST_MAPPED = 2**20  # bytes of a weight that stays in the builder's file, and out of memory


def export_decoder(
    source: Source, recipe: Recipe, task: Task, progress: Progress, *, fuse_attention: bool = True
) -> Graph:
    """Export the decoder in the folder `source.path` and record its golden. Raises ExportError.

    With `fuse_attention` the query, key and value matrices of a layer become one.
    """
    if importlib.util.find_spec("onnxruntime_genai") is None:
        raise ExportError(
            f"{recipe.where}: exporting a language model needs onnxruntime-genai, not installed here.",
            fix="pip install 'webgpu-kit[export]'",
        )
    import torch
    import transformers

    check_architecture(source.path, recipe.where)
    progress("loading the PyTorch model")
    loaded = from_torch.load_model(source, recipe, task)
    _check_size(loaded.module, recipe)
    original = wrap_decoder(loaded, f"torch {torch.__version__}, transformers {transformers.__version__}")
    golden = record_golden(original, recipe, task, progress)
    model, storage = _build_graph(source.path, recipe, progress, fuse_attention=fuse_attention)
    settle_attention(model, loaded.module, loaded.settings["generation"]["context_length"])
    return Graph(
        model=model,
        interface=read_interface(model),
        golden=golden,
        exporter=f"onnxruntime-genai {version('onnxruntime-genai')}",
        assets=loaded.assets,
        settings=loaded.settings,
        storage=storage,
    )


def _check_size(model: Any, recipe: Recipe) -> None:
    name, size = max(((name, 4 * value.numel()) for name, value in model.named_parameters()), key=lambda pair: pair[1])
    if size > LARGEST_WEIGHT_BYTES:
        raise ExportError(
            f"{recipe.where}: its '{name}' takes {size / 1e9:.1f} GB as float32; at most "
            f"{LARGEST_WEIGHT_BYTES / 1e9:.1f} GB are supported.",
            fix="use a smaller model",
        )


def _build_graph(
    folder: Path, recipe: Recipe, progress: Progress, *, fuse_attention: bool
) -> tuple[onnx.ModelProto, WeightFolder]:
    """The graph, and the folder that its large weights stay in."""
    import onnx

    storage = WeightFolder()
    progress("building the graph with onnxruntime-genai")
    _run_builder(folder, storage.path, recipe, fuse_attention=fuse_attention)
    progress("reading the graph")
    model = onnx.load(storage.path / "model.onnx", load_external_data=False)
    map_weights(model, storage.path, SMALLEST_MAPPED)
    return model, storage


def _run_builder(folder: Path, scratch: Path, recipe: Recipe, *, fuse_attention: bool) -> None:
    options = ["prune_lm_head=true", "use_webgpu_fp32=true", "shared_embeddings=false"]
    options.append(f"fuse_qkv={str(fuse_attention).lower()}")
    options.append("fuse_qk_norm_gqa=false")  # only CUDA and WebGPU have the norms inside GroupQueryAttention
    options.append("windowed_kv_cache=false")  # the page's cache holds the whole context
    command = [sys.executable, "-m", builder_process.__name__, "-i", str(folder.resolve()), "-o", "."]
    command += ["-p", "fp32", "-e", "webgpu", "-c", "cache", "--extra_options", *options]
    environment = os.environ | {"HF_HUB_OFFLINE": "1"}
    done = subprocess.run(
        command, cwd=scratch, env=environment, capture_output=True, text=True, encoding="utf-8", errors="replace"
    )
    if done.returncode != 0:
        lines = done.stderr.strip().splitlines()
        raise ExportError(
            f"{recipe.where}: onnxruntime-genai's builder failed: "
            f"{first_line(Exception(lines[-1])) if lines else f'status {done.returncode}'}",
            fix="report this with the model's config.json: its architecture is one that is supported",
        )
