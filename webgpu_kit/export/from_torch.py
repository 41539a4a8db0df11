"""PyTorch -> ONNX, with transformers' own exporter. Needs the extra `webgpu-kit[export]`."""

from __future__ import annotations

import contextlib
import importlib.util
import io
import logging
import os
import warnings
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from webgpu_kit.artifacts import Source, Tensors
from webgpu_kit.errors import ExportError, KitError, first_line
from webgpu_kit.manifest import Interface
from webgpu_kit.recipe import Recipe
from webgpu_kit.tasks import Original, Task, TorchModel

if TYPE_CHECKING:
    import onnx

PACKAGES = ("torch", "transformers", "optimum", "onnxscript")


def require_packages() -> None:
    """Raise ExportError when the extra `webgpu-kit[export]` is not installed.

    Called before torch is first imported, so this is also where its threads learn to sleep while they wait: on a busy
    machine those that spin take the processor from those that work (a language model's golden: 44 s, or 5 s).
    """
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    missing = [name for name in PACKAGES if importlib.util.find_spec(name) is None]
    if missing:
        raise ExportError(
            f"Building from PyTorch weights needs {', '.join(missing)}, not installed here.",
            fix="pip install 'webgpu-kit[export]' (on Linux without a GPU first: pip install torch==2.13.0)",
        )


def load_model(source: Source, recipe: Recipe, task: Task) -> TorchModel:
    """Load the original with the task's own loader. Raises ExportError."""
    try:
        with _quiet():
            return task.load(source, recipe)
    except KitError:
        raise
    except Exception as error:  # transformers raises whatever a config or a weight file provokes
        hint = "; code that comes with a model is never run" if "trust_remote_code" in str(error) else ""
        raise ExportError(
            f"{recipe.where}: transformers cannot load the model{hint}: {first_line(error)}",
            fix="check the folder with transformers, or give an .onnx file",
        ) from error


def wrap_model(loaded: TorchModel, interface: Interface, origin: str) -> Original:
    """The loaded model as something that answers feeds of arrays."""
    import torch

    names = [output.name for output in interface.outputs]

    def run(feeds: Tensors) -> Tensors:
        with torch.no_grad():
            tensors = {name: torch.from_numpy(np.ascontiguousarray(value)) for name, value in feeds.items()}
            answer = loaded.module(**tensors)
        if isinstance(answer, torch.Tensor):
            answer = [answer]
        values = list(answer.values() if isinstance(answer, Mapping) else answer)
        return {name: value.numpy() for name, value in zip(names, values, strict=True)}

    return Original(run=run, interface=interface, origin=origin, settings=loaded.settings, tokenizer=loaded.tokenizer)


def export_module(loaded: TorchModel, recipe: Recipe, *, fuse: bool) -> onnx.ModelProto:
    """Export a transformers model fused into ONNX Runtime's operators (`fuse`), any other module with torch alone.

    Raises ExportError with the exporter's own first line.
    """
    import onnx_ir

    try:
        with _quiet():
            model = _export_fused(loaded) if fuse else _export_plain(loaded)
    except Exception as error:  # torch.export fails in many classes
        raise ExportError(
            f"{recipe.where}: the exporter failed: {first_line(error)}",
            fix="run again with --debug for the exporter's own report",
        ) from error
    return _name_dimensions(onnx_ir.to_proto(model), loaded)


def _export_fused(loaded: TorchModel) -> Any:
    import onnx_ir
    from transformers.exporters.exporter_onnx import OnnxConfig, OnnxExporter

    config = OnnxConfig(
        dynamic=loaded.dynamic_shapes is None,
        dynamic_shapes=loaded.dynamic_shapes,
        ort_fusions="webgpu",
    )
    program = OnnxExporter().export(loaded.module, dict(loaded.example), config=config).program
    return program if isinstance(program, onnx_ir.Model) else program.model


def _export_plain(loaded: TorchModel) -> Any:
    import torch

    shapes, example = loaded.dynamic_shapes, dict(loaded.example)
    exported = torch.onnx.export(
        loaded.module, args=(), kwargs=example, dynamo=True, dynamic_shapes=shapes, verbose=False
    )
    assert exported is not None
    return exported.model


def _name_dimensions(model: onnx.ModelProto, loaded: TorchModel) -> onnx.ModelProto:
    """Give dynamic dimensions the names that the task chose; the exporter calls them s43."""
    names: dict[str, str] = {}
    for value in model.graph.input:
        axes = (loaded.dynamic_shapes or {}).get(value.name, {})
        names |= {value.type.tensor_type.shape.dim[axis].dim_param: dim.__name__ for axis, dim in axes.items()}
    for value in (*model.graph.input, *model.graph.output, *model.graph.value_info):
        for dimension in value.type.tensor_type.shape.dim:
            if dimension.dim_param in names:
                dimension.dim_param = names[dimension.dim_param]
    return model


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Exporters narrate on stdout and in warnings; stdout is ours for results."""
    previous = logging.root.manager.disable
    logging.disable(logging.WARNING)
    try:
        with (
            warnings.catch_warnings(),
            contextlib.redirect_stdout(io.StringIO()),
            contextlib.redirect_stderr(io.StringIO()),
        ):
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.disable(previous)
