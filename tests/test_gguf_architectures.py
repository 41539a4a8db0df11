"""Every architecture of GGUF files, as a tiny model: the page's graphs give what transformers' model gives."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from builder_inside import builder_inside
from tiny_architectures import write_model

from webgpu_kit.artifacts import Array, Graph, Source, Variant
from webgpu_kit.bundle import write_bundle
from webgpu_kit.errors import ExportError
from webgpu_kit.export import export_graph
from webgpu_kit.export.gguf_architecture import read_architecture
from webgpu_kit.export.gguf_file import read_gguf
from webgpu_kit.graph import prepare_graph
from webgpu_kit.quantize.exact import keep_packed
from webgpu_kit.quantize.judge import measure_graph
from webgpu_kit.recipe import Recipe

# As llama.cpp mixes them: Q4_K_M, and what it takes where rows are no multiple of 256; the rest for completeness.
Q4_K_M = {"token_embd": "Q6_K", "attn_v": "Q6_K", "ffn_down": "Q6_K", "output.weight": "Q6_K", "": "Q4_K"}
OTHERS = {"attn_q": "Q5_1", "attn_k": "Q3_K", "ffn_gate": "Q2_K", "ffn_up": "Q5_K", "ffn_down": "IQ4_XS", "": "IQ4_NL"}
KINDS = {
    "llama": Q4_K_M,
    "llama3": OTHERS,
    "qwen2": {"token_embd": "Q8_0", "ffn_down": "Q6_K", "attn_v": "BF16", "": "Q5_0"},
    "qwen2-yarn": {"": "Q8_0"},
    "qwen3": Q4_K_M,
    "gemma": {"": "Q4_0"},
    "gemma2": {"token_embd": "Q6_K", "": "Q4_1"},
    "gemma3": {"token_embd": "Q8_0", "": "Q4_0"},
    "phi3": Q4_K_M,
    "phi3-long": {"": "Q8_0"},
    "smollm3": Q4_K_M,
}


def silent(line: str) -> None:
    pass


@pytest.fixture(scope="module", params=KINDS)
def imported(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Any, Graph, Variant, Path]:
    path = tmp_path_factory.mktemp(request.param) / "tiny.gguf"
    model = write_model(path, request.param, KINDS[request.param])
    source = Source(uri=path.name, revision="", sha256="", kind="gguf", path=path)
    with builder_inside():
        graph = export_graph(source, Recipe(name="tiny", source=path.name), silent)
    graph = prepare_graph(graph, "text-generation", silent)
    return model, graph, keep_packed(graph, "text-generation"), path


def score(model: Any, sample: Any) -> Array:
    """The log-probabilities that transformers' own model, which no GGUF file was near, gives to a golden's tokens."""
    import torch

    with torch.no_grad():
        logits = model(input_ids=torch.tensor([sample.input["token_ids"]])).logits[0, -sample.input["scored"] :]
    logprobs = torch.log_softmax(logits.double(), -1).numpy()
    return np.asarray(np.take_along_axis(logprobs, sample.input["ask"].astype(np.int64), axis=1))


def test_both_graphs_give_the_original_models_answers(imported: tuple[Any, Graph, Variant, Path]) -> None:
    model, graph, variant, _ = imported
    for sample in graph.golden.samples:
        np.testing.assert_allclose(sample.outputs["top_logprobs"], score(model, sample), atol=1e-4)
    assert set(variant.graphs) == {"webgpu", "wasm"}
    exact = measure_graph(variant.graphs["webgpu"].model, graph, "text-generation", 0.0)
    assert exact.value < 1e-6 and exact.max_abs_error < 1e-3
    assert variant.parity.value <= 0.001  # on wasm long prompts are read as integers


def test_the_bundle_is_within_a_twentieth_of_the_file(
    imported: tuple[Any, Graph, Variant, Path], tmp_path: Path
) -> None:
    _, graph, variant, path = imported
    source = Source(uri=path.name, revision="", sha256="", kind="gguf", path=path)
    bundle = write_bundle(source, graph, [variant], Recipe(name="tiny", source="x"), "text-generation", tmp_path / "m")
    entry = bundle.manifest.variants[0]
    weights = next(file for file in entry.files if file.name == "weights.bin")
    rotary = sum(4 * int(np.prod(part.dims)) for part in graph.model.graph.initializer if "_cache" in part.name)
    file_bytes = sum(tensor.data.nbytes for tensor in read_gguf(path).tensors.values())
    assert weights.bytes - rotary < 1.05 * file_bytes + 64 * 120  # each part is aligned to 64


def test_no_matrix_is_expanded_for_webgpu_but_16_bit_floats(imported: tuple[Any, Graph, Variant, Path]) -> None:
    _, graph, variant, _ = imported
    wide = {name for name, tensor in graph.packed.items() if tensor.bits == 16}
    expanded = {name for name, dtype in variant.graphs["webgpu"].expanded.items() if name in graph.packed}
    tables = {"model.embed_tokens.weight"}  # with offsets or a codebook it may have to be
    assert expanded - tables == wide - tables


def run_parts(model: Any, graph: Graph, ids: list[int], parts: list[int]) -> list[dict[str, Array]]:
    """What `model` gives for each part of `ids`, each with the cache that the parts before it have left."""
    import onnxruntime

    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    shape = graph.settings["generation"]
    empty = np.zeros((1, shape["kv_heads"], 0, shape["head_size"]), np.float32)
    names = [f"{layer}.{part}" for layer in range(shape["layers"]) for part in ("key", "value")]
    cache, past, given = dict.fromkeys(names, empty), 0, []
    for part in parts:
        feeds = {f"past_key_values.{name}": value for name, value in cache.items()}
        feeds |= {"input_ids": np.asarray([ids[past : past + part]]), "attention_mask": np.ones((1, past + part), "i8")}
        answer = dict(zip([output.name for output in session.get_outputs()], session.run(None, feeds), strict=True))
        cache, past = {name: answer[f"present.{name}"] for name in names}, past + part
        given.append(answer)
    return given


@pytest.mark.parametrize("parts", [[40], [24, 15, 1], [1, 1, 38], [39, 1]], ids=str)
def test_attention_for_wasm_gives_what_the_untouched_graph_gives(
    imported: tuple[Any, Graph, Variant, Path], parts: list[int]
) -> None:
    _, graph, variant, _ = imported
    ids = [int(value) for value in np.random.default_rng(2).integers(0, graph.settings["generation"]["vocabulary"], 40)]
    wanted = run_parts(graph.model, graph, ids, parts)
    given = run_parts(variant.graphs["wasm"].model, graph, ids, parts)
    for one, other in zip(wanted, given, strict=True):
        for name, value in one.items():
            np.testing.assert_allclose(other[name], value, atol=2e-4, err_msg=name)


def test_only_wasms_graph_leaves_out_tiles_and_the_last_layers_other_rows(
    imported: tuple[Any, Graph, Variant, Path],
) -> None:
    _, graph, variant, _ = imported
    layers = graph.settings["generation"]["layers"]
    for backend, entry in variant.graphs.items():
        nodes = entry.model.graph.node
        sunk = [len(node.input) > 9 for node in nodes if node.op_type == "GroupQueryAttention"]
        picks = [node.name for node in nodes if node.name.endswith(".last_row")]
        tiled = "Tanh" not in {node.op_type for node in nodes}  # Gemma 2's capped scores are not
        assert sunk == [backend == "wasm" and tiled] * layers
        assert len(picks) == (2 if backend == "wasm" else 0)


def test_positions_scaled_in_another_way_than_llama_3s_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.gguf"
    write_model(path, "llama3", {"": "F16"})
    file = read_gguf(path)
    scaling = read_architecture(file).config["rope_parameters"]
    assert (scaling["rope_type"], scaling["factor"]) == ("llama3", 32.0)
    factors = file.tensors["rope_freqs.weight"]
    other = replace(factors, data=np.where(np.arange(len(factors.data)) == 3, np.float32(1.5), factors.data))
    file = replace(file, tensors={**file.tensors, factors.name: other})
    with pytest.raises(ExportError, match=r"a.gguf: scaled rotary positions \(rope_freqs\) of this kind are not"):
        read_architecture(file)
