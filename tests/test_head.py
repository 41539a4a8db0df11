"""A recipe's own linear head over the embeddings of its source."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from webgpu_kit.artifacts import Source
from webgpu_kit.errors import RecipeError
from webgpu_kit.recipe import read_recipe

pytest.importorskip("torch")
pytest.importorskip("transformers")

DIMENSIONS = 32
TEXT = "The cat sees the sea."


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Source:
    from tiny_sentence_model import write_sentence_model

    folder = write_sentence_model(tmp_path_factory.mktemp("head") / "model")
    return Source(uri=str(folder), revision="", sha256="", kind="folder", path=folder)


def write_head(folder: Path, **shapes: tuple[int, ...]) -> None:
    import torch
    from safetensors.torch import save_file

    torch.manual_seed(3)
    save_file({name: torch.randn(shape) for name, shape in shapes.items()}, folder / "head.safetensors")


def load(folder: Path, source: Source, more: str = "") -> Any:
    from webgpu_kit.export import from_torch
    from webgpu_kit.tasks import TASKS

    text = f'name = "m"\nsource = "{source.path}"\ntask = "text-classification"\nhead = "head.safetensors"\n'
    (folder / "recipe.toml").write_text(text + (more or 'labels = ["no", "yes", "both"]\n'), encoding="utf-8")
    recipe = read_recipe(folder / "recipe.toml")
    return from_torch.load_model(source, recipe, TASKS["text-classification"])


def test_the_head_stands_behind_the_embedding(tmp_path: Path, source: Source) -> None:
    import torch
    from safetensors.torch import load_file

    from webgpu_kit.tasks import TASKS

    write_head(tmp_path, weight=(3, DIMENSIONS), bias=(3,))
    loaded = load(tmp_path, source)
    recipe = read_recipe(tmp_path / "recipe.toml").model_copy(update={"task": "feature-extraction", "head": None})
    plain = TASKS["feature-extraction"].load(source, recipe)
    feeds = {name: loaded.tokenizer(TEXT, return_tensors="pt")[name] for name in ("input_ids", "attention_mask")}
    with torch.no_grad():
        scores, embedding = loaded.module(**feeds)["scores"], plain.module(**feeds)["embedding"]
    head = load_file(tmp_path / "head.safetensors")
    logits = (embedding.double() @ head["weight"].T.double() + head["bias"].double()).numpy()
    expected = np.exp(logits) / np.exp(logits).sum()
    np.testing.assert_allclose(scores.numpy(), expected, atol=1e-6)
    assert loaded.settings["labels"] == ["no", "yes", "both"] and loaded.settings["pooling"] == "mean"


@pytest.mark.parametrize(
    ("shapes", "message"),
    [
        ({"weight": (3, DIMENSIONS)}, "the head cannot be read: KeyError"),
        ({"weight": (3, 7), "bias": (3,)}, r"weight is \[3, 7\] and bias \[3\], the source's embeddings have 32"),
        ({"weight": (DIMENSIONS, 3), "bias": (3,)}, r"weight is \[32, 3\]"),
        ({"weight": (3, DIMENSIONS), "bias": (2,)}, r"bias \[2\]"),
        ({"weight": (DIMENSIONS,), "bias": (3,)}, r"weight is \[32\]"),
        ({"weight": (2, DIMENSIONS), "bias": (2,)}, "3 labels for 2 classes"),
    ],
)
def test_a_head_that_does_not_fit_is_refused(
    tmp_path: Path, source: Source, shapes: dict[str, tuple[int, ...]], message: str
) -> None:
    write_head(tmp_path, **shapes)
    with pytest.raises(RecipeError, match=message) as caught:
        load(tmp_path, source)
    assert caught.value.fix


def test_a_head_that_is_missing_or_no_safetensors_file_is_named(tmp_path: Path, source: Source) -> None:
    with pytest.raises(RecipeError, match=r"head\.safetensors: the head cannot be read: FileNotFoundError") as caught:
        load(tmp_path, source)
    assert "tensors weight (labels, dimensions) and bias (labels,)" in caught.value.fix
    (tmp_path / "head.safetensors").write_bytes(b"no tensors here")
    with pytest.raises(RecipeError, match="the head cannot be read: SafetensorError"):
        load(tmp_path, source)


def test_a_head_without_labels_is_refused(tmp_path: Path, source: Source) -> None:
    write_head(tmp_path, weight=(3, DIMENSIONS), bias=(3,))
    with pytest.raises(RecipeError, match="0 labels for 3 classes"):
        load(tmp_path, source, "description = 'none'\n")


def test_a_head_is_for_classification_and_for_one_model_only(tmp_path: Path) -> None:
    path = tmp_path / "recipe.toml"
    path.write_text('source = "org/m"\ntask = "fill-mask"\nhead = "head.safetensors"\n', encoding="utf-8")
    with pytest.raises(RecipeError, match="head is for the task 'text-classification', not 'fill-mask'"):
        read_recipe(path)
    path.write_text('task = "rag"\nhead = "h"\n[models]\nembed = "a"\nchat = "b"\n', encoding="utf-8")
    with pytest.raises(RecipeError, match="head"):
        read_recipe(path)
    path.write_text('source = "org/m"\ntask = "text-classification"\nheads = "h"\n', encoding="utf-8")
    with pytest.raises(RecipeError, match=r"unknown key 'heads'\. Allowed: .*head.*questions"):
        read_recipe(path)
