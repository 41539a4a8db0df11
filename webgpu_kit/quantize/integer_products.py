"""Graph surgery for wasm: products of 8-bit integers in the place of float32 ones.

ONNX Runtime Web's float32 product is bound by wasm's plain SIMD, where multiplying and adding are two instructions for
four numbers; its integer product does eight in two, and runs 2.3 times as fast. One scale for a whole tensor of
activations, as dynamic quantization usually has it, costs an encoder much of its quality. So here

1. what a normalization made is about as large in every text: one scale for all of them, found in texts, serves, and
   the product gives its answer at once; of any other input every token has a scale of its own, and a row of the
   product is multiplied with it afterwards;
2. every output has a scale and a zero point in the weight, which the integer product takes at no cost;
3. what a normalization made has a few columns that are always large: they are made smaller, and their rows of the
   weight larger, before both are rounded;
4. what comes out of a GELU is never under -0.17: nearly all of its 256 levels are spent above zero.

GELU itself is then computed by its tanh approximation: its error is far under that of the integers.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from webgpu_kit.artifacts import Array, IntegerSteps, PackedTensor
from webgpu_kit.nodes import add_initializer
from webgpu_kit.packing import expand_tensor

if TYPE_CHECKING:
    import onnx

# Of each input's largest value and of the weights it meets, this share of the difference goes over to the weights.
# Measured on MiniLM, cosine distance of the worst golden: 0.0125 without, 0.0045 with a half, 0.0032 with this.
SMOOTHING = 0.8
# A fixed scale has room for values so much larger than the largest that was seen. Measured on MiniLM: fixed scales add
# a seventh to the error, of random tokens as of texts; what is cut off by a fifth costs ten times as much.
ROOM = 1.1
LEVELS = 255
CENTRE = 128  # the integer that stands for 0 where values lie on both sides of it
GELU_ZERO, GELU_LEAST = 32, 0.17
SMALLEST_SCALE = 1e-9  # of a row of zeros
GELUS = ("BiasGelu", "Gelu", "FastGelu")
NORMALIZATIONS = ("LayerNormalization", "SkipLayerNormalization")
PRODUCT = "MatMulIntegerToFloat"


@dataclass(frozen=True)
class Rounded:
    """The names of a rounded input's parts; `row_scales` where what is multiplied must be multiplied with those too."""

    integers: str
    zero: str
    scale: str
    row_scales: str = ""


@dataclass
class Surgery:
    """The new nodes as they grow, with the constants they need."""

    nodes: list[onnx.NodeProto] = field(default_factory=list)
    constants: dict[str, Array] = field(default_factory=dict)

    def add(self, operator: str, inputs: list[str], output: str, domain: str = "", **settings: Any) -> str:
        """Append a node named after its only output, and give that output's name."""
        from onnx import helper

        self.nodes.append(helper.make_node(operator, inputs, [output], name=output, domain=domain, **settings))
        return output

    def join_bias(self, node: onnx.NodeProto, biases: Mapping[str, int], uses: Mapping[str, int]) -> bool:
        """Let a product add the bias itself, if `node` does nothing else and nothing else uses the product.

        `biases`: how many values each constant vector has.
        """
        if node.op_type != "Add":
            return False
        for name, other in (node.input, reversed(node.input)):
            maker = next((each for each in self.nodes if each.op_type == PRODUCT and each.output[0] == name), None)
            if maker and uses[name] == 1 and biases.get(other) == len(self.constants[maker.input[3]]):
                maker.input.append(other)
                maker.output[0] = maker.name = node.output[0]
                return True
        return False

    def keep(self, value: Array) -> str:
        """The name of a small constant, the same for equal ones."""
        name = f"integer.{value.dtype.name}.{'x'.join(map(str, value.shape))}.{'_'.join(map(str, value.reshape(-1)))}"
        self.constants[name] = value
        return name


