"""Graph -> Variant: the same model in another dtype, with its parity measured.

Every weight travels packed (blocks of 4 or 8 bits, or float16). Where a backend has an operator that computes on the
packed form the graph uses it; everywhere else the page expands the weight once, at load:

| weight of     | webgpu                               | wasm                 |
|---------------|--------------------------------------|----------------------|
| MatMul, Gemm  | MatMulNBits                          | expanded to float32  |
| Gather        | GatherBlockQuantized, q4f16 expanded | GatherBlockQuantized |
| anything else | expanded                             | expanded to float32  |

Encoders with 8 bits multiply integers on wasm (integer_products.py), and decoders in long prompts (integer_prompts.py),
where their answers stay good enough.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Literal

from webgpu_kit.artifacts import Array, Graph, PackedTensor, Variant, VariantGraph
from webgpu_kit.errors import QuantizeError
from webgpu_kit.initializers import count_bytes, read_weight
from webgpu_kit.manifest import Backend, Dtype
from webgpu_kit.nodes import add_initializer, copy_frame
from webgpu_kit.packing import expand_tensor, pack_float16, round_to_steps
from webgpu_kit.quantize.integer_products import use_integer_products
from webgpu_kit.quantize.judge import Limits, TextJudge, Verdict, measure_graph
from webgpu_kit.quantize.last_row import pick_last_row_first
from webgpu_kit.quantize.packed_operators import use_packed_operators
from webgpu_kit.quantize.prompt_trial import try_integer_prompts
from webgpu_kit.quantize.search import Bench, expand_packed, find_rounding, judge_packed
from webgpu_kit.quantize.wasm_attention import add_sinks
from webgpu_kit.quantize.wasm_divided import divide_products
from webgpu_kit.quantize.wasm_normalization import split_normalizations
from webgpu_kit.quantize.wasm_tables import gather_by_parts
from webgpu_kit.quantize.weights import BITS, SMALLEST_PACKED, is_large
from webgpu_kit.tasks import TASKS
from webgpu_kit.tasks.image_graph import BEFORE

if TYPE_CHECKING:
    import onnx

# A language model's golden is a few short answers: their worst may be far from the text's mean. What a backend computes
# may be this much further from the original than the variant's own weights are.
GOLDEN_MARGIN = 1.5
# Of the threshold: rounded to integers, a page's answers differ more from these than by the order of additions.
INTEGER_SHARE = 0.8
LARGEST_BYTES = 2**31 - 2**24  # of a variant's weights: browsers hold a little less than 2 GiB in one piece
BACKENDS: tuple[Backend, ...] = ("webgpu", "wasm")


def quantize_graph(
    graph: Graph,
    dtype: Dtype,
    task: str,
    threshold: float | None = None,
    *,
    agreement: float | None = None,
    bench: Bench | None = None,
) -> Variant:
    """Make the variant `dtype` of `graph` and measure it against the golden, on both backends' graphs.

    A language model is measured on a text too. Where plain rounding misses the threshold, better ones are tried.
    `threshold` and `agreement` (the least top-1 agreement on the text) replace the task's own. `bench` keeps what the
    variants of one graph have in common. The caller decides what to do with a variant that misses its limits.
    Raises QuantizeError when the graph has nothing to quantize, or onnxruntime cannot run the result.
    """
    bench = bench or Bench(graph, task, lambda line: None)
    limits = choose_limits(dtype, task, threshold, agreement)
    if dtype != "fp32":
        _check_source(bench)
    elif (size := sum(map(count_bytes, graph.model.graph.initializer))) > LARGEST_BYTES:
        raise QuantizeError(
            f"{size / 1e9:.1f} GB of weights, more than the {LARGEST_BYTES / 1e9:.1f} GB that a page can hold.",
            fix="leave fp32 out of `dtypes`: the others are smaller",
        )
    packed, method, verdict = _round_weights(bench, dtype, limits)
    if dtype == "fp32":
        graphs = _keep_graph(graph.model)
    else:
        graphs = {backend: _make_graph(graph.model, dtype, packed, backend) for backend in BACKENDS}
        if dtype == "q8" and bench.encodes_text:
            integers, note = _try_integers(bench, packed, limits)
            graphs, method = graphs | integers, f"{method}; {note}"
    if bench.on_text and dtype != "fp32":
        graphs["wasm"], made, note = try_integer_prompts(graphs["wasm"], packed, graph, limits.error, bench.progress)
        packed, method = packed | made, "; ".join(filter(None, (method, note)))
    # On the golden a page is held to the variant that was chosen, not only to the original.
    allowed = max(limits.error, GOLDEN_MARGIN * _measure_golden(bench, packed)) if verdict else limits.error
    distinct = {id(entry.model): entry for entry in graphs.values()}.values()
    parities = [measure_graph(entry.model, graph, task, allowed) for entry in distinct]
    worst = max(parities, key=lambda parity: parity.value)
    for entry in graphs.values():
        _drop_expanded(entry)
    return Variant(
        name=dtype,
        dtype=dtype,
        graphs={
            backend: entry for backend, entry in graphs.items() if backend not in graph.settings.get("unsupported", {})
        },
        packed=packed,
        requires=("shader-f16",) if dtype in ("fp16", "q4f16") else (),
        parity=worst.model_copy(update={"method": method, "details": _describe(verdict, limits)}),
    )


def _try_integers(
    bench: Bench, packed: Mapping[str, PackedTensor], limits: Limits
) -> tuple[dict[Backend, VariantGraph], str]:
    """The graph that multiplies integers on wasm, where it is good enough, and in plain words what was decided."""
    error = float("inf")
    for fixed in (True, False):
        entry = _make_integer_graph(bench.graph.model, packed, bench.peaks, fixed=fixed)
        if not entry.steps:
            return {}, "float32 products on wasm"
        error = measure_graph(entry.model, bench.graph, bench.task, limits.error).value
        scales = "fixed scales" if fixed else "a scale for each token"
        bench.progress(f"8 bits, integer products on wasm, {scales}: error {error:.3g}")
        if error <= INTEGER_SHARE * limits.error:
            return {"wasm": entry}, "8-bit integer products on wasm"
    return {}, f"float32 products on wasm (integers: {error:.3g})"


def _drop_expanded(entry: VariantGraph) -> None:
    """Let go of the values that the page makes: of a large model they are gigabytes a variant."""
    for weight in entry.model.graph.initializer:
        if weight.name in entry.expanded:
            weight.ClearField("raw_data")


def _check_source(bench: Bench) -> None:
    """Refuse a language model's graph that is not the original: on the text variants are held to the graph alone."""
    limit = TASKS[bench.task].thresholds["fp32"]
    if not bench.source_error <= limit:
        metric = TASKS[bench.task].metric
        raise QuantizeError(
            f"the graph that the exporter made gives other answers than the original, with the original's own weights: "
            f"{metric} {bench.source_error:.3g}, at most {limit} is allowed.",
            fix="report this with the model's config.json",
        )


