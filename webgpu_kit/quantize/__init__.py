"""Graph -> Variant: the same model in another dtype, with its parity measured.

Every weight travels packed (blocks of 4 or 8 bits, or float16). Where a backend has an operator that computes on the
packed form the graph uses it; everywhere else the page expands the weight once, at load:

| weight of     | webgpu                      | wasm                 |
|---------------|-----------------------------|----------------------|
| MatMul, Gemm  | MatMulNBits                 | expanded to float32  |
| Gather        | expanded                    | GatherBlockQuantized |
| anything else | expanded                    | expanded to float32  |
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Literal

import numpy as np

from webgpu_kit.artifacts import Array, Graph, PackedTensor, Tensors, Variant, VariantGraph
from webgpu_kit.errors import QuantizeError, first_line
from webgpu_kit.manifest import Backend, Dtype, Parity
from webgpu_kit.packing import LARGE_BLOCK, SMALL_BLOCK, expand_tensor, pack_blocks, pack_float16
from webgpu_kit.parity import measure_parity
from webgpu_kit.quantize.packed_operators import add_initializer, copy_frame, read_int, use_packed_operators, walk_nodes
from webgpu_kit.tasks import TASKS
from webgpu_kit.tasks.image_graph import BEFORE

if TYPE_CHECKING:
    import onnx

SMALLEST_PACKED = 1024  # elements: below this a weight costs less than describing how to unpack it
BACKENDS: tuple[Backend, ...] = ("webgpu", "wasm")
BITS: Mapping[Dtype, Literal[4, 8]] = {"q8": 8, "q4": 4, "q4f16": 4}
# Operators whose weights are quantized, and which input the weight is.
WEIGHT_INPUT = {"MatMul": 1, "Gemm": 1, "Conv": 1, "ConvTranspose": 1, "Gather": 0, "LSTM": 1, "GRU": 1, "RNN": 1}


def quantize_graph(graph: Graph, dtype: Dtype, task: str, threshold: float | None = None) -> Variant:
    """Make the variant `dtype` of `graph` and measure it against the golden, on both backends' graphs.

    `threshold` replaces the task's own. The caller decides what to do with a variant that misses it.
    Raises QuantizeError when the graph has nothing to quantize, or onnxruntime cannot run the result.
    """
    packed = _pack_weights(graph.model, dtype)
    if dtype in BITS and not any(tensor.kind == "blocks" for tensor in packed.values()):
        raise QuantizeError(
            f"dtype {dtype!r}: no weight of {SMALLEST_PACKED} or more elements to quantize.",
            fix="leave it out of `dtypes`: fp32 is as small",
        )
    if dtype == "fp32":
        graphs = dict.fromkeys(BACKENDS, VariantGraph(model=graph.model))
    else:
        graphs = {backend: _make_graph(graph.model, dtype, packed, backend) for backend in BACKENDS}
    limit = threshold if threshold is not None else TASKS[task].thresholds[dtype]
    distinct = {id(entry.model): entry for entry in graphs.values()}.values()
    parities = [measure_graph(entry.model, graph, task, limit) for entry in distinct]
    worst = max(parities, key=lambda parity: parity.value)
    return Variant(
        name=dtype,
        dtype=dtype,
        graphs={
            backend: entry for backend, entry in graphs.items() if backend not in graph.settings.get("unsupported", {})
        },
        packed=packed,
        requires=("shader-f16",) if dtype in ("fp16", "q4f16") else (),
        parity=worst,
    )


def measure_graph(model: onnx.ModelProto, graph: Graph, task: str, threshold: float) -> Parity:
    """Run every golden sample through `model` with onnxruntime on the CPU and compare."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4
    # On a busy machine threads that spin while they wait take the processor from those that they wait for.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    try:
        session = onnxruntime.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
        names = [output.name for output in graph.interface.outputs]

        def run(feeds: Tensors) -> Tensors:
            return dict(zip(names, session.run(names, feeds), strict=True))

        actual = [TASKS[task].respond(run, sample, graph.settings) for sample in graph.golden.samples]
    except Exception as error:  # onnxruntime raises a dozen classes without a common base
        raise QuantizeError(
            f"onnxruntime cannot run the quantized graph: {first_line(error)}",
            fix="leave this dtype out",
        ) from error
    expected: list[Tensors] = [sample.outputs for sample in graph.golden.samples]
    return measure_parity(TASKS[task].metric, expected, actual, threshold)


