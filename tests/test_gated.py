from __future__ import annotations

from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import parser

from webgpu_kit.packing import expand_tensor, pack_blocks
from webgpu_kit.quantize.gated import find_gated
from webgpu_kit.quantize.packed_operators import use_packed_operators
from webgpu_kit.quantize.rounding import Shape, compensate_rounding, search_scales

BLOCK = """<ir_version: 9, opset_import: ["" : 18, "com.microsoft" : 1]>
agraph (float[n, 64] x, float[n, 64] s, float[64] w, float[64, 96] a, float[64, 96] b) => (float[n, 96] y) {
    h = com.microsoft.SkipSimplifiedLayerNormalization<epsilon = 0.00001>(x, s, w)
    gate = MatMul(h, a)
    up = MatMul(h, b)
    turned = Sigmoid(gate)
    inner = Mul(gate, turned)
    y = Mul(inner, up)
}"""


def gated(text: str) -> set[str]:
    return find_gated(parser.parse_model(text).graph)


@pytest.mark.parametrize(
    "before, after", [("", ""), ("Mul(gate, turned)", "Mul(turned, gate)"), ("inner, up", "up, inner")]
)
def test_both_matrices_of_a_gated_block_are_found(before: str, after: str) -> None:
    assert gated(BLOCK.replace(before, after) if before else BLOCK) == {"a", "b"}


@pytest.mark.parametrize(
    "before, after",
    [
        ("0.00001", "0.000001"),  # the one dispatch would compute with another
        ("up = MatMul(h, b)", "up = MatMul(x, b)"),
        ("gate = MatMul(h, a)", "gate = MatMul(s, a)"),
        ("Sigmoid(gate)", "Sigmoid(up)"),
        ("Sigmoid(gate)", "Tanh(gate)"),
        ("y = Mul(inner", "y = Add(inner"),
    ],
)
def test_what_only_resembles_one_is_not(before: str, after: str) -> None:
    assert gated(BLOCK.replace(before, after)) == set()


@pytest.mark.parametrize("bits", [4, 8])
@pytest.mark.parametrize("columns", [64, 80])
def test_without_zero_points_zero_is_in_the_middle(bits: Any, columns: int) -> None:
    weight = np.random.default_rng(1).standard_t(3, (columns, 24)).astype(np.float32)
    weight[:32, 0], weight[:32, 1] = 0, np.abs(weight[:32, 1])
    gram = np.cov(np.random.default_rng(2).standard_normal((64, 400))) + 0.1
    shape = Shape(bits, 32, True, centred=True)
    plain = pack_blocks("w", weight, bits, transpose=True, centred=True)
    ways = [plain, search_scales("w", weight, shape)]
    ways += [compensate_rounding("w", weight, shape, [gram])] if columns == 64 else []
    errors = []
    for packed in ways:
        assert packed.zero_points is None and packed.data.shape == plain.data.shape
        expanded = expand_tensor(packed)
        errors.append(float(np.square(expanded - weight).mean()))
        assert np.abs(expanded - weight).max() <= np.abs(weight).max() / (6 if bits == 4 else 100)
        assert not expanded[:32, 0].any()
    assert errors[1] <= errors[0] * 1.0001


def test_the_operator_computes_on_it_what_it_stands_for() -> None:
    text = BLOCK.replace(", float[64, 96] a, float[64, 96] b", "").replace("float[64] w", "float[64] w")
    model = parser.parse_model(text)
    generator = np.random.default_rng(5)
    packed, plain = {}, onnx.ModelProto()
    plain.CopyFrom(model)
    for name in ("a", "b"):
        weight = generator.standard_normal((64, 96)).astype(np.float32)
        packed[name] = search_scales(name, weight, Shape(4, 32, True, centred=True))
        plain.graph.initializer.append(onnx.numpy_helper.from_array(expand_tensor(packed[name]), name))
    assert use_packed_operators(model, packed, "webgpu") == {"a", "b"}
    assert [len(node.input) for node in model.graph.node if node.op_type == "MatMulNBits"] == [3, 3]
    feeds = {name: generator.standard_normal((3, 64)).astype(np.float32) for name in ("x", "s")}
    feeds["w"] = np.ones(64, np.float32)
    results = [
        onnxruntime.InferenceSession(entry.SerializeToString(), providers=["CPUExecutionProvider"]).run(None, feeds)[0]
        for entry in (model, plain)
    ]
    np.testing.assert_allclose(*results, rtol=1e-3, atol=1e-3)