def use_integer_products(
    model: onnx.ModelProto, packed: Mapping[str, PackedTensor], peaks: Mapping[str, Array], *, fixed: bool = True
) -> dict[str, IntegerSteps]:
    """Replace the float32 products with packed weights; changes `model`. Gives the integers' steps of each such weight.

    `peaks`: the largest absolute value of each input of a matrix, float32 (columns,), by the weight's name if known.
    `fixed`: with those, what a normalization made has one scale for all tokens; else each token has its own.
    The caller adds the weights themselves, rounded by `packing.round_to_steps`.
    """
    uses = _count_uses(model)
    groups = _group_by_input(model, packed, uses)
    biases = {entry.name: entry.dims[0] for entry in model.graph.initializer if len(entry.dims) == 1}
    makers = {name: node.op_type for node in model.graph.node for name in node.output if name}
    surgery = Surgery()
    steps: dict[str, IntegerSteps] = {}
    rounded: dict[str, Rounded] = {}
    for node in model.graph.node:
        source = node.input[0] if node.input else ""
        if source not in groups or node.input[1] not in groups[source]:
            if not surgery.join_bias(node, biases, uses):
                surgery.nodes.append(_approximate(node))
            continue
        if source not in rounded:
            weights = {name: expand_tensor(packed[name]) for name in groups[source]}
            seen = peaks if makers.get(source) in NORMALIZATIONS else {}
            factors = choose_factors(weights, seen)
            steps |= {name: choose_steps(value, factors) for name, value in weights.items()}
            if fixed and groups[source][0] in seen:
                largest = float(np.max(seen[groups[source][0]] / factors))
                rounded[source] = _round_all(surgery, source, factors, largest)
            else:
                zero = GELU_ZERO if makers.get(source) in GELUS else CENTRE
                rounded[source] = round_rows(surgery, source, factors, zero)
        multiply(surgery, node.input[1], node.output[0], rounded[source], steps[node.input[1]])
    del model.graph.node[:]
    model.graph.node.extend(surgery.nodes)
    for name, value in surgery.constants.items():
        add_initializer(model, name, value)
    return steps


def _count_uses(model: onnx.ModelProto) -> Counter[str]:
    used = Counter(name for node in model.graph.node for name in node.input)
    used.update(output.name for output in model.graph.output)
    return used


def _group_by_input(
    model: onnx.ModelProto, packed: Mapping[str, PackedTensor], uses: Mapping[str, int]
) -> dict[str, list[str]]:
    """The weights that each tensor is multiplied with, where a weight has no other use."""
    groups: dict[str, list[str]] = {}
    for node in model.graph.node:
        tensor = packed.get(node.input[1]) if node.op_type == "MatMul" else None
        if tensor is None or uses[tensor.name] > 1 or not tensor.transpose or len(tensor.shape) != 2:
            continue
        if tensor.kind == "blocks":
            groups.setdefault(node.input[0], []).append(tensor.name)
    return groups


def _approximate(node: onnx.NodeProto) -> onnx.NodeProto:
    from onnx import helper

    if node.op_type not in ("BiasGelu", "Gelu") or node.domain != "com.microsoft":
        return node
    return helper.make_node("FastGelu", list(node.input), list(node.output), name=node.name, domain="com.microsoft")


def choose_factors(weights: Mapping[str, Array], peaks: Mapping[str, Array]) -> Array:
    """What the rows of the weights are multiplied with, and their inputs divided by: float32 (inputs,)."""
    first = next(iter(weights))
    largest = peaks.get(first)
    if largest is None:
        return np.ones(len(weights[first]), dtype=np.float32)
    power = np.mean([np.mean(np.square(value, dtype=np.float64), axis=1) for value in weights.values()], axis=0)
    least = 1e-5  # an input that was never seen, or weights of zero: as good as any
    factors = np.maximum(largest, least) ** SMOOTHING / np.maximum(np.sqrt(power), least) ** (1 - SMOOTHING)
    return np.asarray(factors / np.mean(factors), dtype=np.float32)


