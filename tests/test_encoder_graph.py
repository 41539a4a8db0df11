"""The pass over encoders: fewer nodes, the same answers."""

from __future__ import annotations

from collections import Counter
from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import numpy_helper
from tiny_sentence_model import LAYERS, write_sentence_model

from webgpu_kit.artifacts import Array
from webgpu_kit.export import export_graph
from webgpu_kit.graph import check_operators, fold_constants
from webgpu_kit.graph.encoder import ATTENTION, simplify_encoder
from webgpu_kit.recipe import Recipe
from webgpu_kit.source import fetch_source
from webgpu_kit.tasks import TASKS

MASK = np.asarray([[1] * 9, [1] * 4 + [0] * 5, [1] + [0] * 8, [0, 1] * 4 + [1]])


@pytest.fixture(scope="module")
def exported(tmp_path_factory: pytest.TempPathFactory) -> onnx.ModelProto:
    folder = write_sentence_model(tmp_path_factory.mktemp("encoder") / "model")
    recipe = Recipe(name="encoder", title="Encoder", task="feature-extraction", source=str(folder))
    source = fetch_source(recipe.source, base=folder, progress=lambda line: None)
    graph = export_graph(source, recipe, lambda line: None)
    return fold_constants(TASKS["feature-extraction"].attach(graph.model, graph.settings))


def run(model: onnx.ModelProto) -> Array:
    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    ids = np.random.default_rng(1).integers(5, 40, MASK.shape)
    (answer,) = session.run(None, {"input_ids": ids, "attention_mask": MASK})
    return np.asarray(answer)


def count(model: onnx.ModelProto) -> Counter[str]:
    return Counter(node.op_type for node in model.graph.node)


def test_the_answers_stay_with_a_third_fewer_nodes(exported: onnx.ModelProto) -> None:
    simple = simplify_encoder(exported)
    np.testing.assert_allclose(run(simple), run(exported), atol=1e-6)
    assert len(simple.graph.node) < 0.75 * len(exported.graph.node)
    check_operators(simple)


def test_biases_guards_masks_and_types_are_where_they_cost_nothing(exported: onnx.ModelProto) -> None:
    simple = simplify_encoder(exported)
    before, after = count(exported), count(simple)
    assert before["Add"] == 3 * LAYERS + 2 and after["Add"] == LAYERS + 1
    assert before["Where"] == LAYERS and after["Where"] == 1
    assert not {"Range", "And", "GatherND", "GatherElements"}.intersection(after)


def test_a_model_without_such_attention_stays_as_it_is() -> None:
    model = onnx.parser.parse_model(
        '<ir_version: 8, opset_import: ["": 20]> a (float[2] x) => (float[2] y) {y = Abs(x)}'
    )
    assert simplify_encoder(model) is model


def change(model: onnx.ModelProto, **weights: Any) -> onnx.ModelProto:
    changed = onnx.ModelProto()
    changed.CopyFrom(model)
    for entry in changed.graph.initializer:
        if entry.name in weights:
            entry.CopyFrom(numpy_helper.from_array(weights[entry.name], entry.name))
    return changed


def test_a_mask_that_hides_more_than_padding_is_kept(exported: onnx.ModelProto) -> None:
    (scores,) = {node.input[5] for node in exported.graph.node if node.op_type == ATTENTION}
    causal = change(exported)
    maker = next(node for node in causal.graph.node if scores in node.output)
    maker.output[0] = f"{scores}.all"
    hidden = np.triu(np.full((1, 1, 99, 99), -1e9, dtype=np.float32), 1)
    causal.graph.initializer.extend(
        [numpy_helper.from_array(hidden, "causal"), numpy_helper.from_array(np.asarray([0, 0]), "from")]
    )
    place = list(causal.graph.node).index(maker) + 1
    nodes = [
        onnx.helper.make_node("Shape", [f"{scores}.all"], ["causal.size"], start=2, end=4),
        onnx.helper.make_node("Slice", ["causal", "from", "causal.size", "causal.axes"], ["causal.part"]),
        onnx.helper.make_node("Add", [f"{scores}.all", "causal.part"], [scores]),
    ]
    causal.graph.initializer.append(numpy_helper.from_array(np.asarray([2, 3]), "causal.axes"))
    rest = list(causal.graph.node)
    del causal.graph.node[:]
    causal.graph.node.extend([*rest[:place], *nodes, *rest[place:]])
    simple = simplify_encoder(causal)
    assert any(node.op_type == "Add" and scores in node.output for node in simple.graph.node)
    np.testing.assert_allclose(run(simple), run(causal), atol=1e-6)
    assert not np.allclose(run(causal), run(exported), atol=1e-3)


def test_types_that_a_visitor_gives_are_looked_up(exported: onnx.ModelProto) -> None:
    (lookup,) = [node for node in exported.graph.node if node.op_type == "Gather" and "token_type" in node.input[0]]
    given = change(exported)
    for node in given.graph.node:
        if node.output[0] == lookup.output[0]:
            node.input[1] = "token_type_ids"
    value = onnx.helper.make_tensor_value_info("token_type_ids", onnx.TensorProto.INT64, ["batch", "sequence"])
    given.graph.input.append(value)
    simple = simplify_encoder(given)
    assert any("token_type" in node.input[0] for node in simple.graph.node if node.op_type == "Gather")
