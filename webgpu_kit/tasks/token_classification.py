"""token-classification: texts in, the spans that the model marks in each out."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from webgpu_kit.artifacts import Source
from webgpu_kit.recipe import Recipe
from webgpu_kit.tasks.encoder import (
    choose_examples,
    encode_text_input,
    load_encoder,
    make_text_inputs,
    refer_text_input,
    refuse_onnx,
    wrap_encoder,
)
from webgpu_kit.tasks.page_tokenizer import check_places
from webgpu_kit.tasks.task import Task, TorchModel
from webgpu_kit.tasks.text_classification import check_labels

if TYPE_CHECKING:
    import torch

EXAMPLES = (
    {"text": ["Marie Curie was born in Warsaw and worked in Paris."]},
    {"text": ["The new office of Siemens in Lisbon opens in March."]},
)


def _load(source: Source, recipe: Recipe) -> TorchModel:
    """A tagger that gives every token a probability for each label, and padding zeros."""
    encoder = load_encoder(source, recipe, "AutoModelForTokenClassification")
    config = encoder.model.config
    labels = recipe.labels or [config.id2label[index] for index in range(config.num_labels)]
    check_labels(labels, config.num_labels, recipe)

    def finish(answer: Any, mask: torch.Tensor) -> dict[str, torch.Tensor]:
        return {"scores": answer.logits.softmax(-1) * mask.unsqueeze(-1)}

    wrapped = wrap_encoder(encoder, finish, {"labels": labels})
    check_places(json.loads(wrapped.assets["tokenizer.json"]), recipe.source)
    return wrapped


def _page_settings(settings: Any, recipe: Recipe) -> dict[str, Any]:
    groups = dict.fromkeys(label.split("-", 1)[-1] for label in settings["labels"] if label != "O")
    return {"labels": list(groups), "examples": choose_examples(recipe, EXAMPLES)}


TOKEN_CLASSIFICATION = Task(
    name="token-classification",
    metric="probability_error",
    # A token keeps its label where the best one leads by more than twice the error: with 0.02, spans change only where
    # the model wavered between 48 and 52 per cent.
    thresholds={"fp32": 1e-4, "fp16": 0.005, "q8": 0.02, "q4": 0.05, "q4f16": 0.05},
    dtypes=("q8", "fp16", "fp32"),
    load=_load,
    describe=refuse_onnx("token-classification"),
    make_inputs=make_text_inputs,
    encode=encode_text_input,
    refer=refer_text_input,
    attach=lambda model, settings: model,
    page_settings=_page_settings,
)
