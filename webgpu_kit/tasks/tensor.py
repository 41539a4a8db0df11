"""tensor: any ONNX graph, as it is."""

from __future__ import annotations

import re
import zlib
from collections.abc import Mapping
from typing import Any

import numpy as np

from webgpu_kit.artifacts import Array, Source, Tensors
from webgpu_kit.errors import ExportError, GraphError, RecipeError
from webgpu_kit.manifest import Interface, TensorSpec
from webgpu_kit.recipe import Recipe
from webgpu_kit.tasks.task import Original, Task, TorchModel

SAMPLE_COUNT = 8
DEFAULT_IMAGE_SIDE = 224
DEFAULT_DIMENSION = 16
INTEGER_LIMIT = 10
CARRIED_DTYPES = (
    "float32",
    "float16",
    "int64",
    "int32",
    "int16",
    "int8",
    "uint64",
    "uint32",
    "uint16",
    "uint8",
    "bool",
)
STATE_NAME = re.compile(r"(^|[_.])(state|hidden|past|cache|memory|h|c|hn|cn|h0|c0|h_0|c_0)([_.\d]|$)", re.IGNORECASE)


def _load(source: Source, recipe: Recipe) -> TorchModel:
    if source.kind != "module":
        raise ExportError(
            f"{recipe.source}: the task 'tensor' takes an .onnx file or a torch module, not a Hugging Face folder.",
            fix="give --task feature-extraction or image-classification, or an .onnx file",
        )
    module, example = source.module
    return TorchModel(module=module, example=example)


def resolve_shapes(interface: Interface, recipe: Recipe) -> dict[str, list[int]]:
    """A concrete shape for every input: from `shapes`, from named dims that `shapes` binds, else by default.

    Defaults: a leading dim is 1; the two sides of a (1, channels, height, width) input are 224; any other is 16.
    Raises RecipeError when a given shape does not fit.
    """
    unknown = sorted(set(recipe.shapes) - {spec.name for spec in interface.inputs})
    if unknown:
        names = ", ".join(spec.name for spec in interface.inputs)
        raise RecipeError(
            f"{recipe.where}: shape for '{unknown[0]}', which is no input. Inputs: {names}.",
            fix="--shape NAME=1,3,224,224",
        )
    bound: dict[str, int] = {}
    for spec in interface.inputs:
        if spec.name in recipe.shapes:
            _bind_dimensions(spec, recipe.shapes[spec.name], bound)
    return {
        spec.name: [_resolve_dimension(spec, axis, bound) for axis in range(len(spec.shape))]
        for spec in interface.inputs
    }


def _bind_dimensions(spec: TensorSpec, given: list[int], bound: dict[str, int]) -> None:
    fits = len(given) == len(spec.shape) and all(
        isinstance(want, str) or want == have for want, have in zip(spec.shape, given, strict=True)
    )
    if not fits:
        raise RecipeError(
            f"shape {given} does not fit input '{spec.name}' of shape {spec.shape}.",
            fix=f"--shape {spec.name}=" + ",".join(str(d) for d in spec.shape),
        )
    for want, have in zip(spec.shape, given, strict=True):
        if isinstance(want, str) and bound.setdefault(want, have) != have:
            raise RecipeError(
                f"shape {given} of input '{spec.name}' gives '{want}' = {have}, another shape gives {bound[want]}.",
                fix="give both inputs the same",
            )


def _resolve_dimension(spec: TensorSpec, axis: int, bound: dict[str, int]) -> int:
    dimension = spec.shape[axis]
    if isinstance(dimension, int):
        return dimension
    if axis == 0 and len(spec.shape) > 0:
        default = 1
    else:
        default = DEFAULT_IMAGE_SIDE if len(spec.shape) == 4 and axis >= 2 else DEFAULT_DIMENSION
    return bound.get(dimension, default)


def find_states(interface: Interface) -> set[str]:
    """Inputs that carry a model's state from run to run: named like one, with an output of the same kind."""

    def has_counterpart(spec: TensorSpec) -> bool:
        return any(out.dtype == spec.dtype and len(out.shape) == len(spec.shape) for out in interface.outputs)

    return {spec.name for spec in interface.inputs if STATE_NAME.search(spec.name) and has_counterpart(spec)}


def _describe(interface: Interface, recipe: Recipe) -> dict[str, Any]:
    for spec in (*interface.inputs, *interface.outputs):
        if spec.dtype not in CARRIED_DTYPES:
            raise GraphError(
                f"{recipe.where}: '{spec.name}' is {spec.dtype}, which a browser cannot carry. "
                f"It can: {', '.join(CARRIED_DTYPES)}.",
                fix="export the model with a tensor of one of these dtypes there",
            )
    return {"shapes": resolve_shapes(interface, recipe), "states": sorted(find_states(interface))}


def make_tensor(spec: TensorSpec, shape: list[int], seed: int, *, zeros: bool) -> Array:
    """A seeded sample for one input: normal floats, integers from 0 to 9, zeros for states."""
    generator = np.random.default_rng([seed, zlib.crc32(spec.name.encode())])
    dtype = np.dtype(spec.dtype)
    if zeros:
        return np.zeros(shape, dtype)
    if dtype == np.bool_:
        return generator.integers(0, 2, shape).astype(dtype)
    if np.issubdtype(dtype, np.integer):
        return generator.integers(0, INTEGER_LIMIT, shape).astype(dtype)
    return generator.standard_normal(shape).astype(dtype)


def _make_inputs(original: Original, recipe: Recipe) -> list[dict[str, Any]]:
    shapes, states = original.settings["shapes"], original.settings["states"]
    return [
        {
            "inputs": {
                spec.name: make_tensor(spec, shapes[spec.name], seed, zeros=spec.name in states)
                for spec in original.interface.inputs
            }
        }
        for seed in range(SAMPLE_COUNT)
    ]


def _encode(sample: Mapping[str, Any], original: Original) -> Tensors:
    return dict(sample["inputs"])


def _refer(sample: Mapping[str, Any], original: Original) -> Tensors:
    return original.run(dict(sample["inputs"]))


TENSOR = Task(
    name="tensor",
    metric="relative_error",
    # What the outputs mean is unknown, so the bound is on their size: 1 % off on average is a signal-to-noise
    # ratio of 40 dB; fp32 differs by the order of additions only.
    thresholds={"fp32": 0.001, "fp16": 0.01, "q8": 0.02, "q4": 0.05, "q4f16": 0.05},
    dtypes=("fp32",),
    load=_load,
    describe=_describe,
    make_inputs=_make_inputs,
    encode=_encode,
    refer=_refer,
    attach=lambda model, settings: model,
    page_settings=lambda settings, recipe: {"shapes": settings["shapes"]},
)
