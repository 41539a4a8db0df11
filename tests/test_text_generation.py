from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tiny_language_model import CONTEXT, HEAD, LAYERS, TEMPLATE, vocabulary, write_folder

from webgpu_kit.artifacts import Graph, Source
from webgpu_kit.errors import ExportError
from webgpu_kit.export import decide_task, decoder, export_graph
from webgpu_kit.graph import prepare_graph
from webgpu_kit.manifest import Dtype
from webgpu_kit.parity import kl_divergence, measure_parity
from webgpu_kit.quantize import measure_graph, quantize_graph
from webgpu_kit.recipe import Recipe
from webgpu_kit.tasks import TASKS, chat_template
from webgpu_kit.tasks.chat_template import render_chats

CHAT = [{"role": "user", "content": "Hi <b> é\n"}, {"role": "assistant", "content": "Hello"}]
NAMES = {"bos_token": "<s>", "eos_token": "</s>"}


def silent(line: str) -> None:
    pass


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_folder(tmp_path_factory.mktemp("models") / "tiny")


def make_source(folder: Path) -> Source:
    return Source(uri="tiny", revision="", sha256="", kind="folder", path=folder)


@pytest.fixture(scope="module")
def graph(folder: Path) -> Graph:
    exported = export_graph(make_source(folder), Recipe(name="tiny", source="tiny"), silent)
    return prepare_graph(exported, "text-generation", silent)


# --- a folder ---------------------------------------------------------------------------------------------------------


def test_a_decoders_folder_is_for_text_generation(folder: Path) -> None:
    assert decide_task(make_source(folder), Recipe(name="tiny", source="tiny")).name == "text-generation"


def test_the_graph_takes_new_tokens_and_gives_the_last_ones_logits(graph: Graph) -> None:
    inputs = {spec.name: spec for spec in graph.interface.inputs}
    outputs = {spec.name: spec for spec in graph.interface.outputs}
    caches = [f"{layer}.{part}" for layer in range(LAYERS) for part in ("key", "value")]
    assert set(inputs) == {"input_ids", "attention_mask", *(f"past_key_values.{name}" for name in caches)}
    assert set(outputs) == {"logits", *(f"present.{name}" for name in caches)}
    assert outputs["logits"].shape[1:] == [1, len(vocabulary())]


def test_the_page_learns_what_its_loop_needs(graph: Graph) -> None:
    generation = graph.settings["generation"]
    assert generation | {"defaults": {}} == {
        "layers": LAYERS,
        "kv_heads": 2,
        "head_size": HEAD,
        "vocabulary": len(vocabulary()),
        "context_length": CONTEXT,
        "bos_token_id": 1,
        "eos_token_ids": [2],
        "add_bos": False,
        "chat_template": TEMPLATE,
        "cache_dtype": "float32",
        "defaults": {},
    }
    assert generation["defaults"]["temperature"] == 0.7
    assert set(graph.assets) == {"tokenizer.json", "tokenizer_config.json", "chat_template.jinja"}


def test_a_recipes_sampling_goes_before_the_folders(folder: Path, tmp_path: Path) -> None:
    recipe = Recipe(name="tiny", source="tiny", generation={"top_p": 0.5})
    wishes = tmp_path / "generation_config.json"
    wishes.write_text('{"temperature": 0.3, "top_p": 0.8, "eos_token_id": [0, 2]}')
    for file in folder.iterdir():
        if file.name != wishes.name:
            (tmp_path / file.name).symlink_to(file)
    generation = TASKS["text-generation"].load(make_source(tmp_path), recipe).settings["generation"]
    assert (generation["defaults"]["temperature"], generation["defaults"]["top_p"]) == (0.3, 0.5)
    assert generation["eos_token_ids"] == [0, 2]


@pytest.mark.parametrize(("dtype", "most"), [("fp32", 1e-6), ("fp16", 1e-3), ("q8", 0.02), ("q4", 2.0)])
def test_every_dtype_runs_on_both_graphs_and_is_measured(graph: Graph, dtype: Dtype, most: float) -> None:
    variant = quantize_graph(graph, dtype, "text-generation")
    assert set(variant.graphs) == {"webgpu", "wasm"}
    inputs = {
        backend: {len(node.input) for node in entry.model.graph.node if node.op_type == "GroupQueryAttention"}
        for backend, entry in variant.graphs.items()
    }
    assert inputs == {"webgpu": {9}, "wasm": {12}}  # a sink more: see wasm_attention.py
    assert 0 <= variant.parity.value < most
    assert (variant.parity.value > 1e-9) == (dtype != "fp32")


def test_a_wrong_graph_is_seen(graph: Graph) -> None:
    from onnx import numpy_helper

    broken = type(graph.model)()
    broken.CopyFrom(graph.model)
    name = "model.layers.0.attn.o_proj.MatMul.weight"
    weight = next(entry for entry in broken.graph.initializer if entry.name == name)
    weight.CopyFrom(numpy_helper.from_array(numpy_helper.to_array(weight) * np.float32(1.2), weight.name))
    assert measure_graph(broken, graph, "text-generation", 0.001).value > 0.001


