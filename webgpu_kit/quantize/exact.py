"""Graph -> Variant for a source that is packed already: its weights travel as they are, and nothing is rounded.

| weight of              | webgpu                                  | wasm                 |
|------------------------|-----------------------------------------|----------------------|
| MatMul                 | MatMulNBits                             | expanded to float32  |
| MatMul, with offsets   | MatMulNBits over twice the columns      | expanded to float32  |
| Gather                 | GatherBlockQuantized                    | GatherBlockQuantized |
| Gather, with offsets   | expanded to float32                     | expanded to float32  |
| any, 16-bit floats     | expanded to float32                     | expanded to float32  |

The operators know 4 and 8 bits. Weights of other widths, or with a codebook, are widened to 8 at load (`levels`).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from webgpu_kit.artifacts import Graph, PackedTensor, Progress, Variant, VariantGraph
from webgpu_kit.manifest import Backend, ExpandedDtype
from webgpu_kit.nodes import copy_frame
from webgpu_kit.quantize import BACKENDS
from webgpu_kit.quantize.exact_operators import Rewrite, gather_blocks, multiply_blocks
from webgpu_kit.quantize.judge import measure_graph
from webgpu_kit.quantize.last_row import pick_last_row_first
from webgpu_kit.quantize.prompt_trial import try_integer_prompts
from webgpu_kit.quantize.wasm_attention import add_sinks

if TYPE_CHECKING:
    import onnx

EXACT_THRESHOLD = 0.001  # of any metric: only the order of additions differs from the original's


def keep_packed(
    graph: Graph, task: str, threshold: float | None = None, progress: Progress = lambda line: None
) -> Variant:
    """The variant of the source's own packed weights, measured on every backend's graph like any other."""
    assert graph.packed_dtype is not None
    limit = EXACT_THRESHOLD if threshold is None else threshold
    graphs, packed = {}, dict(graph.packed)
    for backend in BACKENDS:
        graphs[backend], made = _make_graph(graph.model, graph.packed, backend)
        packed |= made
    graphs["wasm"], made, note = try_integer_prompts(graphs["wasm"], graph.packed, graph, limit, progress)
    packed |= made
    parities = [measure_graph(entry.model, graph, task, limit) for entry in graphs.values()]
    worst = max(parities, key=lambda parity: parity.value)
    return Variant(
        name=graph.packed_dtype,
        dtype=graph.packed_dtype,
        graphs={
            backend: entry for backend, entry in graphs.items() if backend not in graph.settings.get("unsupported", {})
        },
        packed=packed,
        requires=(),
        parity=worst.model_copy(update={"method": note}),
    )


def _make_graph(
    source: onnx.ModelProto, packed: Mapping[str, PackedTensor], backend: Backend
) -> tuple[VariantGraph, dict[str, PackedTensor]]:
    """The backend's graph, and those inputs of its packed operators that the page makes at load."""
    rewrite = Rewrite()
    for node in source.graph.node:
        tensor = next((packed[name] for name in node.input if name in packed), None)
        if tensor is not None and node.op_type == "Gather" and _can_gather(tensor):
            gather_blocks(node, tensor, rewrite)
        elif tensor is not None and node.op_type == "MatMul" and backend == "webgpu" and _can_multiply(tensor):
            multiply_blocks(node, tensor, rewrite)
        else:
            rewrite.nodes.append(node)
    used = {name for node in rewrite.nodes for name in node.input}
    model = copy_frame(source)
    model.graph.node.extend(rewrite.nodes)
    model.graph.initializer.extend(entry for entry in source.graph.initializer if entry.name in used)
    model.graph.initializer.extend(rewrite.initializers.values())
    if backend == "wasm":
        add_sinks(model)
        pick_last_row_first(model)
    expanded: dict[str, ExpandedDtype] = {
        name: "uint8" if tensor.kind == "levels" else "float32"
        for name, tensor in {**packed, **rewrite.made}.items()
        if name in used
    }
    return VariantGraph(model=model, expanded=expanded), rewrite.made


def _can_gather(tensor: PackedTensor) -> bool:
    return tensor.kind == "blocks" and tensor.offsets is None and tensor.columns % tensor.block_size == 0


def _can_multiply(tensor: PackedTensor) -> bool:
    widens = tensor.bits == 8 and tensor.offsets is not None  # to 9 bits, which no operator has
    return tensor.kind == "blocks" and tensor.transpose and not widens and tensor.columns % tensor.block_size == 0
