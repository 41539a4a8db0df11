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

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Literal

import numpy as np

from webgpu_kit.artifacts import Array, Graph, PackedTensor, Tensors, Variant, VariantGraph
from webgpu_kit.errors import QuantizeError
from webgpu_kit.manifest import Backend, Dtype, Parity
from webgpu_kit.packing import BLOCK_SIZE, expand_tensor, pack_blocks, pack_float16
from webgpu_kit.parity import measure_parity
from webgpu_kit.tasks import TASKS
from webgpu_kit.tasks.image_graph import BEFORE

if TYPE_CHECKING:
    import onnx

SMALLEST_PACKED = 1024  # elements: below this a weight costs less than describing how to unpack it
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
        raise QuantizeError(f"dtype {dtype!r}: no weight of {SMALLEST_PACKED} or more elements to quantize.", fix="leave it out of `dtypes`: fp32 is as small")
    graphs = {backend: _make_graph(graph.model, dtype, packed, backend) for backend in ("webgpu", "wasm")}
    if dtype == "fp32":
        graphs = dict.fromkeys(graphs, graphs["wasm"])
    metric, limit = TASKS[task].metric, threshold if threshold is not None else TASKS[task].thresholds[dtype]
    distinct = {id(entry.model): entry for entry in graphs.values()}.values()
    parities = [measure_graph(entry.model, graph, metric, limit) for entry in distinct]
    worst = max(parities, key=lambda parity: parity.value)
    return Variant(
        name=dtype,
        dtype=dtype,
        graphs={backend: entry for backend, entry in graphs.items() if backend not in graph.settings.get("unsupported", {})},
        packed=packed,
        requires=("shader-f16",) if dtype in ("fp16", "q4f16") else (),
        parity=worst,
    )


def measure_graph(model: onnx.ModelProto, graph: Graph, metric: str, threshold: float) -> Parity:
    """Run every golden sample through `model` with onnxruntime on the CPU and compare."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4
    try:
        session = onnxruntime.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
        names = [output.name for output in graph.interface.outputs]
        actual = [dict(zip(names, session.run(names, sample.feeds), strict=True)) for sample in graph.golden.samples]
    except Exception as error:  # onnxruntime raises a dozen classes without a common base
        raise QuantizeError(f"onnxruntime cannot run the quantized graph: {str(error).splitlines()[0][:300]}", fix="leave this dtype out") from error
    expected: list[Tensors] = [sample.outputs for sample in graph.golden.samples]
    return measure_parity(metric, expected, actual, threshold)


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
            packed[initializer.name] = pack_blocks(initializer.name, weight, BITS[dtype], transpose=_is_transposed(node, weight))
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
    for node in _walk_nodes(model.graph):
        place = WEIGHT_INPUT.get(node.op_type) if node.domain in ("", "ai.onnx") else None
        if place is not None and len(node.input) > place:
            users.setdefault(node.input[place], node)
    return users


def _walk_nodes(graph: onnx.GraphProto) -> Iterator[onnx.NodeProto]:
    for node in graph.node:
        yield node
        for attribute in node.attribute:
            for inner in (*attribute.graphs, *([attribute.g] if attribute.HasField("g") else [])):
                yield from _walk_nodes(inner)


def _is_transposed(node: onnx.NodeProto, weight: Array) -> bool:
    if weight.ndim != 2:
        return False
    return node.op_type == "MatMul" or (node.op_type == "Gemm" and not _read_int(node, "transB", 0))


def _read_int(node: onnx.NodeProto, name: str, default: int) -> int:
    return next((int(attribute.i) for attribute in node.attribute if attribute.name == name), default)


def _make_graph(source: onnx.ModelProto, dtype: Dtype, packed: Mapping[str, PackedTensor], backend: Backend) -> VariantGraph:
    import onnx

    model = onnx.ModelProto()
    model.CopyFrom(source)
    if dtype == "fp32":
        return VariantGraph(model=model)
    replaced = _use_packed_operators(model, packed, backend)
    _write_initializers(model, {name: expand_tensor(tensor) for name, tensor in packed.items() if name not in replaced})
    width: Literal["float32", "float16"] = "float32"
    if backend == "webgpu" and dtype in ("fp16", "q4f16"):
        width = "float16"
        model = _convert_to_float16(model)
        _write_initializers(model, {name: tensor.data.reshape(tensor.shape) for name, tensor in packed.items() if tensor.kind == "float16"})
    kinds = {entry.name: entry.data_type for entry in model.graph.initializer}
    # A float16 weight that the graph takes as float16 is stored as it is; every other one is made at load.
    expanded = {name: width for name in packed if name in kinds and not (packed[name].kind == "float16" and kinds[name] == 10)}
    return VariantGraph(model=model, expanded={name: "float16" if kinds[name] == 10 else "float32" for name in expanded})


def _use_packed_operators(model: onnx.ModelProto, packed: Mapping[str, PackedTensor], backend: Backend) -> set[str]:
    """Replace nodes that can compute on a packed weight, where every user of the weight can. Gives the weights' names."""
    users: dict[str, list[onnx.NodeProto]] = {}
    for node in _walk_nodes(model.graph):
        for name in node.input:
            users.setdefault(name, []).append(node)
    top_level = {id(node) for node in model.graph.node}
    replaced = set()
    for name, tensor in packed.items():
        nodes = users.get(name, [])
        if tensor.kind == "blocks" and nodes and all(id(node) in top_level and _takes_packed(node, tensor, backend) for node in nodes):
            replaced.add(name)
    if replaced:
        _replace_nodes(model, {name: packed[name] for name in replaced})
    return replaced


