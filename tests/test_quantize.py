from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import helper, numpy_helper

from webgpu_kit.artifacts import Graph, Source
from webgpu_kit.errors import GraphError, QuantizeError
from webgpu_kit.export import export_graph
from webgpu_kit.graph import prepare_graph
from webgpu_kit.quantize import quantize_graph
from webgpu_kit.recipe import Recipe

WriteOnnx = Callable[..., Path]


def silent(line: str) -> None:
    pass


def prepare(path: Path, weights: dict[str, tuple[int, ...]]) -> Graph:
    """The graph of a model whose weights are filled with seeded noise."""
    model = onnx.load(path)
    generator = np.random.default_rng(0)
    for name, shape in weights.items():
        value = (generator.standard_normal(shape) / np.sqrt(shape[0])).astype(np.float32)
        model.graph.initializer.append(numpy_helper.from_array(value, name))
    kept = [value for value in model.graph.input if value.name not in weights]
    del model.graph.input[:]
    model.graph.input.extend(kept)
    onnx.save(model, path)
    source = Source(uri=str(path), revision="", sha256="", kind="onnx", path=path)
    graph = export_graph(source, Recipe(name="test", source=str(path)), silent)
    return prepare_graph(graph, "tensor", silent)


@pytest.fixture
def every_weight(write_onnx: WriteOnnx) -> Graph:
    """MatMul, Gemm with bias, Conv, and Gather, each with a weight worth quantizing."""
    path = write_onnx(
        """(float[1, 128] x, int64[2] k, float[128, 256] a, float[48, 256] b, float[48] c, float[40, 3, 3, 3] f,
            float[1, 3, 8, 8] p, float[50, 128] t)
        => (float[1, 48] y, float[1, 40, 6, 6] q, float[2, 128] e)
        { h = MatMul(x, a)  y = Gemm<transB = 1>(h, b, c)  q = Conv(p, f)  e = Gather<axis = 0>(t, k) }"""
    )
    return prepare(path, {"a": (128, 256), "b": (48, 256), "c": (48,), "f": (40, 3, 3, 3), "t": (50, 128)})


def operators(model: onnx.ModelProto) -> list[str]:
    return [node.op_type for node in model.graph.node]


@pytest.mark.parametrize(("dtype", "limit"), [("q8", 0.01), ("q4", 0.15)])
def test_each_backend_gets_the_operators_that_it_is_fast_at(every_weight: Graph, dtype: Any, limit: float) -> None:
    variant = quantize_graph(every_weight, dtype, "tensor", limit)
    webgpu, wasm = variant.graphs["webgpu"], variant.graphs["wasm"]
    assert operators(webgpu.model).count("MatMulNBits") == 2
    assert operators(webgpu.model).count("GatherBlockQuantized") == 1
    assert operators(wasm.model).count("GatherBlockQuantized") == 1 and "MatMulNBits" not in operators(wasm.model)
    assert set(webgpu.expanded) == {"f"} and set(wasm.expanded) == {"a", "b", "f"}
    assert set(webgpu.expanded.values()) == {"float32"}
    assert 0 < variant.parity.value <= limit and variant.requires == ()


def test_q4f16_halves_the_rest_and_needs_shader_f16(every_weight: Graph) -> None:
    variant = quantize_graph(every_weight, "q4f16", "tensor", 0.15)
    assert variant.requires == ("shader-f16",) and variant.parity.value <= 0.15
    assert set(variant.graphs["webgpu"].expanded.values()) == {"float16"}
    assert set(variant.graphs["wasm"].expanded.values()) == {"float32"}
    scales = variant.packed["a"].scales
    assert scales is not None and scales.dtype == np.float16


def test_fp16_travels_as_float16_and_is_float32_on_wasm(every_weight: Graph) -> None:
    variant = quantize_graph(every_weight, "fp16", "tensor")
    assert {tensor.kind for tensor in variant.packed.values()} == {"float16"}
    assert set(variant.graphs["wasm"].expanded.values()) == {"float32"} and not variant.graphs["webgpu"].expanded
    kinds = {entry.name: entry.data_type for entry in variant.graphs["webgpu"].model.graph.initializer}
    assert kinds["a"] == onnx.TensorProto.FLOAT16
    assert [value.type.tensor_type.elem_type for value in variant.graphs["webgpu"].model.graph.output] == [1, 1, 1]


def test_fp32_is_one_graph_for_both(every_weight: Graph) -> None:
    variant = quantize_graph(every_weight, "fp32", "tensor")
    assert variant.graphs["webgpu"] is variant.graphs["wasm"] and variant.parity.value < 1e-6


def test_a_weight_used_in_two_ways_is_expanded(write_onnx: WriteOnnx) -> None:
    path = write_onnx(
        """(float[1, 128] x, float[128, 128] a) => (float[1, 128] y, float[128, 128] z)
        { y = MatMul(x, a) z = Add(a, x) }"""
    )
    variant = quantize_graph(prepare(path, {"a": (128, 128)}), "q8", "tensor")
    assert "MatMulNBits" not in operators(variant.graphs["webgpu"].model)
    assert set(variant.graphs["webgpu"].expanded) == set(variant.graphs["wasm"].expanded) == {"a"}


def test_nothing_to_quantize_is_said(write_onnx: WriteOnnx) -> None:
    graph = prepare(write_onnx("(float[4] x) => (float[4] y) { y = Relu(x) }"), {})
    with pytest.raises(QuantizeError, match="no weight of 1024 or more elements"):
        quantize_graph(graph, "q8", "tensor")


def test_unsupported_backends_are_left_out(every_weight: Graph) -> None:
    from dataclasses import replace

    graph = replace(every_weight, settings={**every_weight.settings, "unsupported": {"webgpu": "lacks Foo"}})
    assert set(quantize_graph(graph, "q8", "tensor").graphs) == {"wasm"}


def test_unknown_operators_are_named(write_onnx: WriteOnnx) -> None:
    path = write_onnx("(float[4] x) => (float[4] y) { y = Relu(x) }")
    graph = prepare(path, {})
    graph.model.graph.node.append(helper.make_node("Frobnicate", ["x"], ["z"], domain="com.example"))
    with pytest.raises(GraphError, match="Frobnicate"):
        prepare_graph(graph, "tensor", silent)


def test_folding_computes_constants_and_drops_what_nothing_uses(write_onnx: WriteOnnx) -> None:
    path = write_onnx(
        """(float[4] x) => (float[4] y) <float[4] a = {1.0, 2.0, 3.0, 4.0}>
        { b = Add(a, a)  y = Mul(x, b)  unused = Exp(x) }"""
    )
    assert operators(prepare(path, {}).model) == ["Mul"]