def choose_steps(weight: Array, factors: Array) -> IntegerSteps:
    """Scale and zero point of each output, so that its smallest and largest weight are the ends of the levels."""
    scaled = weight.astype(np.float64) * factors.astype(np.float64)[:, None]
    low, high = np.minimum(scaled.min(axis=0), 0), np.maximum(scaled.max(axis=0), 0)
    scales = np.maximum((high - low) / LEVELS, SMALLEST_SCALE).astype(np.float32)
    zero_points = np.clip(np.rint(-low / scales), 0, LEVELS).astype(np.uint8)
    return IntegerSteps(factors=factors, scales=scales, zero_points=zero_points)


def _smooth(surgery: Surgery, source: str, factors: Array) -> str:
    if np.all(factors == 1):
        return source
    surgery.constants[f"{source}.factors"] = (1 / factors).astype(np.float32)
    return surgery.add("Mul", [source, f"{source}.factors"], f"{source}.smooth")


def _round_all(surgery: Surgery, source: str, factors: Array, largest: float) -> Rounded:
    """`source` as 8-bit integers with one scale, where `largest` is its largest value once it is divided."""
    scale = surgery.keep(np.asarray(max(ROOM * largest / (LEVELS - CENTRE), SMALLEST_SCALE), dtype=np.float32))
    zero = surgery.keep(np.asarray(CENTRE, dtype=np.uint8))
    values = _smooth(surgery, source, factors)
    return Rounded(surgery.add("QuantizeLinear", [values, scale, zero], f"{source}.integers"), zero, scale)


def round_rows(surgery: Surgery, source: str, factors: Array, zero: int) -> Rounded:
    """`source` as 8-bit integers with a scale for each row: (..., columns) and (..., 1)."""
    add, keep, row_shape = surgery.add, surgery.keep, np.asarray([-1, len(factors)])
    values = _smooth(surgery, source, factors)
    last, above = keep(np.asarray([-1])), np.float32(1 / (LEVELS - zero))
    least = np.float32(GELU_LEAST / zero if zero == GELU_ZERO else SMALLEST_SCALE)
    sized = values if zero == GELU_ZERO else add("Abs", [values], f"{source}.size")
    peak = surgery.add("ReduceMax", [sized, last], f"{source}.peak", keepdims=1)
    wide = add("Mul", [peak, keep(np.asarray(above))], f"{source}.step")
    scale = add("Max", [wide, keep(np.asarray(least))], f"{source}.scale")
    # QuantizeLinear has a scale for each place of one axis: the rows are laid out along it.
    flat = add("Reshape", [scale, last], f"{source}.scales")
    count = add("Shape", [flat], f"{source}.count")
    zeros = add("Expand", [keep(np.asarray([zero], dtype=np.uint8)), count], f"{source}.zeros")
    rows = add("Reshape", [values, keep(row_shape)], f"{source}.rows")
    levels = surgery.add("QuantizeLinear", [rows, flat, zeros], f"{source}.levels", axis=0)
    integers = add("Reshape", [levels, add("Shape", [source], f"{source}.shape")], f"{source}.integers")
    return Rounded(integers, keep(np.asarray(zero, dtype=np.uint8)), keep(np.asarray(1, dtype=np.float32)), scale)


def multiply(surgery: Surgery, weight: str, output: str, rounded: Rounded, steps: IntegerSteps) -> None:
    """`output`, the product of what is rounded and a weight of `steps`."""
    surgery.constants[f"{weight}.scales"] = steps.scales
    surgery.constants[f"{weight}.zeros"] = steps.zero_points
    inputs = [rounded.integers, weight, rounded.scale, f"{weight}.scales", rounded.zero, f"{weight}.zeros"]
    if not rounded.row_scales:
        surgery.add(PRODUCT, inputs, output, domain="com.microsoft")
        return
    product = surgery.add(PRODUCT, inputs, f"{output}.product", domain="com.microsoft")
    surgery.add("Mul", [product, rounded.row_scales], output)
