"""The first golden sample is the page's self-test: GPUs compute attention with another kernel from 32 tokens on."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from webgpu_kit.artifacts import Source
from webgpu_kit.manifest import Interface, TensorSpec
from webgpu_kit.recipe import Recipe
from webgpu_kit.tasks import TASKS

pytest.importorskip("torch")
pytest.importorskip("transformers")

ARCHITECTURES: dict[str, tuple[str, dict[str, Any]]] = {
    "feature-extraction": ("BertModel", {}),
    "sentence-similarity": ("BertModel", {}),
    "text-classification": ("BertForSequenceClassification", {"id2label": {0: "no", 1: "yes"}}),
    "token-classification": ("BertForTokenClassification", {"id2label": {0: "O", 1: "B-PER"}}),
    "fill-mask": ("BertForMaskedLM", {}),
    "zero-shot-classification": ("BertForSequenceClassification", {"id2label": {0: "contradiction", 1: "entailment"}}),
    "text-ranking": ("BertForSequenceClassification", {"id2label": {0: "LABEL_0"}}),
}
OF_OTHER_KINDS = {"image-classification", "text-generation", "tensor"}
ATTENTION_CHANGES_AT = 32


def describe(names: list[str]) -> list[TensorSpec]:
    return [TensorSpec(name=name, dtype="int64", shape=["batch", "sequence"]) for name in names]


def test_every_task_of_encoders_is_looked_at() -> None:
    assert set(ARCHITECTURES) == set(TASKS) - OF_OTHER_KINDS


@pytest.mark.parametrize("name", ARCHITECTURES)
def test_the_first_sample_is_long_for_any_tokenizer(name: str, tmp_path: Path) -> None:
    from tiny_encoders import write_encoder

    from webgpu_kit.export import from_torch

    architecture, settings = ARCHITECTURES[name]
    folder = write_encoder(tmp_path / "model", "wordpiece", architecture, **settings)
    source = Source(uri="m", revision="", sha256="", kind="folder", path=folder)
    task, recipe = TASKS[name], Recipe(name="m", source="m")
    loaded = from_torch.load_model(source, recipe, task)
    interface = Interface(
        inputs=describe(list(loaded.example)), outputs=describe(list(loaded.module(**loaded.example)))
    )
    original = from_torch.wrap_model(loaded, interface, "torch")
    first = task.make_inputs(original, recipe)[0]
    assert task.encode(first, original)["input_ids"].shape[1] > ATTENTION_CHANGES_AT
    # A tokenizer that knows every word makes no fewer tokens of it than it has words.
    words = json.dumps({key: value for key, value in first.items() if key != "ask"}).split()
    assert len(words) > ATTENTION_CHANGES_AT
