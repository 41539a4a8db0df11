from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pytest
from builder_inside import builder_inside
from hypothesis import given, settings
from hypothesis import strategies as st
from test_quantize import prepare
from tiny_language_model import write_folder

from webgpu_kit import pipeline
from webgpu_kit.artifacts import Graph, Site, Source
from webgpu_kit.bundle import write_bundle
from webgpu_kit.errors import QuantizeError
from webgpu_kit.export import export_graph
from webgpu_kit.graph import prepare_graph
from webgpu_kit.manifest import Manifest, Parity
from webgpu_kit.packing import expand_tensor, pack_blocks
from webgpu_kit.quantize import quantize_graph
from webgpu_kit.quantize.judge import Limits
from webgpu_kit.quantize.rounding import Shape, compensate_rounding, search_scales
from webgpu_kit.quantize.search import Bench, expand_packed, find_rounding, judge_packed
from webgpu_kit.quantize.weights import list_weights
from webgpu_kit.recipe import Recipe
from webgpu_kit.tables import print_build

Bits = Literal[4, 8]


def silent(line: str) -> None:
    pass


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_folder(tmp_path_factory.mktemp("models") / "tiny")


@pytest.fixture(scope="module")
def graph(folder: Path) -> Graph:
    source = Source(uri="tiny", revision="", sha256="", kind="folder", path=folder)
    with builder_inside():
        exported = export_graph(source, Recipe(name="tiny", source="tiny"), silent)
    return prepare_graph(exported, "text-generation", silent)


@pytest.fixture(scope="module")
def bench(graph: Graph) -> Bench:
    return Bench(graph, "text-generation", silent)


# --- one weight -------------------------------------------------------------------------------------------------------


def make_weight(seed: int, columns: int, rows: int) -> np.ndarray[Any, Any]:
    """(columns, rows), with outliers as real weights have them."""
    return np.random.default_rng(seed).standard_t(3, (columns, rows)).astype(np.float32)


@settings(max_examples=40, deadline=None)
@given(
    seed=st.integers(0, 999),
    columns=st.integers(1, 100),
    bits=st.sampled_from([4, 8]),
    transpose=st.booleans(),
)
def test_searched_scales_are_never_worse_than_plain_rounding(
    seed: int, columns: int, bits: Bits, transpose: bool
) -> None:
    matrix = make_weight(seed, columns, 24)
    weight = matrix if transpose else np.ascontiguousarray(matrix.T)
    importance = np.random.default_rng(seed).random(columns).astype(np.float32) + 0.01
    plain = pack_blocks("w", weight, bits, transpose=transpose)
    searched = search_scales("w", weight, Shape(bits, 32, transpose), importance)
    assert expand_tensor(searched).shape == weight.shape
    sizes = [(part.nbytes, part.shape) for part in (plain.data, plain.scales, plain.zero_points) if part is not None]
    parts = (searched.data, searched.scales, searched.zero_points)
    assert [(part.nbytes, part.shape) for part in parts if part is not None] == sizes
    errors = []
    for packed in (searched, plain):
        difference = expand_tensor(packed) - weight
        errors.append(float(np.sum(np.square(difference if transpose else difference.T) * importance[:, None])))
    assert errors[0] <= errors[1] * (1 + 1e-4) + 1e-9


def test_compensated_rounding_loses_least_of_the_product() -> None:
    generator = np.random.default_rng(0)
    inputs = (generator.standard_normal((2000, 16)) @ generator.standard_normal((16, 128))).astype(np.float32)
    inputs += 0.1 * generator.standard_normal(inputs.shape).astype(np.float32)
    weight, gram = make_weight(1, 128, 40), inputs.T @ inputs / len(inputs)
    shape = Shape(4, 32, True)
    made = {
        "plain": pack_blocks("w", weight, 4, transpose=True),
        "searched": search_scales("w", weight, shape, np.diag(gram)),
        "compensated": compensate_rounding("w", weight, shape, [gram]),
        "in panels": compensate_rounding("w", weight, shape, [gram[:64, :64], gram[64:, 64:]]),
    }
    errors = {name: float(np.square(inputs @ (expand_tensor(packed) - weight)).mean()) for name, packed in made.items()}
    assert errors["compensated"] < errors["in panels"] < errors["searched"] < errors["plain"]


