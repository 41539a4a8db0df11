"""Source -> Graph: an ONNX model, its interface, and a golden recorded from the original framework."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from webgpu_kit.artifacts import Golden, Graph, Progress, Source, Tensors
from webgpu_kit.errors import ExportError, RecipeError, first_line
from webgpu_kit.export import decoder, from_gguf, from_torch
from webgpu_kit.export.folder_task import infer_folder_task
from webgpu_kit.export.golden import record_golden
from webgpu_kit.interface import read_interface
from webgpu_kit.recipe import Recipe
from webgpu_kit.tasks import TASKS, Original, Task
from webgpu_kit.tasks.image_classification import looks_like_probabilities


def decide_task(source: Source, recipe: Recipe) -> Task:
    """The recipe's task; else `tensor` for an `.onnx` file or module, `text-generation` for GGUF, a folder's own."""
    if source.kind == "gguf":
        if recipe.task not in (None, "text-generation"):
            raise RecipeError(
                f"{recipe.where}: GGUF files are for the task 'text-generation', not '{recipe.task}'.",
                fix="leave `task` out",
            )
        return TASKS["text-generation"]
    if recipe.task is not None:
        return TASKS[recipe.task]
    if source.kind in ("onnx", "module"):
        return TASKS["tensor"]
    return TASKS[infer_folder_task(source.path, recipe)]


def export_graph(source: Source, recipe: Recipe, progress: Progress) -> Graph:
    """Bring the source to ONNX and record its golden. Raises ExportError, GraphError or RecipeError."""
    task = decide_task(source, recipe)
    if source.kind == "onnx":
        return _take_onnx(source, recipe, task, progress)
    from_torch.require_packages()
    if source.kind == "gguf":
        return from_gguf.export_gguf(source, recipe, task, progress)
    if task.name == "text-generation" and source.kind == "folder":
        return decoder.export_decoder(source, recipe, task, progress)
    return _export_torch(source, recipe, task, progress)


def _take_onnx(source: Source, recipe: Recipe, task: Task, progress: Progress) -> Graph:
    import onnx
    import onnxruntime

    model = onnx.load(source.path)
    interface = read_interface(model)
    settings = task.describe(interface, recipe)
    session = open_session(source.path, recipe)
    names = [output.name for output in interface.outputs]

    def run(feeds: Tensors) -> Tensors:
        return dict(zip(names, session.run(names, feeds), strict=True))

    original = Original(
        run=run,
        interface=interface,
        origin=f"onnxruntime {onnxruntime.__version__} CPUExecutionProvider",
        settings=settings,
    )
    golden = record_golden(original, recipe, task, progress)
    if task.name == "image-classification":
        settings = settings | {"softmax": not _gives_probabilities(original, golden)}
    return Graph(model=model, interface=interface, golden=golden, exporter="none", settings=settings)


def _gives_probabilities(original: Original, golden: Golden) -> bool:
    spec = original.interface.inputs[0]
    shape = [dimension if isinstance(dimension, int) else 1 for dimension in spec.shape]
    preprocess = original.settings["preprocess"]
    first = 2 if preprocess["layout"] == "NCHW" else 1
    shape[first : first + 2] = preprocess["size"]
    pixels = np.random.default_rng(0).random(shape).astype(spec.dtype)
    scores = next(iter(original.run({spec.name: pixels}).values()))
    return looks_like_probabilities(scores.reshape(1, -1))


def open_session(model: Path | bytes, recipe: Recipe) -> Any:
    """A session of native onnxruntime on the CPU. Raises ExportError with onnxruntime's own reason."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4
    options.intra_op_num_threads = 0
    try:
        return onnxruntime.InferenceSession(
            str(model) if isinstance(model, Path) else model, options, providers=["CPUExecutionProvider"]
        )
    except Exception as error:  # onnxruntime raises a dozen classes without a common base
        raise ExportError(
            f"{recipe.where}: onnxruntime cannot load the model: {first_line(error)}",
            fix="check the file with onnx.checker, or export it again",
        ) from error


def _export_torch(source: Source, recipe: Recipe, task: Task, progress: Progress) -> Graph:
    import torch
    import transformers

    progress("loading the PyTorch model")
    loaded = from_torch.load_model(source, recipe, task)
    progress("exporting to ONNX")
    model = from_torch.export_module(loaded, recipe, fuse=source.kind == "folder")
    interface = read_interface(model)
    original = from_torch.wrap_model(
        loaded, interface, f"torch {torch.__version__}, transformers {transformers.__version__}"
    )
    if task.name == "tensor":
        original = Original(original.run, interface, original.origin, task.describe(interface, recipe))
    golden = record_golden(original, recipe, task, progress)
    exporter = f"transformers {transformers.__version__}" if source.kind == "folder" else f"torch {torch.__version__}"
    return Graph(
        model=model,
        interface=interface,
        golden=golden,
        exporter=exporter,
        assets=loaded.assets,
        settings=original.settings,
    )