def _pack_weights(model: onnx.ModelProto, dtype: Dtype) -> dict[str, PackedTensor]:
    from onnx import numpy_helper

    if dtype == "fp32":
        return {}
    users = _find_users(model)
    packed: dict[str, PackedTensor] = {}
    for initializer in model.graph.initializer:
        size = int(np.prod(initializer.dims))
        if initializer.data_type != 1 or size < SMALLEST_PACKED:  # 1 is float32
            continue
        weight, node = numpy_helper.to_array(initializer), users.get(initializer.name)
        if dtype in BITS and node is not None and weight.ndim >= 2:
            transpose, block_size = _is_transposed(node, weight), _choose_block_size(node, BITS[dtype])
            packed[initializer.name] = pack_blocks(
                initializer.name, weight, BITS[dtype], transpose=transpose, block_size=block_size
            )
        elif dtype in ("fp16", "q4f16"):
            packed[initializer.name] = pack_float16(initializer.name, weight)
    if dtype == "q4f16":
        packed = {name: _round_scales(tensor) for name, tensor in packed.items()}
    return packed


def _round_scales(tensor: PackedTensor) -> PackedTensor:
    return tensor if tensor.scales is None else replace(tensor, scales=tensor.scales.astype(np.float16))


def _find_users(model: onnx.ModelProto) -> dict[str, onnx.NodeProto]:
    """For each initializer that is the weight of a quantizable operator: the first such node, subgraphs included."""
    users: dict[str, onnx.NodeProto] = {}
    for node in walk_nodes(model.graph):
        place = WEIGHT_INPUT.get(node.op_type) if node.domain in ("", "ai.onnx") else None
        if place is not None and len(node.input) > place:
            users.setdefault(node.input[place], node)
    return users


def _choose_block_size(node: onnx.NodeProto, bits: int) -> int:
    """Large blocks for 8-bit tables, which lose next to nothing by them and are half of a small encoder.

    Small ones for the rest: MatMulNBits on WebGPU has its fast kernel for blocks of 32 only, and convolutions lose
    (measured on EfficientNet: probability error 0.018 with 32, 0.055 with 128), as does everything at 4 bits.
    """
    return LARGE_BLOCK if bits == 8 and node.op_type == "Gather" else SMALL_BLOCK


def _is_transposed(node: onnx.NodeProto, weight: Array) -> bool:
    if weight.ndim != 2:
        return False
    return node.op_type == "MatMul" or (node.op_type == "Gemm" and not read_int(node, "transB", 0))


def _make_graph(
    source: onnx.ModelProto, dtype: Dtype, packed: Mapping[str, PackedTensor], backend: Backend
) -> VariantGraph:
    model = copy_frame(source)
    model.graph.node.extend(source.graph.node)
    model.graph.initializer.extend(entry for entry in source.graph.initializer if entry.name not in packed)
    replaced = use_packed_operators(model, packed, backend)
    weights = {name: tensor for name, tensor in packed.items() if name not in replaced}
    width: Literal["float32", "float16"] = "float32"
    if backend == "webgpu" and dtype in ("fp16", "q4f16"):
        width = "float16"
        model = _convert_to_float16(model, weights)
    for name, tensor in weights.items():
        value = tensor.data.reshape(tensor.shape) if tensor.kind == width else expand_tensor(tensor).astype(width)
        add_initializer(model, name, value)
    # A float16 weight that the graph takes as float16 is stored as it is; every other one is made at load.
    expanded = [name for name, tensor in weights.items() if tensor.kind != width]
    return VariantGraph(model=model, expanded=dict.fromkeys(expanded, width))


def _convert_to_float16(model: onnx.ModelProto, weights: Mapping[str, PackedTensor]) -> onnx.ModelProto:
    """Turn a float32 graph without its `weights` to float16, inputs and outputs excepted.

    What stands before an image model stays float32: it counts pixels, and float16 counts exactly only to 2048.
    """
    import warnings

    from onnx import helper
    from onnxruntime.transformers.float16 import DEFAULT_OP_BLOCK_LIST, convert_float_to_float16

    # Before opset 19 their scale must be float32.
    kept = [*DEFAULT_OP_BLOCK_LIST, "QuantizeLinear", "DequantizeLinear", "DynamicQuantizeLinear"]
    blocked = [node.name for node in model.graph.node if node.name.startswith(BEFORE)]
    # The converter takes its time over every weight that it sees: these it sees as inputs, for their type's sake.
    ends = [value.name for value in (*model.graph.input, *model.graph.output)]
    model.graph.input.extend(helper.make_tensor_value_info(name, 1, tensor.shape) for name, tensor in weights.items())
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # it warns for each weight that it clips
        converted: onnx.ModelProto = convert_float_to_float16(
            model, keep_io_types=ends, op_block_list=kept, node_block_list=blocked
        )
    inputs = [value for value in converted.graph.input if value.name not in weights]
    del converted.graph.input[:]
    converted.graph.input.extend(inputs)
    return converted
