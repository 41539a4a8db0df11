"""Long prompts as integers on wasm: what is rounded, what is not, and when it is taken back."""

from __future__ import annotations

import numpy as np
import onnx
import pytest
from builder_inside import builder_inside
from tiny_language_model import LAYERS, write_gguf

from webgpu_kit.artifacts import Array, Graph, Source, VariantGraph
from webgpu_kit.export import export_graph
from webgpu_kit.graph import prepare_graph
from webgpu_kit.quantize import exact, prompt_trial
from webgpu_kit.quantize.integer_prompts import LEAST_ROWS
from webgpu_kit.quantize.prompt_trial import try_integer_prompts
from webgpu_kit.quantize.session import open_session
from webgpu_kit.recipe import Recipe


@pytest.fixture(scope="module")
def graph(tmp_path_factory: pytest.TempPathFactory) -> Graph:
    path = write_gguf(tmp_path_factory.mktemp("gguf") / "tiny.gguf", {"": "Q4_1"})
    source = Source(uri=path.name, revision="", sha256="", kind="gguf", path=path)
    with builder_inside():
        exported = export_graph(source, Recipe(name="tiny", source=path.name), lambda line: None)
    return prepare_graph(exported, "text-generation", lambda line: None)


def make_wasm(graph: Graph) -> VariantGraph:
    entry, _ = exact._make_graph(graph.model, graph.packed, "wasm")
    return entry


def read_prompt(model: onnx.ModelProto, graph: Graph, rows: int) -> dict[str, Array]:
    ids = np.random.default_rng(3).integers(3, graph.settings["generation"]["vocabulary"], (1, rows))
    window = prompt_trial.make_windows(graph.assets, graph.settings, "measured")[0]
    session = open_session(model)
    names = [output.name for output in session.get_outputs()]
    feeds = window | {"input_ids": ids, "attention_mask": np.ones((1, rows), np.int64)}
    return dict(zip(names, session.run(names, feeds), strict=True))


@pytest.fixture(scope="module")
def rounded(graph: Graph) -> VariantGraph:
    entry, packed, note = try_integer_prompts(make_wasm(graph), graph.packed, graph, 0.001, lambda line: None)
    assert len(packed) == 2 * (LAYERS - 1) and set(packed) == set(entry.steps), "the last layer reads one row only"
    assert all(entry.expanded[name] == "uint8" for name in packed) and "long prompts" in note
    return entry


@pytest.mark.parametrize("rows", [1, LEAST_ROWS - 1])
def test_short_runs_are_bit_for_bit_what_they_were(graph: Graph, rounded: VariantGraph, rows: int) -> None:
    wanted, given = read_prompt(make_wasm(graph).model, graph, rows), read_prompt(rounded.model, graph, rows)
    for name, value in wanted.items():
        np.testing.assert_array_equal(given[name], value, err_msg=name)


def test_of_a_long_prompt_every_row_but_the_last_is_rounded(graph: Graph, rounded: VariantGraph) -> None:
    wanted, given = (read_prompt(model, graph, 100) for model in (make_wasm(graph).model, rounded.model))
    np.testing.assert_array_equal(given["present.0.key"], wanted["present.0.key"])
    difference = np.abs(given["present.1.key"] - wanted["present.1.key"]).max(axis=(0, 1, 3))
    size = np.abs(wanted["present.1.key"]).max()
    # In the second layer the last row has seen the others in attention only, which came before the first rounding.
    assert difference[-1] == 0 and np.all(difference[:-1] > 0) and np.all(difference < 0.05 * size)
    assert given["logits"].shape == wanted["logits"].shape


def test_what_a_stricter_limit_does_not_allow_is_taken_back(graph: Graph) -> None:
    lines: list[str] = []
    entry = make_wasm(graph)
    nodes = [node.SerializeToString() for node in entry.model.graph.node]
    names = [weight.name for weight in entry.model.graph.initializer]
    given, packed, note = try_integer_prompts(entry, graph.packed, graph, 1e-7, lines.append)
    assert given is entry and not packed and not note and "too much" in lines[-1]
    assert [node.SerializeToString() for node in given.model.graph.node] == nodes
    assert [weight.name for weight in given.model.graph.initializer] == names


def test_weights_that_do_not_travel_in_blocks_stay_float32(graph: Graph) -> None:
    entry = make_wasm(graph)
    before = entry.model.SerializeToString()
    given, packed, _ = try_integer_prompts(entry, {}, graph, 0.001, lambda line: None)
    assert given is entry and not packed and entry.model.SerializeToString() == before
