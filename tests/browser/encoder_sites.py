"""A site for each of the text tasks, of a model of a few thousand seeded weights: what it says means nothing."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from tiny_encoders import write_encoder

import webgpu_kit
from webgpu_kit.recipe import TaskName


def _name_labels(*labels: str) -> dict[str, Any]:
    return {"id2label": dict(enumerate(labels)), "label2id": {label: index for index, label in enumerate(labels)}}


MODELS: dict[TaskName, tuple[str, dict[str, Any]]] = {
    "text-classification": ("BertForSequenceClassification", _name_labels("negative", "<b>neutral", "positive")),
    "token-classification": ("BertForTokenClassification", _name_labels("O", "B-PER", "I-PER", "B-LOC", "I-LOC")),
    "fill-mask": ("BertForMaskedLM", {}),
    "zero-shot-classification": (
        "BertForSequenceClassification",
        _name_labels("contradiction", "neutral", "entailment"),
    ),
    "sentence-similarity": ("BertModel", {}),
    "text-ranking": ("BertForSequenceClassification", _name_labels("LABEL_0")),
}


def build_encoder_site(task: TaskName, folder: Path) -> Path:
    """Build the site of `task` below `folder`, float32 only."""
    architecture, settings = MODELS[task]
    model = write_encoder(folder / f"{task}-model", "wordpiece", architecture, **settings)
    webgpu_kit.build(str(model), out=folder / task, task=task, dtypes=["fp32"])
    return folder / task