def _takes_packed(node: onnx.NodeProto, tensor: PackedTensor, backend: Backend) -> bool:
    fits = len(tensor.shape) == 2 and tensor.columns % BLOCK_SIZE == 0
    if node.op_type == "MatMul":
        return fits and backend == "webgpu" and tensor.transpose and node.input[1] == tensor.name
    if node.op_type == "Gemm":
        plain = all(attribute.name == "transB" or (attribute.name in ("alpha", "beta") and attribute.f == 1.0) or attribute.i == 0 for attribute in node.attribute)
        return fits and backend == "webgpu" and plain and node.input[1] == tensor.name
    if node.op_type == "Gather":
        return fits and backend == "wasm" and not tensor.transpose and node.input[0] == tensor.name and _read_int(node, "axis", 0) == 0
    return False


def _replace_nodes(model: onnx.ModelProto, packed: Mapping[str, PackedTensor]) -> None:
    from onnx import helper, numpy_helper

    nodes: list[onnx.NodeProto] = []
    for node in model.graph.node:
        tensor = next((packed[name] for name in node.input if name in packed), None)
        nodes.extend([node] if tensor is None else _packed_nodes(node, tensor))
    kept = [entry for entry in model.graph.initializer if entry.name not in packed]
    for tensor in packed.values():
        data = tensor.data if tensor.transpose or not _is_gathered(tensor, nodes) else tensor.data.reshape(tensor.rows, -1)
        assert tensor.scales is not None and tensor.zero_points is not None
        # Float32 here even where float16 travels: the conversion to float16 turns the whole graph at once.
        parts = {"data": data, "scales": tensor.scales.astype(np.float32), "zero_points": tensor.zero_points}
        kept.extend(numpy_helper.from_array(value, f"{tensor.name}.{part}") for part, value in parts.items())
    del model.graph.node[:], model.graph.initializer[:]
    model.graph.node.extend(nodes)
    model.graph.initializer.extend(kept)
    if not any(entry.domain == "com.microsoft" for entry in model.opset_import):
        model.opset_import.append(helper.make_opsetid("com.microsoft", 1))


def _is_gathered(tensor: PackedTensor, nodes: list[onnx.NodeProto]) -> bool:
    return any(node.op_type == "GatherBlockQuantized" and node.input[0] == f"{tensor.name}.data" for node in nodes)


def _packed_nodes(node: onnx.NodeProto, tensor: PackedTensor) -> list[onnx.NodeProto]:
    from onnx import helper

    parts = [f"{tensor.name}.{part}" for part in ("data", "scales", "zero_points")]
    if node.op_type == "Gather":
        inputs = [parts[0], node.input[1], parts[1], parts[2]]
        settings = {"bits": tensor.bits, "block_size": tensor.block_size, "gather_axis": 0, "quantize_axis": 1}
        return [helper.make_node("GatherBlockQuantized", inputs, list(node.output), name=node.name, domain="com.microsoft", **settings)]
    has_bias = node.op_type == "Gemm" and len(node.input) > 2 and bool(node.input[2])
    result = f"{node.output[0]}.product" if has_bias else node.output[0]
    settings = {"K": tensor.columns, "N": tensor.rows, "bits": tensor.bits, "block_size": tensor.block_size}
    product = helper.make_node("MatMulNBits", [node.input[0], *parts], [result], name=node.name, domain="com.microsoft", **settings)
    if not has_bias:
        return [product]
    return [product, helper.make_node("Add", [result, node.input[2]], list(node.output), name=f"{node.name}.bias")]


def _write_initializers(model: onnx.ModelProto, values: Mapping[str, Array]) -> None:
    from onnx import numpy_helper

    for initializer in model.graph.initializer:
        value = values.get(initializer.name)
        if value is not None and (value.dtype == np.float32) == (initializer.data_type == 1):
            initializer.CopyFrom(numpy_helper.from_array(np.ascontiguousarray(value), initializer.name))


def _convert_to_float16(model: onnx.ModelProto) -> onnx.ModelProto:
    """Turn a float32 graph to float16, inputs and outputs excepted.

    What stands before an image model stays float32: it counts pixels, and float16 counts exactly only to 2048.
    """
    import warnings

    from onnxruntime.transformers.float16 import convert_float_to_float16

    blocked = [node.name for node in model.graph.node if node.name.startswith(BEFORE)]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # it warns for each weight that it clips
        return convert_float_to_float16(model, keep_io_types=True, node_block_list=blocked)