def _measure_golden(bench: Bench, packed: Mapping[str, PackedTensor]) -> float:
    """The golden's error by the packed weights in the source's graph; 0 where the golden itself decides."""
    if not isinstance(bench.judge, TextJudge):
        return 0.0
    return bench.judge.measure_golden(bench.graph, bench.task, expand_packed(bench, packed))


def _describe(verdict: Verdict | None, limits: Limits) -> dict[str, float]:
    if verdict is None or not verdict.details:
        return {}
    return {**verdict.details, "largest_kl_divergence": limits.error, "least_top1_agreement": limits.agreement}


def choose_limits(dtype: Dtype, task: str, threshold: float | None, agreement: float | None) -> Limits:
    """The task's limits for a dtype, or those that are given in their place."""
    error = TASKS[task].thresholds[dtype] if threshold is None else threshold
    return Limits(error, TASKS[task].agreements.get(dtype, 0.0) if agreement is None else agreement)


def _round_weights(bench: Bench, dtype: Dtype, limits: Limits) -> tuple[dict[str, PackedTensor], str, Verdict | None]:
    """The weights that travel packed, how they were rounded, and what was measured where it was."""
    packed: dict[str, PackedTensor] = {}
    if dtype in ("fp16", "q4f16"):
        packed = _pack_halves(bench.graph.model)
    if dtype not in BITS:
        verdict = judge_packed(bench, packed) if bench.on_text and dtype == "fp16" else None
        return packed, "float16" if packed else "", verdict
    if not bench.weights:
        raise QuantizeError(
            f"dtype {dtype!r}: no weight of {SMALLEST_PACKED} or more elements to quantize.",
            fix="leave it out of `dtypes`: fp32 is as small",
        )
    found = find_rounding(bench, BITS[dtype], limits, half=dtype == "q4f16")
    return packed | found.packed, found.method, found.verdict


