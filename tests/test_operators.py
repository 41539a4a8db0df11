"""missing_operators, by small graphs."""

from __future__ import annotations

import json
import re
from pathlib import Path

import onnx
import onnx.parser
import pytest
from onnx import TensorProto, helper

import webgpu_kit
from webgpu_kit.graph.operators import missing_operators
from webgpu_kit.manifest import Backend

BACKENDS: tuple[Backend, ...] = ("wasm", "webgpu")
PACKAGE = Path(webgpu_kit.__file__).parent
TABLE = json.loads((PACKAGE / "graph" / "operators.json").read_text("utf-8"))


def parse(body: str, *, opset: int = 20, domains: str = "") -> onnx.ModelProto:
    return onnx.parser.parse_model(f'<ir_version: 8, opset_import: ["" : {opset}{domains}]> g {body}')


def both(model: onnx.ModelProto) -> tuple[list[str], list[str]]:
    return missing_operators(model, "wasm"), missing_operators(model, "webgpu")


@pytest.mark.parametrize(
    "body",
    [
        "(float[2,3] x) => (float[2,3] y) { t = Relu(x) y = Add(t, x) }",
        "(float16[2,3] x) => (float16[2,3] y) { y = Sigmoid(x) }",
        "(int64[3] x) => (float[3] y) { y = Cast<to = 1>(x) }",
        "(uint8[3] x, float s, uint8 z) => (float[3] y) { y = DequantizeLinear(x, s, z) }",
    ],
)
def test_common_operators_are_there(body: str) -> None:
    assert both(parse(body)) == ([], [])


def test_the_built_in_model_runs_on_both() -> None:
    model = onnx.load(PACKAGE.parent / "models" / "digits" / "digits.onnx")
    assert both(model) == ([], [])


@pytest.mark.parametrize(
    "name",
    ["MatMulNBits", "GatherBlockQuantized", "SkipLayerNormalization", "GroupQueryAttention", "QLinearAdd", "FastGelu"],
)
def test_what_onnx_runtime_adds_is_there(name: str) -> None:
    node = helper.make_node(name, ["x"] * 4, ["y"], domain="com.microsoft")
    values = [helper.make_tensor_value_info(value, TensorProto.UNDEFINED, None) for value in "xy"]
    imports = [helper.make_opsetid("", 20), helper.make_opsetid("com.microsoft", 1)]
    model = helper.make_model(helper.make_graph([node], "g", values[:1], values[1:]), opset_imports=imports)
    assert both(model) == ([], [])


def test_operators_of_onnx_runtime_in_onnx_own_domain() -> None:
    node = helper.make_node("SimplifiedLayerNormalization", ["x", "s"], ["y"])
    values = [helper.make_tensor_value_info(value, TensorProto.FLOAT, [4]) for value in "xsy"]
    model = helper.make_model(
        helper.make_graph([node], "g", values[:2], values[2:]), opset_imports=[helper.make_opsetid("", 17)]
    )
    assert both(model) == ([], [])


@pytest.mark.parametrize(
    ("body", "domains", "name"),
    [
        ("(float[2] x) => (float[2] y) { y = Frobnicate(x) }", "", "Frobnicate"),
        ("(float[2] x) => (float[2] y) { y = acme.Gadget(x) }", ', "acme" : 1', "acme::Gadget"),
        (
            "(float[2] x) => (float[2] y) { y = com.microsoft.Gadget(x) }",
            ', "com.microsoft" : 1',
            "com.microsoft::Gadget",
        ),
        ("(float[1,1,2,2] x) => (float[1,1,4,4] y) { y = Upsample(x, s) }", "", "Upsample"),
    ],
)
def test_unknown_and_retired_operators_are_missing_everywhere(body: str, domains: str, name: str) -> None:
    assert both(parse(body, domains=domains)) == ([name], [name])


def test_only_webgpu_lacks_text() -> None:
    model = parse("(string[2] x) => (string[2] y) { y = StringNormalizer(x) }")
    assert both(model) == ([], ["StringNormalizer"])


def test_only_webgpu_lacks_float64() -> None:
    model = parse("(double[2,2] x) => (double[2,2] y) { t = MatMul(x, x) y = MatMul(t, t) }")
    assert both(model) == ([], ["MatMul (float64)"])