@pytest.mark.parametrize("bits", [4, 8])
def test_scales_that_travel_as_float16_are_counted_with(bits: Bits) -> None:
    packed = search_scales("w", make_weight(3, 64, 8) * 1e-3, Shape(bits, 32, True, half=True))
    assert packed.scales is not None and packed.scales.dtype == np.float16
    zeros = search_scales("w", np.zeros((64, 8), np.float32), Shape(bits, 32, True, half=True))
    assert not expand_tensor(zeros).any()


# --- the search -------------------------------------------------------------------------------------------------------


def test_a_tied_embedding_travels_once(graph: Graph) -> None:
    weights = list_weights(graph.model)
    assert {name: weight.twin for name, weight in weights.items() if weight.twin} == {
        "model.embed_tokens.weight": "lm_head.MatMul.weight"
    }
    packed = quantize_graph(graph, "q8", "text-generation", 10.0, agreement=0).packed
    table, head = packed["model.embed_tokens.weight"], packed["lm_head.MatMul.weight"]
    assert table.data is head.data and table.scales is head.scales
    np.testing.assert_array_equal(expand_tensor(table), expand_tensor(head).T)


def test_original_weights_are_no_worse_than_the_original(bench: Bench) -> None:
    verdict = bench.judge({})
    assert verdict.error < 1e-6 and verdict.agreement == 1.0
    assert verdict.details["perplexity_ratio"] == pytest.approx(1.0) and verdict.details["positions"] > 1000


def test_the_first_rounding_that_passes_is_taken(bench: Bench) -> None:
    tried: list[str] = []
    watched = Bench(bench.graph, bench.task, tried.append)
    found = find_rounding(watched, 4, Limits(100.0), half=False)
    assert found.method == "plain rounding" and found.verdict.passes(Limits(100.0))
    assert sum("4 bits" in line for line in tried) == 1
    limits = Limits(found.verdict.error * 0.9)
    better = find_rounding(watched, 4, limits, half=False)
    assert better.method != "plain rounding" and better.verdict.passes(limits)
    assert better.verdict == judge_packed(watched, better.packed)


def test_mixed_precision_takes_few_matrices_to_8_bits(bench: Bench) -> None:
    limits = Limits(0.05, 0.5)
    found = find_rounding(bench, 4, limits, half=False)
    assert found.verdict.passes(limits) and "8 bits in" in found.method
    wide = {name for name, tensor in found.packed.items() if tensor.bits == 8}
    assert 0 < len(wide) < len(found.packed)
    narrower = find_rounding(bench, 8, limits, half=False)
    assert sum(tensor.data.nbytes for tensor in found.packed.values()) < sum(
        tensor.data.nbytes for tensor in narrower.packed.values()
    )


def test_the_search_gives_the_same_bytes_again(bench: Bench) -> None:
    limits = Limits(0.05, 0.5)
    first = find_rounding(bench, 4, limits, half=True)
    again = find_rounding(Bench(bench.graph, bench.task, silent), 4, limits, half=True)
    assert first.method == again.method
    for name, tensor in first.packed.items():
        assert tensor.data.tobytes() == again.packed[name].data.tobytes()


def test_a_mixed_variant_runs_on_both_graphs_as_it_was_measured(graph: Graph, bench: Bench) -> None:
    variant = quantize_graph(graph, "q4", "text-generation", 0.05, agreement=0.5, bench=bench)
    assert set(variant.graphs) == {"webgpu", "wasm"} and "8 bits in" in variant.parity.method
    details = variant.parity.details
    assert details["kl_divergence"] <= details["largest_kl_divergence"] == 0.05
    assert details["top1_agreement"] >= details["least_top1_agreement"] == 0.5
    assert variant.parity.value <= variant.parity.threshold
    alone = bench.judge(expand_packed(bench, variant.packed))
    assert alone.error == details["kl_divergence"]


