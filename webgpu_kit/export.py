"""Source -> Graph: an ONNX model, its interface, and a golden recorded from the original framework."""

from __future__ import annotations

import contextlib
import importlib.util
import json
import logging
import warnings
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from webgpu_kit.artifacts import Golden, Graph, Progress, Sample, Source, Tensors
from webgpu_kit.errors import ExportError, KitError
from webgpu_kit.interface import read_interface
from webgpu_kit.manifest import Interface
from webgpu_kit.recipe import TASK_NAMES, Recipe
from webgpu_kit.tasks import TASKS, Original, Task, TorchModel
from webgpu_kit.tasks.image_classification import looks_like_probabilities

if TYPE_CHECKING:
    import onnx

EXPORT_PACKAGES = ("torch", "transformers", "optimum", "onnxscript")


def decide_task(source: Source, recipe: Recipe) -> Task:
    """The recipe's task; else `tensor` for an `.onnx` file or module, and what the config says for a folder."""
    if recipe.task is not None:
        return TASKS[recipe.task]
    if source.kind in ("onnx", "module"):
        return TASKS["tensor"]
    if (source.path / "modules.json").is_file():
        return TASKS["feature-extraction"]
    return TASKS[_infer_task(source.path, recipe)]


def _infer_task(folder: Path, recipe: Recipe) -> str:
    require_export_packages()
    import transformers
    from optimum.exporters.tasks import TasksManager

    config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    names = config.get("architectures") or []
    model_class = getattr(transformers, names[0], None) if names else None
    if model_class is None:
        raise ExportError(f"{recipe.source}: config.json names no architecture that transformers knows ({names}).", fix="give --task")
    task = str(TasksManager.infer_task_from_model(model_class))
    if task not in TASK_NAMES:
        raise ExportError(f"{recipe.source}: {names[0]} is for '{task}', which is not supported yet. Supported: {', '.join(TASK_NAMES)}.", fix="give --task feature-extraction for its embeddings")
    return task


def require_export_packages() -> None:
    """Raise ExportError when the extra `webgpu-kit[export]` is not installed."""
    missing = [name for name in EXPORT_PACKAGES if importlib.util.find_spec(name) is None]
    if missing:
        raise ExportError(
            f"Building from PyTorch weights needs {', '.join(missing)}, not installed here.",
            fix="pip install 'webgpu-kit[export]' (on Linux without a GPU first: pip install torch==2.13.0)",
        )


def export_graph(source: Source, recipe: Recipe, progress: Progress) -> Graph:
    """Bring the source to ONNX and record its golden. Raises ExportError, GraphError or RecipeError."""
    if source.kind == "gguf":
        raise ExportError(f"{recipe.source}: GGUF files are not supported yet. Supported: .onnx files and Hugging Face folders.", fix="give the model's Hugging Face folder or an .onnx file")
    task = decide_task(source, recipe)
    if source.kind == "onnx":
        return _take_onnx(source, recipe, task, progress)
    require_export_packages()
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

    original = Original(run=run, interface=interface, origin=f"onnxruntime {onnxruntime.__version__} CPUExecutionProvider", settings=settings)
    golden = _record_golden(original, recipe, task, progress)
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
        return onnxruntime.InferenceSession(str(model) if isinstance(model, Path) else model, options, providers=["CPUExecutionProvider"])
    except Exception as error:  # onnxruntime raises a dozen classes without a common base
        raise ExportError(f"{recipe.where}: onnxruntime cannot load the model: {_first_line(error)}", fix="check the file with onnx.checker, or export it again") from error


def _first_line(error: Exception) -> str:
    return str(error).strip().split("\n")[0][:400]


def _record_golden(original: Original, recipe: Recipe, task: Task, progress: Progress) -> Golden:
    progress(f"recording the golden with {original.origin}")
    samples = []
    for given in task.make_inputs(original, recipe):
        try:
            outputs = task.refer(given, original)
        except KitError:
            raise
        except Exception as error:  # whatever the original framework raises on an input it cannot take
            raise ExportError(f"{recipe.where}: the original model fails on a sample input{_describe_shapes(given)}: {_first_line(error)}", fix="give the input shapes that it takes: --shape NAME=1,3,224,224") from error
        samples.append(Sample(input=given, feeds=task.encode(given, original), outputs=outputs))
    return Golden(origin=original.origin, samples=tuple(samples))


def _describe_shapes(given: Mapping[str, Any]) -> str:
    tensors = given.get("inputs", {})
    return " (" + ", ".join(f"{name} {list(value.shape)}" for name, value in tensors.items()) + ")" if tensors else ""


def _export_torch(source: Source, recipe: Recipe, task: Task, progress: Progress) -> Graph:
    import torch
    import transformers

    progress("loading the PyTorch model")
    with _quiet():
        loaded = task.load(source, recipe)
    progress("exporting to ONNX")
    with _quiet():
        model = _export_module(loaded, recipe, fuse=source.kind == "folder")
    interface = read_interface(model)
    original = _wrap_torch(loaded, interface, f"torch {torch.__version__}, transformers {transformers.__version__}")
    if task.name == "tensor":
        original = Original(original.run, interface, original.origin, task.describe(interface, recipe))
    golden = _record_golden(original, recipe, task, progress)
    exporter = f"transformers {transformers.__version__}" if source.kind == "folder" else f"torch {torch.__version__}"
    return Graph(model=model, interface=interface, golden=golden, exporter=exporter, assets=loaded.assets, settings=original.settings)


def _wrap_torch(loaded: TorchModel, interface: Interface, origin: str) -> Original:
    import torch

    names = [output.name for output in interface.outputs]

    def run(feeds: Tensors) -> Tensors:
        with torch.no_grad():
            answer = loaded.module(**{name: torch.from_numpy(np.ascontiguousarray(value)) for name, value in feeds.items()})
        values = list(answer.values()) if isinstance(answer, Mapping) else [answer] if isinstance(answer, torch.Tensor) else list(answer)
        return {name: value.numpy() for name, value in zip(names, values, strict=True)}

    return Original(run=run, interface=interface, origin=origin, settings=loaded.settings, tokenizer=loaded.tokenizer)


def _export_module(loaded: TorchModel, recipe: Recipe, *, fuse: bool) -> onnx.ModelProto:
    """Export with transformers' own exporter, fused into ONNX Runtime's operators; a bare module with torch's."""
    import onnx_ir
    import torch

    try:
        if fuse:
            from transformers.exporters.exporter_onnx import OnnxConfig, OnnxExporter

            # "webgpu" fuses attention into MultiHeadAttention, which wasm runs faster too than "cpu"'s own choice.
            config = OnnxConfig(dynamic=loaded.dynamic_shapes is None, dynamic_shapes=loaded.dynamic_shapes, ort_fusions="webgpu")
            program = OnnxExporter().export(loaded.module, dict(loaded.example), config=config).program
            model = program if isinstance(program, onnx_ir.Model) else program.model
        else:
            exported = torch.onnx.export(loaded.module, args=(), kwargs=dict(loaded.example), dynamo=True, dynamic_shapes=loaded.dynamic_shapes, verbose=False)
            assert exported is not None
            model = exported.model
    except Exception as error:  # torch.export fails in many classes
        raise ExportError(f"{recipe.where}: the exporter failed: {_first_line(error)}", fix="run again with --debug for the exporter's own report") from error
    return onnx_ir.to_proto(model)


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Exporters narrate on stdout and in warnings; stdout is ours for results."""
    import io

    previous = logging.root.manager.disable
    logging.disable(logging.WARNING)
    try:
        with warnings.catch_warnings(), contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.disable(previous)
