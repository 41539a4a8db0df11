"""text-ranking: a query and documents in, how well each document answers it out (cross-encoders)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from webgpu_kit.artifacts import Source, Tensors
from webgpu_kit.errors import ExportError
from webgpu_kit.recipe import Recipe
from webgpu_kit.tasks.encoder import (
    SAMPLE_TEXTS,
    choose_examples,
    encode_texts,
    load_encoder,
    read_json,
    refuse_onnx,
    wrap_encoder,
)
from webgpu_kit.tasks.task import Original, Task, TorchModel

ACTIVATIONS = ("Sigmoid", "Identity")
# The first is the page's self-test, and long for the reason that SAMPLE_TEXTS gives.
QUESTIONS: tuple[tuple[str, tuple[str, ...]], ...] = (
    ("Who lights the lamp in the evening?", (SAMPLE_TEXTS[0][0], "The lamps of the city are lit by a clock.")),
    ("Why is the sky blue?", ("Air scatters short waves of light the most.", "The sea is salty.")),
    (
        "How do plants make sugar?",
        (
            "Photosynthesis turns light, water and carbon dioxide into sugar and oxygen.",
            "Sugar is sold by the kilogram.",
            "ok",
        ),
    ),
    ("capital of France", ("Paris",)),
    ("Où est la gare ?", ("La gare est près de la bibliothèque.", "Le chat dort.", "日本語の文章です。")),
    ("pizza 🍕", ("Pizza 🍕 and ice cream 🍨 for everyone!!!", "", "for (let i = 0; i < 10; i++) {}")),
    ("", ("An empty query asks for nothing.", "404")),
    ("How long does it take?", ("It takes an hour. " * 12, "An hour.", "It is an hour by train, and two by car.")),
    ("HTTP 404", ("The page was not found, but the server is running.", "The server is down.")),
)
EXAMPLES = (
    {
        "query": "How do I keep basil alive?",
        "documents": [
            "Water basil at the roots when the soil is dry, and give it six hours of sun.",
            "Basil came to Europe from India more than two thousand years ago.",
            "Cut the stems above a pair of leaves, so that the plant branches.",
            "The town of Basel lies on the Rhine.",
        ],
    },
)


def _load(source: Source, recipe: Recipe) -> TorchModel:
    import torch

    encoder = load_encoder(source, recipe, "AutoModelForSequenceClassification")
    if encoder.model.config.num_labels != 1:
        raise ExportError(
            f"{recipe.source}: the model has {encoder.model.config.num_labels} labels, a ranking takes one score.",
            fix="give a cross-encoder, or --task text-classification",
        )
    activation = getattr(torch.nn, _read_activation(source, encoder.model.config, recipe))()
    settings = {"activation": type(activation).__name__}
    return wrap_encoder(
        encoder, lambda answer, mask: {"scores": activation(answer.logits).squeeze(-1)}, settings, pairs=True
    )


def _read_activation(source: Source, config: Any, recipe: Recipe) -> str:
    """As sentence-transformers: what the folder says, in its new place or an older one, else a sigmoid."""
    path = (
        read_json(source.path / "config_sentence_transformers.json").get("activation_fn")
        or (getattr(config, "sentence_transformers", None) or {}).get("activation_fn")
        or getattr(config, "sbert_ce_default_activation_function", None)
        or "torch.nn.modules.activation.Sigmoid"
    )
    name = str(path).rpartition(".")[2]
    if not str(path).startswith("torch.nn.") or name not in ACTIVATIONS:
        raise ExportError(
            f"{recipe.source}: the activation {path} is not supported. "
            f"Supported: {', '.join(ACTIVATIONS)} of torch.nn.",
            fix="set activation_fn in config_sentence_transformers.json",
        )
    return name


def _encode(sample: Mapping[str, Any], original: Original) -> Tensors:
    documents = list(sample["documents"])
    return encode_texts(original, [sample["query"]] * len(documents), documents)


TEXT_RANKING = Task(
    name="text-ranking",
    metric="score_error",
    # As a share of the scores' spread: two documents keep their order when more than twice that apart.
    thresholds={"fp32": 1e-4, "fp16": 0.005, "q8": 0.02, "q4": 0.05, "q4f16": 0.05},
    dtypes=("q8", "fp16", "fp32"),
    load=_load,
    describe=refuse_onnx("text-ranking"),
    make_inputs=lambda original, recipe: [
        {"query": query, "documents": list(documents)} for query, documents in QUESTIONS
    ],
    encode=_encode,
    refer=lambda sample, original: original.run(_encode(sample, original)),
    attach=lambda model, settings: model,
    page_settings=lambda settings, recipe: {"examples": choose_examples(recipe, EXAMPLES)},
)