def test_dtypes_are_followed_through_the_graph() -> None:
    """Only the first value states its dtype."""
    nodes = "d = Cast<to = 11>(x) e = Transpose(d) f = MatMul(e, e) y = Cast<to = 1>(f)"
    model = parse(f"(float[2,2] x) => (float[2,2] y) {{ {nodes} }}")
    lacking = missing_operators(model, "webgpu")
    assert "MatMul (float64)" in lacking
    assert "Cast (float64)" in lacking


def test_dtypes_pass_through_added_operators() -> None:
    body = "(double[2,2] x) => (double[2,2] y) { t = com.microsoft.FusedMatMul(x, x) y = MatMul(t, x) }"
    assert "MatMul (float64)" in missing_operators(parse(body, domains=', "com.microsoft" : 1'), "webgpu")


def test_versions_that_the_runtime_lacks() -> None:
    body = "(float[1,1,4,4] x, float[1,4] r, int64[1] i) => (float[1,1,1,1] y) { y = RoiAlign(x, r, i) }"
    assert both(parse(body, opset=22)) == (["RoiAlign (opset 22)"], ["RoiAlign (opset 22)"])
    assert both(parse(body, opset=21)) == ([], [])


def test_an_opset_that_is_too_new() -> None:
    newest = TABLE["opsets"]["ai.onnx"]
    model = parse("(float[2] x) => (float[2] y) { y = Relu(x) }", opset=newest + 1)
    assert both(model) == ([f"opset {newest + 1} of ai.onnx (at most {newest})"],) * 2
    assert both(parse("(float[2] x) => (float[2] y) { y = Relu(x) }", opset=newest)) == ([], [])


def test_subgraphs_are_looked_into() -> None:
    body = """(bool c, double[2,2] x) => (double[2,2] y) {
        y = If (c) <
            then_branch = a () => (double[2,2] p) { p = MatMul(x, x) },
            else_branch = b () => (double[2,2] q) { q = Frobnicate(x) }
        >
    }"""
    assert set(missing_operators(parse(body), "webgpu")) == {"MatMul (float64)", "Frobnicate"}


def test_functions_are_looked_into_and_are_no_operators_themselves() -> None:
    text = """<ir_version: 8, opset_import: ["" : 20, "mine" : 1]>
        g (float[2] x) => (float[2] y) { y = mine.twice(x) }
        <domain: "mine", opset_import: ["" : 20]> twice (a) => (b) { t = Frobnicate(a) b = Add(t, t) }"""
    assert missing_operators(onnx.parser.parse_model(text), "wasm") == ["Frobnicate"]


def test_each_is_named_once() -> None:
    model = parse("(float[2] x) => (float[2] y) { t = Frobnicate(x) y = Frobnicate(t) }")
    assert missing_operators(model, "wasm") == ["Frobnicate"]


def test_weights_give_dtypes_too() -> None:
    model = parse("(float[2] x) => (float[2] y) { d = MatMul(w, w) y = CastLike(d, x) }")
    model.graph.initializer.append(helper.make_tensor("w", TensorProto.DOUBLE, [2, 2], [1.0] * 4))
    assert "MatMul (float64)" in missing_operators(model, "webgpu")


@pytest.mark.parametrize("backend", BACKENDS)
def test_the_table_is_well_formed(backend: Backend) -> None:
    dtypes = {name.lower() for name in TensorProto.DataType.keys()}  # noqa: SIM118 (not a dict)
    for key, entry in TABLE[f"{backend}_missing"].items():
        assert re.fullmatch(r"[\w.]+::\w+", key)
        if entry != "*":
            for parameter, values in entry.items():
                assert values
                assert (
                    all(value.isdigit() for value in values.split())
                    if parameter == "version"
                    else set(values.split()) <= dtypes
                )


def test_the_table_is_of_the_runtime_that_pages_get() -> None:
    pinned = json.loads((PACKAGE.parent / "site_templates" / "package.json").read_text("utf-8"))
    assert pinned["dependencies"]["onnxruntime-web"] == TABLE["onnxruntime_web"]
