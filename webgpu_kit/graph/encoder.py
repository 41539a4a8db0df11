"""A pass over encoders: what exporters write around MultiHeadAttention and embeddings, without what no page needs.

On WebGPU each node is a dispatch or more, and on wasm a walk through memory. What a graph computes stays the same for
texts of at least one token, and a page has no others.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from webgpu_kit.artifacts import Array
from webgpu_kit.initializers import read_weight
from webgpu_kit.nodes import add_initializer, read_int

if TYPE_CHECKING:
    import onnx

ATTENTION = "MultiHeadAttention"
SCORES = 5  # the input of it that is added to the scores, (batch, 1, rows, keys)
MASK = "attention_mask"
SEEN, HIDDEN = -1.0, -1e4  # scores are masked where this much or more is taken from them
TRIED_MASKS = (((1, 1, 1),), ((1, 1, 1, 1, 0), (1, 0, 0, 0, 0)), ((1, 1, 0, 1), (1, 1, 1, 1), (0, 1, 1, 0)))


def simplify_encoder(model: onnx.ModelProto) -> onnx.ModelProto:
    """Attention gets its biases in one step, its mask in the fewest, and no guard for texts without tokens.

    Token types that are always 0 go into the table of positions. A model without MultiHeadAttention stays as it is.
    """
    if not any(node.op_type == ATTENTION for node in model.graph.node):
        return model
    result = type(model)()
    result.CopyFrom(model)
    editor = _Editor(result)
    for node in [node for node in result.graph.node if node.op_type == ATTENTION]:
        editor.drop_guard(node)
    for node in [node for node in result.graph.node if node.op_type == "Split"]:
        editor.gather_biases(node)
    editor.shorten_masks()
    editor.fold_token_types()
    return _drop_unused(result)


class _Editor:
    """One model while it is being changed in place."""

    def __init__(self, model: onnx.ModelProto) -> None:
        self.model = model
        self._note_makers()
        self.weights = {entry.name: entry for entry in model.graph.initializer}

    def _note_makers(self) -> None:
        self.makers = {name: node for node in self.model.graph.node for name in node.output if name}

    def gather_biases(self, split: onnx.NodeProto) -> None:
        """What is added to each output of `split`, along its last axis, is added to its input, in one step.

        Not by attention itself: WebGPU's kernel leaves its fast path when it has biases.
        """
        from onnx import helper

        found = [self._find_add(name) for name in split.output]
        adds = [add for add in found if add is not None]
        if len(adds) < len(found) or read_int(split, "axis", 0) not in (-1, 2):
            return
        name = f"{split.input[0]}.biased"
        biases = [self._read(next(each for each in add.input if each in self.weights)) for add in adds]
        add_initializer(self.model, f"{name}.bias", np.concatenate(biases))
        for add, part in zip(adds, split.output, strict=True):
            self._replace(add.output[0], part)
        # The sum takes the place of the split, and the split that of the first addition: so nodes stay in order.
        split_later = type(split)()
        split_later.CopyFrom(split)
        split_later.input[0] = name
        split.CopyFrom(helper.make_node("Add", [split.input[0], f"{name}.bias"], [name], name=name))
        outputs = {add.output[0] for add in adds}
        next(node for node in self.model.graph.node if outputs.intersection(node.output)).CopyFrom(split_later)
        self._note_makers()

    def _find_add(self, part: str) -> onnx.NodeProto | None:
        """The addition of a bias that is the only use of `part`."""
        users = self._list_users(part)
        if len(users) != 1 or users[0].op_type != "Add" or self._count_uses(part) != 1:
            return None
        has_bias = any(name in self.weights and len(self.weights[name].dims) == 1 for name in users[0].input)
        return users[0] if has_bias else None

    def drop_guard(self, attention: onnx.NodeProto) -> None:
        """Rows that see no key are set to zero: there are none where each text has a token."""
        name = attention.output[0]
        while (users := self._list_users(name)) and len(users) == 1 and users[0].op_type == "Reshape":
            name = users[0].output[0]
        if len(users) != 1 or users[0].op_type != "Where" or users[0].input[2] != name:
            return
        condition, zeros, _ = users[0].input
        if zeros in self.weights and not self._read(zeros).any() and self._asks_for_no_key(condition):
            self._replace(users[0].output[0], name)

    def _asks_for_no_key(self, name: str) -> bool:
        node = self.makers.get(name)
        while node and node.op_type in ("Transpose", "Reshape", "Unsqueeze", "Squeeze", "Expand"):
            node = self.makers.get(node.input[0])
        counted = self.makers.get(node.input[0]) if node and node.op_type in ("Less", "Equal") else None
        return bool(counted and counted.op_type == "ReduceSum")

    def shorten_masks(self) -> None:
        """Where what is added to the scores only hides padding, it is made of the mask in three steps."""
        masked = [node for node in self.model.graph.node if node.op_type == ATTENTION and len(node.input) > SCORES]
        for name in dict.fromkeys(node.input[SCORES] for node in masked if node.input[SCORES]):
            hidden = _measure_mask(self.model, name)
            if hidden is not None:
                self._write_mask(name, hidden)

    def _write_mask(self, name: str, hidden: float) -> None:
        from onnx import helper

        made = f"{name}.short"
        add_initializer(self.model, f"{made}.seen", np.asarray(0, dtype=np.float32))
        add_initializer(self.model, f"{made}.hidden", np.asarray(hidden, dtype=np.float32))
        add_initializer(self.model, f"{made}.axes", np.asarray([1, 2]))
        add_initializer(self.model, f"{made}.single", np.asarray([1]))
        nodes = [
            helper.make_node("Cast", [MASK], [f"{made}.is_seen"], to=9),  # bool
            helper.make_node("Where", [f"{made}.is_seen", f"{made}.seen", f"{made}.hidden"], [f"{made}.scores"]),
            helper.make_node("Unsqueeze", [f"{made}.scores", f"{made}.axes"], [f"{made}.keys"]),
            helper.make_node("Shape", [MASK], [f"{made}.rows"], start=0, end=1),
            helper.make_node("Shape", [MASK], [f"{made}.length"], start=1, end=2),
            helper.make_node(
                "Concat",
                [f"{made}.rows", f"{made}.single", f"{made}.length", f"{made}.length"],
                [f"{made}.shape"],
                axis=0,
            ),
            helper.make_node("Expand", [f"{made}.keys", f"{made}.shape"], [made]),
        ]
        for node in nodes:
            node.name = node.output[0]
        rest = list(self.model.graph.node)
        del self.model.graph.node[:]
        self.model.graph.node.extend([*nodes, *rest])  # copies: the old ones are no part of the model any more
        self._note_makers()
        self._replace(name, made)

    def fold_token_types(self) -> None:
        """The vector of a type that every token has is added to each position's vector, once and for all."""
        gathers = [node for node in self.model.graph.node if node.op_type == "Gather"]
        for node in filter(self._reads_first_row, gathers):
            users = self._list_users(node.output[0])
            add = users[0] if len(users) == 1 and users[0].op_type == "Add" else None
            positions = self._find_table_beside(add) if add else None
            if add and positions:
                name = f"{positions.input[0]}.with_type"
                add_initializer(self.model, name, self._read(positions.input[0]) + self._read(node.input[0])[0])
                positions.input[0] = name
                (other,) = [name for name in add.input if name != node.output[0]]
                self._replace(add.output[0], other)

    def _reads_first_row(self, gather: onnx.NodeProto) -> bool:
        if gather.input[0] not in self.weights or len(self.weights[gather.input[0]].dims) != 2:
            return False
        found = _try_masks(self.model, gather.input[1])
        return found is not None and not any(value.any() for value in found)

    def _find_table_beside(self, add: onnx.NodeProto) -> onnx.NodeProto | None:
        """The other lookup in a weight, of which nothing else is made, that the sum `add` goes into."""
        users = self._list_users(add.output[0])
        if len(users) != 1 or users[0].op_type != "Add":
            return None
        gathers = [self.makers.get(name) for name in users[0].input if name != add.output[0]]
        tables = [node for node in gathers if node and node.op_type == "Gather" and node.input[0] in self.weights]
        alone = [node for node in tables if self._count_uses(node.output[0]) == self._count_uses(node.input[0]) == 1]
        return alone[0] if alone else None

    def _replace(self, old: str, new: str) -> None:
        for user in self._list_users(old):
            for place, name in enumerate(user.input):
                if name == old:
                    user.input[place] = new

    def _list_users(self, name: str) -> list[onnx.NodeProto]:
        return [node for node in self.model.graph.node if name in node.input]

    def _count_uses(self, name: str) -> int:
        outputs = [entry.name for entry in self.model.graph.output]
        return sum(list(node.input).count(name) for node in self._list_users(name)) + outputs.count(name)

    def _read(self, name: str) -> Array:
        return read_weight(self.weights[name])


