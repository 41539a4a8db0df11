"""Recording what the original framework answers."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from webgpu_kit.artifacts import Golden, Progress, Sample
from webgpu_kit.errors import ExportError, KitError, first_line
from webgpu_kit.manifest import Interface
from webgpu_kit.recipe import Recipe
from webgpu_kit.tasks import Original, Task


def record_golden(original: Original, recipe: Recipe, task: Task, progress: Progress) -> Golden:
    """Run every sample input of the task through the original. Raises ExportError naming the input that it refuses."""
    progress(f"recording the golden with {original.origin}")
    samples = []
    for given in task.make_inputs(original, recipe):
        try:
            outputs = task.refer(given, original)
        except KitError:
            raise
        except Exception as error:  # whatever the original framework raises on an input it cannot take
            raise ExportError(
                f"{recipe.where}: the original model fails on a sample input{_describe_shapes(given)}: "
                f"{first_line(error)}",
                fix=_suggest_shapes(original.interface),
            ) from error
        samples.append(Sample(input=given, feeds=task.encode(given, original), outputs=outputs))
    return Golden(origin=original.origin, samples=tuple(samples), answers=tuple(task.answer(original, recipe)))


def _suggest_shapes(interface: Interface) -> str:
    open_inputs = [spec for spec in interface.inputs if any(isinstance(dimension, str) for dimension in spec.shape)]
    options = " ".join(f"--shape {spec.name}=" + ",".join(map(str, spec.shape)) for spec in open_inputs)
    return (
        f"give the shapes that it takes, with numbers for the names: {options}"
        if options
        else "check the model with onnx.checker"
    )


def _describe_shapes(given: Mapping[str, Any]) -> str:
    tensors = given.get("inputs", {})
    return " (" + ", ".join(f"{name} {list(value.shape)}" for name, value in tensors.items()) + ")" if tensors else ""
