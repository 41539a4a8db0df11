"""Which task a Hugging Face folder gets, by its files alone: no weights are read for it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from webgpu_kit.errors import ExportError
from webgpu_kit.export.folder_task import infer_folder_task
from webgpu_kit.recipe import Recipe

for package in ("torch", "transformers", "optimum"):
    pytest.importorskip(package)

CLASSIFIER = "BertForSequenceClassification"


def infer(folder: Path, config: dict[str, Any] | None, **files: Any) -> str:
    found = {"config": config, **files}
    for name, content in found.items():
        if content is not None:
            (folder / f"{name}.json").write_text(json.dumps(content), encoding="utf-8")
    return infer_folder_task(folder, Recipe(name="m", source="org/m"))


def classifier(*labels: str, **more: Any) -> dict[str, Any]:
    return {"architectures": [CLASSIFIER], "id2label": dict(enumerate(labels)), **more}


@pytest.mark.parametrize(
    ("architecture", "task"),
    [
        ("BertModel", "feature-extraction"),
        ("BertForMaskedLM", "fill-mask"),
        ("DistilBertForTokenClassification", "token-classification"),
        (CLASSIFIER, "text-classification"),
        ("LlamaForCausalLM", "text-generation"),
        ("ViTForImageClassification", "image-classification"),
    ],
)
def test_the_architecture_says_it(tmp_path: Path, architecture: str, task: str) -> None:
    assert infer(tmp_path, {"architectures": [architecture]}) == task


def test_the_files_of_a_sentence_model_come_before_its_architecture(tmp_path: Path) -> None:
    assert infer(tmp_path, {"architectures": ["BertForMaskedLM"]}, modules=[{"idx": 0}]) == "feature-extraction"


@pytest.mark.parametrize(
    ("labels", "task"),
    [
        (("CONTRADICTION", "neutral", "Entailment"), "zero-shot-classification"),
        (("entailment", "contradiction"), "zero-shot-classification"),
        (("entailment", "not_entailment"), "text-classification"),
        (("negative", "positive"), "text-classification"),
        (("LABEL_0",), "text-classification"),
    ],
)
def test_labels_of_inference_make_a_classifier_of_any_labels(
    tmp_path: Path, labels: tuple[str, ...], task: str
) -> None:
    assert infer(tmp_path, classifier(*labels)) == task


@pytest.mark.parametrize(
    ("config", "files"),
    [
        (classifier("LABEL_0", sentence_transformers={"version": "4"}), {}),
        (classifier("LABEL_0", sbert_ce_default_activation_function="torch.nn.modules.linear.Identity"), {}),
        (classifier("LABEL_0"), {"config_sentence_transformers": {"model_type": "CrossEncoder"}}),
        ({"architectures": [CLASSIFIER], "num_labels": 1, "sentence_transformers": {}}, {}),
    ],
)
def test_a_cross_encoder_of_one_score_ranks(tmp_path: Path, config: dict[str, Any], files: dict[str, Any]) -> None:
    assert infer(tmp_path, config, **files) == "text-ranking"


def test_a_cross_encoder_of_several_scores_classifies(tmp_path: Path) -> None:
    two = classifier("no", "yes", sentence_transformers={})
    assert infer(tmp_path, two) == "text-classification"
    assert infer(tmp_path, {"architectures": [CLASSIFIER], "sentence_transformers": {}}) == "text-classification"


@pytest.mark.parametrize(
    ("config", "message", "fix"),
    [
        (
            {"architectures": ["KlingonForPoetry"]},
            r"org/m: .*no architecture.*\(\['KlingonForPoetry'\]\)",
            "give --task",
        ),
        ({}, r"config\.json names no architecture", "give --task"),
        (None, r"config\.json names no architecture", "give --task"),
        (
            {"architectures": ["BertForMultipleChoice"]},
            "BertForMultipleChoice is for 'multiple-choice', which is not supported yet. Supported: image-class",
            "give --task feature-extraction for its embeddings",
        ),
    ],
)
def test_what_cannot_be_inferred_is_told(tmp_path: Path, config: Any, message: str, fix: str) -> None:
    with pytest.raises(ExportError, match=message) as caught:
        infer(tmp_path, config)
    assert caught.value.fix == fix
