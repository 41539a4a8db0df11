"""What the integer graph of an encoder does otherwise on wasm, where some kernels are slow: the answers stay."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import numpy_helper

from webgpu_kit.artifacts import Array
from webgpu_kit.packing import pack_blocks
from webgpu_kit.quantize.packed_operators import use_packed_operators
from webgpu_kit.quantize.wasm_divided import divide_products
from webgpu_kit.quantize.wasm_normalization import split_normalizations
from webgpu_kit.quantize.wasm_tables import gather_by_parts

WIDTH, ROWS, BLOCK = 48, 300, 128
NORMALIZE = f"""(float[batch, n, {WIDTH}] x, float[{WIDTH}] g, float[{WIDTH}] c, float[{WIDTH}] b)
=> (float[batch, n, {WIDTH}] y)
{{ first = LayerNormalization<axis = -1, epsilon = 0.001>(x, g, c)
   second = com.microsoft.SkipLayerNormalization<epsilon = 0.01>(first, x, g, c, b)
   third = com.microsoft.SkipLayerNormalization<epsilon = 0.1>(second, first, g)
   y = LayerNormalization(third, g) }}"""
SUMMED = f"""(float[batch, n, {WIDTH}] x, float[{WIDTH}] g, float[{WIDTH}] c) => (float[batch, n, {WIDTH}] y)
{{ normal, mean, deviation, sum = com.microsoft.SkipLayerNormalization(x, x, g, c)  y = Add(normal, sum) }}"""
LOOK_UP = f"""(int64[batch, n] x, float[{ROWS}, {2 * BLOCK}] table) => (float[batch, n, {2 * BLOCK}] y)
{{ y = Gather(table, x) }}"""
DIVIDE = f"""(uint8[batch, n, {WIDTH}] x, uint8[{WIDTH}, 30] w, float one, float[30] scales, uint8 zero,
    uint8[30] zeros, float[30] bias, int64[3] sizes)
=> (float[batch, n, 6] p, float[batch, n, 10] q, float[batch, n, 14] r)
{{ whole = com.microsoft.MatMulIntegerToFloat(x, w, one, scales, zero, zeros, bias)
   p, q, r = Split<axis = -1>(whole, sizes) }}"""


def fix(model: onnx.ModelProto, values: dict[str, Array]) -> onnx.ModelProto:
    """Make initializers of inputs."""
    inputs = [value for value in model.graph.input if value.name not in values]
    del model.graph.input[:]
    model.graph.input.extend(inputs)
    model.graph.initializer.extend(numpy_helper.from_array(value, name) for name, value in values.items())
    return model


def run(model: onnx.ModelProto, x: Array) -> list[Array]:
    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    answers: list[Array] = session.run(None, {"x": x})
    return answers


def list_operators(model: onnx.ModelProto) -> list[str]:
    return [node.op_type for node in model.graph.node]


def make_vectors(*names: str) -> dict[str, Array]:
    generator = np.random.default_rng(7)
    return {name: generator.standard_normal(WIDTH).astype(np.float32) for name in names}


def test_normalizations_by_their_parts_give_the_same(write_onnx: Callable[..., Path]) -> None:
    model = fix(onnx.load(write_onnx(NORMALIZE)), make_vectors("g", "c", "b"))
    x = 3 + 5 * np.random.default_rng(1).standard_normal((2, 9, WIDTH)).astype(np.float32)
    expected = run(model, x)
    split_normalizations(model)
    assert list_operators(model).count("SimplifiedLayerNormalization") == 4
    assert not {"LayerNormalization", "SkipLayerNormalization"}.intersection(list_operators(model))
    np.testing.assert_allclose(run(model, x), expected, atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize("text", [SUMMED, NORMALIZE.replace("-1, epsilon", "1, epsilon")])
def test_normalizations_of_which_more_is_asked_stay(write_onnx: Callable[..., Path], text: str) -> None:
    model = onnx.load(write_onnx(text))
    first = list_operators(model)[0]
    split_normalizations(model)
    assert list_operators(model)[0] == first


def test_rows_of_a_table_by_their_parts_are_the_same(write_onnx: Callable[..., Path]) -> None:
    table = np.random.default_rng(3).standard_normal((ROWS, 2 * BLOCK)).astype(np.float32)
    model = fix(onnx.load(write_onnx(LOOK_UP)), {"table": table})
    packed = pack_blocks("table", table, 8, transpose=False, block_size=BLOCK)
    use_packed_operators(model, {"table": packed}, "wasm")
    del model.graph.initializer[0]
    assert list_operators(model) == ["GatherBlockQuantized"]
    ids = np.asarray([[0, 299, 5], [5, 5, 130]])
    expected = run(model, ids)
    gather_by_parts(model)
    assert "GatherBlockQuantized" not in list_operators(model)
    np.testing.assert_array_equal(run(model, ids), expected)
    np.testing.assert_allclose(expected[0], table[ids], atol=0.02)


def test_a_product_divided_at_once_becomes_one_for_each_part(write_onnx: Callable[..., Path]) -> None:
    generator = np.random.default_rng(5)
    values: dict[str, Array] = {
        "w": generator.integers(0, 256, (WIDTH, 30), dtype=np.uint8),
        "one": np.asarray(0.5, dtype=np.float32),
        "scales": generator.random(30, dtype=np.float32),
        "zero": np.asarray(128, dtype=np.uint8),
        "zeros": generator.integers(0, 256, 30, dtype=np.uint8),
        "bias": generator.standard_normal(30).astype(np.float32),
        "sizes": np.asarray([6, 10, 14]),
    }
    model = fix(onnx.load(write_onnx(DIVIDE)), values)
    x = generator.integers(0, 256, (2, 5, WIDTH), dtype=np.uint8)
    expected = run(model, x)
    divide_products(model)
    assert list_operators(model) == ["Split"] + 3 * ["MatMulIntegerToFloat"] and model.graph.node[0].input[0] == "w"
    for actual, whole in zip(run(model, x), expected, strict=True):
        np.testing.assert_array_equal(actual, whole)