def _measure_mask(model: onnx.ModelProto, name: str) -> float | None:
    """What `name` takes from a hidden key's score, if it hides the keys that the mask hides and nothing else."""
    if not any(entry.name == MASK for entry in model.graph.input):
        return None
    values = set[float]()
    for mask, found in zip(map(np.asarray, TRIED_MASKS), _try_masks(model, name) or [], strict=False):
        wanted = np.broadcast_to(mask[:, None, None, :] == 1, (len(mask), 1, mask.shape[1], mask.shape[1]))
        if found.shape != wanted.shape or not np.array_equal(found > SEEN, wanted):
            return None
        values |= {float(value) for value in found[~wanted]}
        if found[wanted].any():
            return None
    return values.pop() if len(values) == 1 and max(values) < HIDDEN else None


def _try_masks(model: onnx.ModelProto, name: str) -> list[Array] | None:
    """`name` for each of TRIED_MASKS; None where it depends on more than the mask."""
    import onnx
    import onnxruntime
    from onnx import helper

    nodes = _find_needed(model.graph, name)
    known = {MASK, ""}.union(entry.name for entry in model.graph.initializer)
    needed = {each for node in nodes for each in node.input} - {each for node in nodes for each in node.output}
    if not nodes or not needed <= known or any(node.domain not in ("", "ai.onnx") for node in nodes):
        return None
    weights = [entry for entry in model.graph.initializer if entry.name in needed]
    mask_input = helper.make_tensor_value_info(MASK, onnx.TensorProto.INT64, [None, None])
    output = helper.make_empty_tensor_value_info(name)
    graph = helper.make_graph(nodes, "mask", [mask_input], [output], weights)
    part = helper.make_model(graph, opset_imports=model.opset_import, ir_version=model.ir_version)
    session = onnxruntime.InferenceSession(part.SerializeToString(), providers=["CPUExecutionProvider"])
    return [np.asarray(session.run(None, {MASK: np.asarray(mask, dtype=np.int64)})[0]) for mask in TRIED_MASKS]


def _find_needed(graph: onnx.GraphProto, name: str) -> list[onnx.NodeProto]:
    """The nodes that `name` is computed by, in their order."""
    wanted = {name}
    found: list[onnx.NodeProto] = []
    for node in reversed(graph.node):
        if not wanted.isdisjoint(node.output):
            wanted.update(node.input)
            found.append(node)
    return found[::-1]


def _drop_unused(model: onnx.ModelProto) -> onnx.ModelProto:
    import onnx_ir
    from onnx_ir.passes import common

    ir_model = onnx_ir.from_proto(model)
    common.RemoveUnusedNodesPass()(ir_model)
    result: onnx.ModelProto = onnx_ir.to_proto(ir_model)
    return result