def test_a_graph_that_does_not_compute_its_variant_is_seen(
    graph: Graph, bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    import webgpu_kit.quantize as module

    make = module._make_graph

    def spoil(source: Any, dtype: Any, packed: Any, backend: Any) -> Any:
        if backend == "webgpu":
            name = "model.layers.0.attn.o_proj.MatMul.weight"
            packed = {**packed, name: replace(packed[name], scales=packed[name].scales * 3)}
        return make(source, dtype, packed, backend)

    monkeypatch.setattr(module, "_make_graph", spoil)
    parity = quantize_graph(graph, "q8", "text-generation", bench=bench).parity
    assert parity.value > parity.threshold


def test_an_encoders_golden_decides(write_onnx: Callable[..., Path]) -> None:
    path = write_onnx(
        """(float[4, 256] x, float[256, 256] a, float[256, 256] b) => (float[4, 256] y)
        { h = MatMul(x, a)  r = Relu(h)  y = MatMul(r, b) }"""
    )
    graph = prepare(path, {"a": (256, 256), "b": (256, 256)})
    plain = quantize_graph(graph, "q4", "tensor", 1.0)
    assert plain.parity.method == "plain rounding" and plain.parity.details == {}
    limit = plain.parity.value * 0.8
    mixed = quantize_graph(graph, "q4", "tensor", limit)
    assert mixed.parity.value <= limit and mixed.parity.method.endswith("8 bits in 1 of 2 matrices")
    assert sorted(tensor.bits for tensor in mixed.packed.values()) == [4, 8]


# --- what people are told ---------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def built(graph: Graph, folder: Path, tmp_path_factory: pytest.TempPathFactory) -> pipeline.Build:
    """Three dtypes: one whose limits nothing keeps, one whose limits take a search, and the original."""
    limits = {"thresholds": {"q8": 1e-9, "q4": 0.05}, "agreement": {"q8": 1.0, "q4": 0.5}}
    recipe = Recipe(name="tiny", source=str(folder), dtypes=["q8", "q4", "fp32"], **limits)
    variants, rejected = pipeline._make_variants(graph, recipe, "text-generation", silent)
    source = Source(uri="tiny", revision="", sha256="", kind="folder", path=folder)
    out = tmp_path_factory.mktemp("sites") / "site"
    bundle = write_bundle(source, graph, variants, recipe, "text-generation", out / "model")
    return pipeline.Build(site=Site(out, bundle.manifest, (bundle,)), rejected=rejected)


def test_a_variant_that_no_rounding_saves_is_rejected_with_its_numbers(built: pipeline.Build) -> None:
    assert [variant.name for variant in built.site.manifest.variants] == ["q4", "fp32"]
    reason = built.rejected["q8"]
    assert "on the text is" in reason and "times its threshold 1e-09" in reason
    assert "top-1 agreement 0.9" in reason and "under its threshold 1" in reason and "best of what was tried" in reason


def test_table_and_manifest_carry_the_figures(built: pipeline.Build, capsys: pytest.CaptureFixture[str]) -> None:
    text = (built.site.path / "model" / "manifest.json").read_text()
    parities = {variant.name: variant.parity for variant in Manifest.model_validate_json(text).variants}
    q4, fp32 = parities["q4"], parities["fp32"]
    assert 0 < q4.details["kl_divergence"] <= q4.details["largest_kl_divergence"] == 0.05
    assert q4.details["top1_agreement"] >= q4.details["least_top1_agreement"] == 0.5
    assert q4.details["perplexity_ratio"] == pytest.approx(1, abs=0.2) and q4.details["positions"] > 1000
    assert fp32 == Parity(metric="kl_divergence", value=fp32.value, threshold=0.001, max_abs_error=fp32.max_abs_error)
    print_build(built)
    shown = capsys.readouterr().out
    for part in ("KL on text", "top-1", "perplexity", "method", q4.method, f"{q4.details['top1_agreement']:.1%}"):
        assert part in shown


def test_a_dtype_with_nothing_to_round_says_so(write_onnx: Callable[..., Path]) -> None:
    graph = prepare(write_onnx("(float[4] x) => (float[4] y) { y = Relu(x) }"), {})
    with pytest.raises(QuantizeError, match="no weight of 1024 or more elements"):
        quantize_graph(graph, "q4", "tensor")
