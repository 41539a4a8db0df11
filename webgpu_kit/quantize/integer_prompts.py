"""Long prompts on wasm: the gated half of every feed-forward block by products of 8-bit integers.

A prompt is bound by the float32 products (integer_products.py says why), and half of their work are the two matrices
of a gated block. What they are multiplied with was just normalized, so its values round well; those that a block's last
matrix takes do not (SmolLM2-135M after prompts of 448 tokens: KL 0.0028 with that one alone, 0.0001 with these two).

Every row but the last, which the answer's first token is read from, is rounded, and none in a run of fewer than
LEAST_ROWS: so decoding stays what it was, over keys and values that differ by the rounding.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import numpy as np

from webgpu_kit.artifacts import Array, IntegerSteps, PackedTensor
from webgpu_kit.nodes import add_initializer
from webgpu_kit.packing import expand_tensor, round_to_steps
from webgpu_kit.quantize.gated import GatedBlock, find_gated_blocks
from webgpu_kit.quantize.integer_products import CENTRE, Surgery, choose_factors, choose_steps, multiply, round_rows

if TYPE_CHECKING:
    import onnx

LEAST_ROWS = 64
ROWS, ROUNDED, PARTS, IS_LONG = "prompt.rows", "prompt.rounded", "prompt.parts", "prompt.is_long"


@dataclass
class IntegerWeights:
    """Weights that a graph has beside those they repeat: packed alike, by their names, with the integers' steps."""

    packed: dict[str, PackedTensor] = field(default_factory=dict)
    steps: dict[str, IntegerSteps] = field(default_factory=dict)


def use_integer_prompts(
    model: onnx.ModelProto, packed: Mapping[str, PackedTensor], peaks: Mapping[str, Array]
) -> IntegerWeights:
    """Let the gated blocks of a decoder take long prompts as integers; changes `model`, the new weights included.

    `peaks`: the largest absolute value of each input of the blocks' matrices, float32 (columns,), by the weight's name.
    """
    weights = IntegerWeights()
    blocks = {block.norm.output[0]: block for block in find_blocks(model.graph, packed)}
    if not blocks:
        return weights
    surgery = Surgery()
    _count_rows(surgery)
    ends = {block.outer.output[0]: block for block in blocks.values()}
    for node in model.graph.node:
        name = node.output[0]
        surgery.nodes.append(node)
        if name in blocks:
            _divide_rows(surgery, blocks[name])
        elif name in ends:
            _join_rows(surgery, ends[name], _add_weights(weights, ends[name], packed, peaks), weights.steps)
    del model.graph.node[:], model.graph.value_info[:]  # ONNX Runtime believes what it is told of shapes
    model.graph.node.extend(surgery.nodes)
    for name, value in surgery.constants.items():
        add_initializer(model, name, value)
    for name, tensor in weights.packed.items():
        add_initializer(model, name, round_to_steps(tensor, weights.steps[name]))
    return weights


def find_blocks(graph: onnx.GraphProto, packed: Mapping[str, PackedTensor]) -> Iterator[GatedBlock]:
    """The blocks whose two weights can be rounded.

    Those after the last attention are left out: only one row is computed there (last_row.py).
    """
    places = {node.output[0]: place for place, node in enumerate(graph.node)}
    attention = [places[node.output[0]] for node in graph.node if node.op_type == "GroupQueryAttention"]
    for block in find_gated_blocks(graph):
        tensors = [packed.get(node.input[1]) for node in (block.gate, block.up)]
        fits = all(each and each.kind == "blocks" and each.transpose for each in tensors)
        if fits and places[block.outer.output[0]] < max(attention, default=0):
            yield block


def _count_rows(surgery: Surgery) -> None:
    """How many rows are rounded, and how many are not: all but one, or none where there are few."""
    add, keep = surgery.add, surgery.keep
    add("Shape", ["input_ids"], ROWS, start=1, end=2)
    enough = add("GreaterOrEqual", [ROWS, keep(np.asarray([LEAST_ROWS]))], "prompt.enough")
    most = add("Sub", [ROWS, keep(np.asarray([1]))], "prompt.most")
    add("Where", [enough, most, keep(np.asarray([0]))], ROUNDED)
    add("Concat", [ROUNDED, add("Sub", [ROWS, ROUNDED], "prompt.exact")], PARTS, axis=0)
    add("Greater", [ROUNDED, keep(np.asarray([0]))], IS_LONG)


def _divide_rows(surgery: Surgery, block: GatedBlock) -> None:
    """Let the block's own nodes see the last rows only: (1, rows, width) becomes `.head` and `.tail` of it."""
    from onnx import helper

    source = block.gate.input[0]
    parts = [f"{source}.head", f"{source}.tail"]
    surgery.nodes.append(helper.make_node("Split", [source, PARTS], parts, name=f"{source}.parts", axis=1))
    block.gate.input[0] = block.up.input[0] = parts[1]


def _add_weights(
    weights: IntegerWeights, block: GatedBlock, packed: Mapping[str, PackedTensor], peaks: Mapping[str, Array]
) -> Array:
    """Add the block's two weights as integers; gives what their inputs are divided by."""
    names = [block.gate.input[1], block.up.input[1]]
    values = {name: expand_tensor(packed[name]) for name in names}
    factors = choose_factors(values, peaks)
    for name, value in values.items():
        new = _name_integers(name)
        weights.packed[new] = replace(packed[name], name=new)
        weights.steps[new] = choose_steps(value, factors)
    return factors


def _name_integers(name: str) -> str:
    return f"{name}.integers"


def _join_rows(surgery: Surgery, block: GatedBlock, factors: Array, steps: Mapping[str, IntegerSteps]) -> None:
    """The block's result from both parts."""
    result, head = block.outer.output[0], f"{block.norm.output[0]}.head"
    rounded, exact, width = (
        f"{result}.rounded",
        f"{result}.exact",
        len(steps[_name_integers(block.gate.input[1])].scales),
    )
    block.outer.output[0] = exact
    branch = Surgery(constants=surgery.constants)
    rows = round_rows(branch, head, factors, CENTRE)
    for node in (block.gate, block.up):
        weight = _name_integers(node.input[1])
        multiply(branch, weight, f"{node.output[0]}.rounded", rows, steps[weight])
    gate, up = f"{block.gate.output[0]}.rounded", f"{block.up.output[0]}.rounded"
    sigmoid = branch.add("Sigmoid", [gate], f"{gate}.sigmoid")
    branch.add("Mul", [branch.add("Mul", [gate, sigmoid], f"{gate}.gated"), up], f"{rounded}.some")
    empty = Surgery(constants=surgery.constants)
    empty.add("ConstantOfShape", [surgery.keep(np.asarray([1, 0, width]))], f"{rounded}.none")
    branches = {"then_branch": _make_branch(branch, width), "else_branch": _make_branch(empty, width)}
    surgery.add("If", [IS_LONG], rounded, **branches)
    surgery.add("Concat", [rounded, exact], result, axis=1)


def _make_branch(surgery: Surgery, width: int) -> onnx.GraphProto:
    from onnx import helper

    name = surgery.nodes[-1].output[0]
    output = helper.make_tensor_value_info(name, 1, [1, None, width])
    return helper.make_graph(surgery.nodes, name, [], [output])
