"""Products of 8-bit integers in the place of float32 ones, beside the float32 products of the same weights."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import numpy_helper

from webgpu_kit.artifacts import Array
from webgpu_kit.export import export_graph
from webgpu_kit.graph import prepare_graph
from webgpu_kit.packing import pack_blocks, round_to_steps
from webgpu_kit.quantize import quantize_graph
from webgpu_kit.quantize.integer_products import use_integer_products
from webgpu_kit.recipe import Recipe
from webgpu_kit.source import fetch_source

WIDTH, WIDE = 64, 128
SHAPES = {"q": (WIDTH, WIDTH), "k": (WIDTH, WIDTH), "up": (WIDTH, WIDE), "down": (WIDE, WIDTH)}
BLOCK = f"""(float[batch, sequence, {WIDTH}] x, float[{WIDTH}] g, float[{WIDTH}] c, float[{WIDE}] b,
    float[{WIDTH}, {WIDTH}] q, float[{WIDTH}, {WIDTH}] k, float[{WIDTH}, {WIDE}] up, float[{WIDE}, {WIDTH}] down)
=> (float[batch, sequence, {WIDTH}] y)
{{ n = LayerNormalization<axis = -1>(x, g, c)
   first = MatMul(n, q)  second = MatMul(n, k)  sum = Add(first, second)
   wide = MatMul(sum, up)  curved = com.microsoft.BiasGelu(wide, b)  y = MatMul(curved, down) }}"""


@pytest.fixture
def block(tmp_path: Path, write_onnx: Callable[..., Path]) -> onnx.ModelProto:
    """What an encoder's layer multiplies, where a normalization makes one column thirty times as large as others."""
    model = onnx.load(write_onnx(BLOCK))
    generator = np.random.default_rng(3)
    values = {name: generator.standard_normal(shape) / np.sqrt(shape[0]) for name, shape in SHAPES.items()}
    gain = np.ones(WIDTH)
    gain[7] = 30
    values |= {"g": gain, "c": np.zeros(WIDTH), "b": np.zeros(WIDE)}
    inputs = [value for value in model.graph.input if value.name not in values]
    del model.graph.input[:]
    model.graph.input.extend(inputs)
    for name, value in values.items():
        model.graph.initializer.append(numpy_helper.from_array(value.astype(np.float32), name))
    return model


def multiply_integers(model: onnx.ModelProto, peaks: Mapping[str, Array], *, fixed: bool = False) -> onnx.ModelProto:
    """The model with integer products, its weights rounded for them."""
    weights = {entry.name: numpy_helper.to_array(entry) for entry in model.graph.initializer}
    packed = {name: pack_blocks(name, weights[name], 8, transpose=True) for name in SHAPES}
    changed = onnx.ModelProto()
    changed.CopyFrom(model)
    steps = use_integer_products(changed, packed, peaks, fixed=fixed)
    kept = [entry for entry in changed.graph.initializer if entry.name not in steps]
    del changed.graph.initializer[:]
    changed.graph.initializer.extend(kept)
    for name, each in steps.items():
        changed.graph.initializer.append(numpy_helper.from_array(round_to_steps(packed[name], each), name))
    return changed


def run(model: onnx.ModelProto, x: Array) -> Array:
    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    answer: Array = session.run(None, {"x": x})[0]
    return answer


def measure_error(model: onnx.ModelProto, changed: onnx.ModelProto, x: Array) -> float:
    expected, actual = run(model, x), run(changed, x)
    return float(np.sqrt(np.square(actual - expected).mean() / np.square(expected).mean()))


@pytest.fixture
def x() -> Array:
    return np.random.default_rng(1).standard_normal((2, 9, WIDTH)).astype(np.float32)


def find_peaks(x: Array) -> dict[str, Array]:
    """What `n` is at its largest."""
    normalized = (x - x.mean(-1, keepdims=True)) / x.std(-1, keepdims=True)
    peaks = np.abs(normalized).max(axis=(0, 1))
    peaks[7] *= 30
    return dict.fromkeys(("q", "k"), peaks.astype(np.float32))


