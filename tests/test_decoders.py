"""Every architecture of language models, as a tiny folder: the page's graph gives what PyTorch gives."""

from __future__ import annotations

import gc
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from builder_inside import builder_inside
from tiny_decoders import CONTEXT, MODELS, write_decoder

from webgpu_kit import quantize
from webgpu_kit.artifacts import Graph, Source
from webgpu_kit.bundle import write_bundle
from webgpu_kit.errors import ExportError, QuantizeError
from webgpu_kit.export import decoder, export_graph
from webgpu_kit.export.decoder_architectures import REFUSED, SUPPORTED
from webgpu_kit.graph import prepare_graph
from webgpu_kit.initializers import is_mapped
from webgpu_kit.quantize import quantize_graph
from webgpu_kit.recipe import Recipe


def silent(line: str) -> None:
    pass


def export(folder: Path) -> Graph:
    source = Source(uri="tiny", revision="", sha256="", kind="folder", path=folder)
    with builder_inside():
        graph = export_graph(source, Recipe(name="tiny", source="tiny"), silent)
    return prepare_graph(graph, "text-generation", silent)


@pytest.mark.parametrize("name", MODELS)
def test_both_backends_graphs_give_the_original_models_answers(name: str, tmp_path: Path) -> None:
    graph = export(write_decoder(tmp_path / name, name))
    variant = quantize_graph(graph, "fp32", "text-generation")
    assert set(variant.graphs) == {"webgpu", "wasm"}
    parity = variant.parity
    assert parity.value < 1e-6 and parity.max_abs_error < 0.02
    generation = graph.settings["generation"]
    shapes = {spec.name: spec.shape for spec in (*graph.interface.inputs, *graph.interface.outputs)}
    caches = [f"{layer}.{part}" for layer in range(generation["layers"]) for part in ("key", "value")]
    names = {"input_ids", "attention_mask", "logits", *(f"present.{cache}" for cache in caches)}
    assert set(shapes) == {*names, *(f"past_key_values.{cache}" for cache in caches)}
    assert {shapes[f"present.{cache}"][1] for cache in caches} == {generation["kv_heads"]}
    assert shapes["logits"][1:] == [1, generation["vocabulary"]]
    assert generation["context_length"] == CONTEXT
    assert "unsupported" not in graph.settings


def test_every_supported_architecture_is_proved() -> None:
    from transformers import AutoConfig
    from transformers.models.auto.modeling_auto import MODEL_FOR_CAUSAL_LM_MAPPING

    kinds = {kind for kind, _ in MODELS.values()}
    proved = {MODEL_FOR_CAUSAL_LM_MAPPING[type(AutoConfig.for_model(kind))].__name__ for kind in kinds}
    assert proved == set(SUPPORTED)


@pytest.fixture(scope="module")
def mistral(tmp_path_factory: pytest.TempPathFactory) -> Graph:
    return export(write_decoder(tmp_path_factory.mktemp("models") / "mistral", "mistral"))


def widen_windows(graph: Graph) -> None:
    for node in graph.model.graph.node:
        for attribute in node.attribute:
            if attribute.name == "local_window_size":
                attribute.i = -1


def test_a_graph_that_is_not_the_model_is_refused_in_every_dtype(mistral: Graph) -> None:
    assert quantize_graph(mistral, "q8", "text-generation", 1.0).parity.value < 1.0
    model = type(mistral.model)()
    model.CopyFrom(mistral.model)
    wrong = replace(mistral, model=model)
    widen_windows(wrong)
    with pytest.raises(QuantizeError, match=r"gives other answers than the original, .* kl_divergence \d"):
        quantize_graph(wrong, "q8", "text-generation", 1.0)
    assert quantize_graph(wrong, "fp32", "text-generation").parity.value > 0.1


HYBRID = "GraniteMoeHybridForCausalLM"


@pytest.mark.parametrize(
    ("name", "settings"),
    [
        *((name, {}) for name in (*REFUSED, "BloomForCausalLM")),
        (HYBRID, {"layer_types": ["mamba", "attention"]}),
        (HYBRID, {"layer_types": ["attention"], "num_local_experts": 4}),
    ],
)
def test_what_is_not_supported_is_said_before_anything_is_loaded(
    name: str, settings: dict[str, Any], tmp_path: Path
) -> None:
    (tmp_path / "config.json").write_text(json.dumps({"architectures": [name], **settings}))
    source = Source(uri="tiny", revision="", sha256="", kind="folder", path=tmp_path)
    recipe = Recipe(name="tiny", source="tiny", task="text-generation")
    with pytest.raises(ExportError, match=rf"the architecture {name} is not supported .*: .*\. Supported: Ernie4_5, "):
        export_graph(source, recipe, silent)


def test_weights_that_stay_in_a_file_give_the_same_bundle(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = write_decoder(tmp_path / "tiny", "qwen3")
    recipe, bundles = Recipe(name="tiny", source="tiny"), {}
    for smallest in (2**20, 4096):
        monkeypatch.setattr(decoder, "SMALLEST_MAPPED", smallest)
        graph = export(folder)
        mapped = [entry for entry in graph.model.graph.initializer if is_mapped(entry)]
        assert len(mapped) == 0 if smallest > 4096 else len(mapped) > 20
        files = {Path(entry.external_data[0].value) for entry in mapped}
        assert all(file.parent == graph.storage.path for file in files)
        variants = [quantize_graph(graph, dtype, "text-generation", 9.0) for dtype in ("fp32", "fp16", "q8", "q4")]
        source = Source(uri="tiny", revision="", sha256="", kind="folder", path=folder)
        bundle = write_bundle(source, graph, variants, recipe, "text-generation", tmp_path / str(smallest))
        bundles[smallest] = [entry.model_dump(exclude={"parity"}) for entry in bundle.manifest.variants]
        del graph, variants, mapped
    gc.collect()
    assert not any(file.exists() for file in files)
    assert bundles[4096] == bundles[2**20]


def test_fp32_that_no_page_holds_is_not_made(mistral: Graph, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(quantize, "LARGEST_BYTES", 100_000)
    with pytest.raises(QuantizeError, match=r"\d\.\d GB of weights, more than the 0\.0 GB that a page can hold"):
        quantize_graph(mistral, "fp32", "text-generation")