def test_a_context_that_holds_no_chat_is_an_error(folder: Path, tmp_path: Path) -> None:
    for file in folder.iterdir():
        (tmp_path / file.name).write_bytes(file.read_bytes())
    config = tmp_path / "config.json"
    key = '"max_position_embeddings": '
    config.write_text(config.read_text().replace(f"{key}{CONTEXT}", f"{key}8"))
    with pytest.raises(ExportError, match="its context of 8 tokens holds none of the sample chats"):
        export_graph(make_source(tmp_path), Recipe(name="tiny", source="tiny"), silent)


def test_a_weight_that_no_onnx_message_holds_is_an_error(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(decoder, "LARGEST_WEIGHT_BYTES", 1000)
    with pytest.raises(
        ExportError, match=r"its 'model\.embed_tokens\.weight' takes 0\.0 GB as float32; at most 0\.0 GB are"
    ):
        export_graph(make_source(folder), Recipe(name="tiny", source="tiny"), silent)


@pytest.mark.parametrize("missing", ["chat_template.jinja", "tokenizer.json"])
def test_a_folder_without_tokenizer_or_template_is_an_error(folder: Path, tmp_path: Path, missing: str) -> None:
    for file in folder.iterdir():
        if file.name != missing:
            (tmp_path / file.name).symlink_to(file)
    with pytest.raises(ExportError, match=r"no single chat template|no tokenizer|cannot load the model"):
        export_graph(make_source(tmp_path), Recipe(name="tiny", source="tiny"), silent)


# --- chat templates ---------------------------------------------------------------------------------------------------


def test_a_template_renders_as_transformers_renders_it(folder: Path) -> None:
    from transformers import AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(folder)
    template = "{%- for m in messages %}\n  {% if loop.first %}{{ bos_token }}{% endif %}\n{{ m | tojson }}{% endfor %}"
    for text in (TEMPLATE, template):
        tokenizer.chat_template = text
        expected = tokenizer.apply_chat_template(CHAT, tokenize=False, add_generation_prompt=True)
        assert render_chats(text, [CHAT], {"bos_token": tokenizer.bos_token}) == [expected]


@pytest.mark.parametrize(
    ("template", "reason"),
    [
        ("{% for %}", "TemplateSyntaxError"),
        ("{{ ''.__class__.__mro__[1].__subclasses__() }}", "SecurityError"),
        ("{{ cycler.__init__.__globals__.os.system('true') }}", "SecurityError"),
        ("{{ raise_exception('no system role') }}", "no system role"),
        ("{{ 'a' * 3000000 }}", "3,000,000 characters"),
        ("{{ 'a' * 9000000000 }}", "MemoryError"),
        ("{% for a in range(1000000) %}{% endfor %}", "OverflowError"),
        ("{{ nothing.at.all }}", "UndefinedError"),
    ],
)
def test_a_hostile_template_is_an_error(template: str, reason: str) -> None:
    with pytest.raises(ExportError, match=f"chat template cannot be used: .*{reason}"):
        render_chats(template, [CHAT], NAMES)


def test_a_template_that_loops_is_stopped(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(chat_template, "TIME_LIMIT_SECONDS", 2)
    loops = "{% for a in range(99999) %}{% for b in range(99999) %}{% endfor %}{% endfor %}"
    with pytest.raises(ExportError, match="it takes more than 2 seconds"):
        render_chats(loops, [CHAT], NAMES)


# --- the metric -------------------------------------------------------------------------------------------------------


def test_divergence_counts_the_rest_as_one_more_token() -> None:
    wanted, given = np.log([[0.5, 0.3]]), np.log([[0.25, 0.25]])
    by_hand = 0.5 * math.log(0.5 / 0.25) + 0.3 * math.log(0.3 / 0.25) + 0.2 * math.log(0.2 / 0.5)
    assert kl_divergence(wanted, given) == pytest.approx(by_hand)
    assert kl_divergence(wanted, wanted) == 0.0
    assert kl_divergence(np.log([[0.5, 0.5]]), np.log([[0.5, 0.25]])) == pytest.approx(0.5 * math.log(2), rel=1e-6)


def test_divergence_is_measured_on_probabilities_alone() -> None:
    wanted = {"top_ids": np.zeros((2, 8), np.int32), "top_logprobs": np.log(np.full((2, 8), 0.1, np.float32))}
    given: dict[str, Any] = {"top_ids": np.ones((2, 1), np.int32), "top_logprobs": wanted["top_logprobs"]}
    assert measure_parity("kl_divergence", [wanted], [given], 0.1).value == 0.0
    assert measure_parity("kl_divergence", [wanted], [{"top_ids": given["top_ids"]}], 0.1).value == math.inf
    broken = given | {"top_logprobs": np.full((2, 8), np.nan, np.float32)}
    assert measure_parity("kl_divergence", [wanted], [broken], 0.1).value == math.inf


def test_a_sample_is_answered_from_the_cache_as_at_once(graph: Graph) -> None:
    sample = graph.golden.samples[1]
    longer = replace(sample, input={**sample.input, "scored": 3, "ask": sample.input["ask"][-3:]})
    expected = sample.outputs["top_logprobs"][-3:]
    one = replace(graph.golden, samples=(replace(longer, outputs={**sample.outputs, "top_logprobs": expected}),))
    assert measure_graph(graph.model, replace(graph, golden=one), "text-generation", 1e-5).value < 1e-6