def _pack_halves(model: onnx.ModelProto) -> dict[str, PackedTensor]:
    large = [entry for entry in model.graph.initializer if is_large(entry)]
    return {entry.name: pack_float16(entry.name, read_weight(entry)) for entry in large}


def _keep_graph(source: onnx.ModelProto) -> dict[Backend, VariantGraph]:
    """The graph as it is, on both backends; one of its own for wasm where attention differs there."""
    whole = VariantGraph(model=source)
    if not any(node.op_type == "GroupQueryAttention" for node in source.graph.node):
        return dict.fromkeys(BACKENDS, whole)
    model = type(source)()
    model.CopyFrom(source)
    add_sinks(model)
    pick_last_row_first(model)
    return {"webgpu": whole, "wasm": VariantGraph(model=model)}


def _make_graph(
    source: onnx.ModelProto, dtype: Dtype, packed: Mapping[str, PackedTensor], backend: Backend
) -> VariantGraph:
    model = copy_frame(source)
    model.graph.node.extend(source.graph.node)
    model.graph.initializer.extend(entry for entry in source.graph.initializer if entry.name not in packed)
    # In float16 GatherBlockQuantized has been seen on no WebGPU adapter yet.
    replaced = use_packed_operators(model, packed, backend, gathers=backend == "wasm" or dtype != "q4f16")
    weights = {name: tensor for name, tensor in packed.items() if name not in replaced}
    return _add_weights(model, dtype, weights, backend)


def _make_integer_graph(
    source: onnx.ModelProto, packed: Mapping[str, PackedTensor], peaks: Mapping[str, Array], *, fixed: bool
) -> VariantGraph:
    model = copy_frame(source)
    model.graph.node.extend(source.graph.node)
    model.graph.initializer.extend(entry for entry in source.graph.initializer if entry.name not in packed)
    replaced = use_packed_operators(model, packed, "wasm")
    steps = use_integer_products(model, packed, peaks, fixed=fixed)
    split_normalizations(model)
    gather_by_parts(model)
    divide_products(model)
    for name, each in steps.items():
        add_initializer(model, name, round_to_steps(packed[name], each))
    others = {name: tensor for name, tensor in packed.items() if name not in replaced and name not in steps}
    entry = _add_weights(model, "q8", others, "wasm")
    return replace(entry, expanded={**entry.expanded, **dict.fromkeys(steps, "uint8")}, steps=steps)


def _add_weights(
    model: onnx.ModelProto, dtype: Dtype, weights: Mapping[str, PackedTensor], backend: Backend
) -> VariantGraph:
    width: Literal["float32", "float16"] = "float32"
    if backend == "webgpu" and dtype in ("fp16", "q4f16"):
        width = "float16"
        model = _convert_to_float16(model, weights)
    for name, tensor in weights.items():
        value = tensor.data.reshape(tensor.shape) if tensor.kind == width else expand_tensor(tensor).astype(width)
        add_initializer(model, name, value)
    if backend == "wasm":
        add_sinks(model)
        pick_last_row_first(model)
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
