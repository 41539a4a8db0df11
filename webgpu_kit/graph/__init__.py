"""Graph -> Graph: named passes that make an exported model ready for a browser.

Each pass takes a model and gives one. They run in the order of `prepare_graph`; an error names the pass, and the
artifact lists the passes that ran.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING

from webgpu_kit.artifacts import Graph, Progress
from webgpu_kit.errors import GraphError, KitError, first_line
from webgpu_kit.graph.encoder import simplify_encoder
from webgpu_kit.graph.operators import missing_operators
from webgpu_kit.interface import read_interface
from webgpu_kit.tasks import TASKS

if TYPE_CHECKING:
    import onnx

LARGEST_FOLDED = 64 * 1024  # elements: folding a bigger result would put more bytes on the wire than it saves time


def prepare_graph(graph: Graph, task: str, progress: Progress) -> Graph:
    """Attach what stands before and after the model, fold constants, and check the operators for both backends.

    Raises GraphError when a pass fails or when ONNX Runtime Web's wasm build lacks an operator. Operators that only
    its WebGPU builds lack are noted in `settings["unsupported"]`, and the variants then run on wasm alone.
    """
    passes: list[tuple[str, Callable[[onnx.ModelProto], onnx.ModelProto]]] = [
        ("attach", lambda model: TASKS[task].attach(model, graph.settings)),
        ("fold", fold_constants),
        ("encoder", simplify_encoder),
    ]
    progress("preparing the graph: " + ", ".join(name for name, _ in passes))
    model, done = graph.model, list(graph.passes)
    check_operators(model)
    for name, run_pass in passes:
        try:
            model = run_pass(model)
        except KitError:
            raise
        except Exception as error:  # passes call into several libraries
            raise GraphError(
                f"pass '{name}' failed after {done or 'none'}: {first_line(error)}",
                fix="run again with --debug",
            ) from error
        done.append(name)
    settings = dict(graph.settings)
    if lacking := missing_operators(model, "webgpu"):
        settings["unsupported"] = {"webgpu": "ONNX Runtime Web's WebGPU build lacks " + ", ".join(lacking)}
    return replace(graph, model=model, interface=read_interface(model), settings=settings, passes=tuple(done))


def check_operators(model: onnx.ModelProto) -> None:
    """Raise GraphError naming every operator that ONNX Runtime Web's wasm build lacks."""
    if lacking := missing_operators(model, "wasm"):
        raise GraphError(
            f"ONNX Runtime Web has no operator {', '.join(lacking)}.",
            fix="export the model without it, or with an opset that ONNX Runtime supports",
        )


def fold_constants(model: onnx.ModelProto) -> onnx.ModelProto:
    """Compute what depends on no input, move constants to initializers, and drop what nothing uses."""
    import onnx_ir
    from onnx_ir.passes import common
    from onnxscript import optimizer

    ir_model = onnx_ir.from_proto(model)
    onnx_ir.passes.Sequential(
        common.LiftConstantsToInitializersPass(lift_all_constants=True), common.RemoveUnusedNodesPass()
    )(ir_model)
    optimizer.fold_constants(ir_model, output_size_limit=LARGEST_FOLDED)
    onnx_ir.passes.Sequential(
        common.LiftConstantsToInitializersPass(lift_all_constants=True),
        common.DeduplicateInitializersPass(),
        common.RemoveUnusedNodesPass(),
        common.RemoveUnusedFunctionsPass(),
        common.RemoveUnusedOpsetsPass(),
        common.ClearMetadataAndDocStringPass(),  # exporters leave stack traces with paths of this machine
    )(ir_model)
    prepared: onnx.ModelProto = onnx_ir.to_proto(ir_model)
    return prepared