def test_inputs_are_rounded_once_for_all_that_multiply_them(block: onnx.ModelProto) -> None:
    changed = multiply_integers(block, {})
    operators = [node.op_type for node in changed.graph.node]
    assert operators.count("MatMulIntegerToFloat") == 4 and operators.count("QuantizeLinear") == 3
    assert "MatMul" not in operators and "BiasGelu" not in operators


def test_the_answers_are_those_of_float32_within_two_percent(block: onnx.ModelProto, x: Array) -> None:
    plain = measure_error(block, multiply_integers(block, {}), x)
    smooth = measure_error(block, multiply_integers(block, find_peaks(x)), x)
    assert smooth < 0.02 and plain > 1.5 * smooth, (smooth, plain)


def test_one_scale_for_what_a_normalization_made_serves_all_tokens(block: onnx.ModelProto, x: Array) -> None:
    changed = multiply_integers(block, find_peaks(x), fixed=True)
    operators = [node.op_type for node in changed.graph.node]
    assert operators.count("QuantizeLinear") == 3 and operators.count("ReduceMax") == 2
    assert measure_error(block, changed, x) < 0.02


def test_a_product_with_a_fixed_scale_adds_the_bias_itself(block: onnx.ModelProto, x: Array) -> None:
    add = next(node for node in block.graph.node if node.op_type == "Add")
    add.input[1] = "second_biased"
    block.graph.node.insert(
        list(block.graph.node).index(add), onnx.helper.make_node("Add", ["g", "second"], ["second_biased"])
    )
    changed = multiply_integers(block, find_peaks(x), fixed=True)
    biased = next(node for node in changed.graph.node if "second_biased" in node.output)
    assert biased.op_type == "MatMulIntegerToFloat" and biased.input[6] == "g"
    assert measure_error(block, changed, x) < 0.02


def test_a_large_token_does_not_cost_the_others_their_digits(block: onnx.ModelProto, x: Array) -> None:
    changed = multiply_integers(block, find_peaks(x))
    alone = run(changed, x[:1])
    beside = run(changed, np.concatenate([x[:1], 1e4 * x[1:] * (np.arange(9) % 2)[None, :, None].astype(np.float32)]))
    np.testing.assert_allclose(beside[0], alone[0], atol=1e-6)
    assert np.isfinite(beside).all()


def test_a_weight_with_another_use_stays_float32(block: onnx.ModelProto, x: Array) -> None:
    block.graph.node.append(onnx.helper.make_node("Identity", ["down"], ["copy"]))
    changed = multiply_integers(block, {})
    operators = [node.op_type for node in changed.graph.node]
    assert operators.count("MatMul") == 1 and operators.count("MatMulIntegerToFloat") == 3
    assert np.isfinite(run(changed, x)).all()


def test_where_integers_are_not_good_enough_wasm_keeps_float32(tmp_path: Path) -> None:
    pytest.importorskip("torch")
    from tiny_sentence_model import write_sentence_model

    recipe = Recipe(name="tiny", source=str(write_sentence_model(tmp_path / "tiny")), task="feature-extraction")
    source = fetch_source(recipe.source, base=tmp_path, progress=lambda line: None)
    graph = prepare_graph(export_graph(source, recipe, lambda line: None), "feature-extraction", lambda line: None)
    good = quantize_graph(graph, "q8", "feature-extraction")
    strict = quantize_graph(graph, "q8", "feature-extraction", 1.1 * good.parity.value)
    assert good.parity.method.endswith("; 8-bit integer products on wasm") and good.graphs["wasm"].steps
    assert "; float32 products on wasm (integers: " in strict.parity.method and not strict.graphs["wasm"].steps
    assert strict.parity.value < good.parity.value
    assert set(good.packed) == set(strict.packed)
