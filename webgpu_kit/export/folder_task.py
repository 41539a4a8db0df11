"""Which task a Hugging Face folder is for, by what its files say."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from webgpu_kit.errors import ExportError
from webgpu_kit.export.from_torch import require_packages
from webgpu_kit.recipe import TASK_NAMES, Recipe

# The labels of a model that was trained to tell whether one text follows from another.
INFERENCE_LABELS = {"entailment", "contradiction"}


def infer_folder_task(folder: Path, recipe: Recipe) -> str:
    """The task of a folder: by the files of sentence-transformers, else by its architecture, in optimum's words.

    A sequence classifier is for `zero-shot-classification` when its labels are those of inference, for `text-ranking`
    when it is a cross-encoder of sentence-transformers, else for `text-classification`. Raises ExportError.
    """
    require_packages()
    config = _read_json(folder / "config.json")
    if _is_cross_encoder(folder, config):
        return "text-ranking"
    if (folder / "modules.json").is_file():
        return "feature-extraction"
    task = _infer_by_architecture(config, recipe)
    labels = {str(label).lower() for label in (config.get("id2label") or {}).values()}
    if task == "text-classification" and labels >= INFERENCE_LABELS:
        return "zero-shot-classification"
    return task


def _read_json(path: Path) -> Any:
    return json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}


def _is_cross_encoder(folder: Path, config: Mapping[str, Any]) -> bool:
    """One score for a pair, and sentence-transformers' word for it, as its old and new versions write it."""
    kind = _read_json(folder / "config_sentence_transformers.json").get("model_type")
    said = (
        kind == "CrossEncoder" or "sentence_transformers" in config or "sbert_ce_default_activation_function" in config
    )
    labels = config.get("id2label") or {index: "" for index in range(config.get("num_labels", 2))}
    return said and len(labels) == 1


def _infer_by_architecture(config: Mapping[str, Any], recipe: Recipe) -> str:
    import transformers
    from optimum.exporters.tasks import TasksManager

    names = config.get("architectures") or []
    model_class = getattr(transformers, names[0], None) if names else None
    if model_class is None:
        raise ExportError(
            f"{recipe.source}: config.json names no architecture that transformers knows ({names}).", fix="give --task"
        )
    task = str(TasksManager.infer_task_from_model(model_class))
    if task not in TASK_NAMES:
        raise ExportError(
            f"{recipe.source}: {names[0]} is for '{task}', which is not supported yet. "
            f"Supported: {', '.join(TASK_NAMES)}.",
            fix="give --task feature-extraction for its embeddings",
        )
    return task
