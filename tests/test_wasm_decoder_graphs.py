"""What is changed in a decoder's graph for wasm, and what is left alone."""

from __future__ import annotations

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from webgpu_kit.quantize.last_row import pick_last_row_first
from webgpu_kit.quantize.wasm_attention import add_sinks

WIDTH, HEADS = 16, 2


def make_decoder(*, attention: bool = True, index: int = -1, kept: bool = False, **settings: object) -> onnx.ModelProto:
    """Attention (or an Add), a matrix, a Sigmoid, and the pick of one row; `kept` gives the matrix's output out too."""
    generator = np.random.default_rng(4)
    weights = {
        "w": generator.normal(size=(WIDTH, WIDTH)).astype(np.float32),
        "index": np.asarray(index),
        "lengths": np.asarray([4], np.int32),
        "total": np.asarray(5, np.int32),
    }
    inputs = {"x": [1, 5, 3 * WIDTH if attention else WIDTH]}
    inputs |= {name: [1, HEADS, 0, WIDTH // HEADS] for name in ("past_key", "past_value")}
    settings = {"num_heads": HEADS, "kv_num_heads": HEADS, **settings}
    seen = helper.make_node(
        "GroupQueryAttention",
        ["x", "", "", "past_key", "past_value", "lengths", "total"],
        ["seen", "key", "value"],
        domain="com.microsoft",
        **settings,
    )
    nodes = [
        seen if attention else helper.make_node("Add", ["x", "x"], ["seen"]),
        helper.make_node("MatMul", ["seen", "w"], ["product"]),
        helper.make_node("Sigmoid", ["product"], ["gate"]),
        helper.make_node("Gather", ["gate", "index"], ["y"], axis=1),
    ]
    names = ["y", *(["key", "value"] if attention else []), *(["product"] if kept else [])]
    graph = helper.make_graph(
        nodes,
        "decoder",
        [helper.make_tensor_value_info(name, TensorProto.FLOAT, shape) for name, shape in inputs.items()],
        [helper.make_tensor_value_info(name, TensorProto.FLOAT, None) for name in names],
        [numpy_helper.from_array(value, name) for name, value in weights.items()],
    )
    opsets = [helper.make_opsetid("", 21), helper.make_opsetid("com.microsoft", 1)]
    return helper.make_model(graph, opset_imports=opsets, ir_version=10)


def run(model: onnx.ModelProto) -> list[np.ndarray]:
    import onnxruntime

    generator = np.random.default_rng(5)
    shapes = {entry.name: [size.dim_value for size in entry.type.tensor_type.shape.dim] for entry in model.graph.input}
    feeds = {name: generator.normal(size=shape).astype(np.float32) for name, shape in shapes.items()}
    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    return list(session.run(None, feeds))


def copy(model: onnx.ModelProto) -> onnx.ModelProto:
    return onnx.ModelProto.FromString(model.SerializeToString())


def test_a_sink_without_a_share_and_an_early_pick_change_no_answer() -> None:
    model = make_decoder()
    changed = copy(model)
    assert add_sinks(changed) and pick_last_row_first(changed) == 2
    assert [node.op_type for node in changed.graph.node] == [
        "GroupQueryAttention",
        "Gather",
        "MatMul",
        "Sigmoid",
        "Gather",
    ]
    for wanted, given in zip(run(model), run(changed), strict=True):
        np.testing.assert_allclose(given, wanted, atol=1e-6)


@pytest.mark.parametrize(
    ("settings", "why"),
    [
        ({"attention": False}, "axis 1 may hold anything"),
        ({"index": 0}, "the first row is asked for"),
        ({"kept": True}, "all rows of the product are asked for"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_graph_stays_as_it_is_where(settings: dict[str, object], why: str) -> None:
    model = make_decoder(**settings)  # type: ignore[arg-type]
    before = model.SerializeToString()
    assert pick_last_row_first(model) == 0, why
    assert model.SerializeToString() == before


@pytest.mark.parametrize("settings", [{"softcap": 3.0}, {"smooth_softmax": 1}], ids=str)
def test_attention_that_is_not_tiled_stays_as_it_is(settings: dict[str, float]) -> None:
    model = make_decoder(**settings)
    before = model.SerializeToString()
    assert not add_sinks(model) and model.SerializeToString() == before
