"""zero-shot-classification: a text and labels that the visitor chooses in, how well each fits out.

The model was trained to tell whether a hypothesis follows from a text; each label becomes one hypothesis.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from webgpu_kit.artifacts import Run, Sample, Source, Tensors
from webgpu_kit.errors import ExportError
from webgpu_kit.recipe import Recipe
from webgpu_kit.tasks.encoder import (
    SAMPLE_TEXTS,
    choose_examples,
    encode_texts,
    load_encoder,
    refuse_onnx,
    wrap_encoder,
)
from webgpu_kit.tasks.task import Original, Task, TorchModel

TEMPLATE = "This example is {}."
# The first is the page's self-test, and long for the reason that SAMPLE_TEXTS gives.
QUESTIONS: tuple[dict[str, Any], ...] = (
    {"text": SAMPLE_TEXTS[0][0], "candidate_labels": ["the sea", "the city", "a recipe"]},
    {"text": "The team won the final in extra time.", "candidate_labels": ["sport", "politics", "cooking"]},
    {"text": "Stir the onions until they are golden.", "candidate_labels": ["cooking", "travel"], "multi_label": True},
    {"text": "Où est la bibliothèque ?", "candidate_labels": ["a question", "a statement"]},
    {
        "text": "The battery is gone by noon, and nobody answers my letters.",
        "candidate_labels": ["praise", "complaint", "question about the delivery"],
        "hypothesis_template": "This text is a {}.",
    },
    {"text": "ok", "candidate_labels": ["short"]},
    {
        "text": "Photosynthesis turns light, water and carbon dioxide into sugar, which is why plants need the sun.",
        "candidate_labels": ["biology", "economics", "physics", "art", "music"],
        "multi_label": True,
    },
    {"text": "", "candidate_labels": ["empty", "full"]},
    {"text": "日本語の文章です。🍕", "candidate_labels": ["Japanese", "Pizza 🍕"]},
)
EXAMPLES = (
    {
        "text": "My order arrived two weeks late, and one of the cups was broken.",
        "candidate_labels": ["delivery", "quality", "price", "praise"],
        "multi_label": True,
    },
    {"text": "The team won the final in extra time.", "candidate_labels": ["sport", "politics", "cooking"]},
)


def _load(source: Source, recipe: Recipe) -> TorchModel:
    encoder = load_encoder(source, recipe, "AutoModelForSequenceClassification")
    labels = encoder.model.config.id2label
    entailment = next((index for index, label in labels.items() if label.lower().startswith("entail")), None)
    if entailment is None or len(labels) < 2:
        raise ExportError(
            f"{recipe.source}: no label of the model is 'entailment' ({', '.join(map(str, labels.values()))}).",
            fix="give a model trained on natural language inference, or --task text-classification",
        )
    # As transformers' pipeline has it: the other end of the list.
    contradiction = len(labels) - 1 if entailment == 0 else 0
    settings = {"entailment": int(entailment), "contradiction": contradiction, "hypothesis_template": TEMPLATE}
    return wrap_encoder(encoder, lambda answer, mask: {"logits": answer.logits}, settings, pairs=True)


def _encode(sample: Mapping[str, Any], original: Original) -> Tensors:
    template = sample.get("hypothesis_template", TEMPLATE)
    hypotheses = [template.replace("{}", label) for label in sample["candidate_labels"]]
    return encode_texts(original, [sample["text"]] * len(hypotheses), hypotheses, truncation="only_first")


def _score(outputs: Tensors, sample: Mapping[str, Any], settings: Mapping[str, Any]) -> Tensors:
    """One score a label, in the order of `candidate_labels`: each alone with `multi_label`, else all together."""
    logits = outputs["logits"].astype(np.float64)
    entailed = logits[:, settings["entailment"]]
    if sample.get("multi_label") or len(entailed) == 1:
        scores = 1 / (1 + np.exp(logits[:, settings["contradiction"]] - entailed))
    else:
        scores = np.exp(entailed - entailed.max())
        scores /= scores.sum()
    return {"scores": scores.astype(np.float32)}


def _refer(sample: Mapping[str, Any], original: Original) -> Tensors:
    return _score(original.run(_encode(sample, original)), sample, original.settings)


def _respond(run: Run, sample: Sample, settings: Mapping[str, Any]) -> Tensors:
    return _score(run(sample.feeds), sample.input, settings)


def _page_settings(settings: Mapping[str, Any], recipe: Recipe) -> dict[str, Any]:
    return {"hypothesis_template": settings["hypothesis_template"], "examples": choose_examples(recipe, EXAMPLES)}


ZERO_SHOT_CLASSIFICATION = Task(
    name="zero-shot-classification",
    metric="probability_error",
    # The page shows per cents; two labels keep their order when they are more than twice the error apart.
    thresholds={"fp32": 1e-4, "fp16": 0.005, "q8": 0.02, "q4": 0.05, "q4f16": 0.05},
    dtypes=("q8", "fp16", "fp32"),
    load=_load,
    describe=refuse_onnx("zero-shot-classification"),
    make_inputs=lambda original, recipe: [dict(question) for question in QUESTIONS],
    encode=_encode,
    refer=_refer,
    respond=_respond,
    attach=lambda model, settings: model,
    page_settings=_page_settings,
)
