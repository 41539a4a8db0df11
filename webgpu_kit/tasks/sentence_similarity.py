"""sentence-similarity: one sentence and others in, the cosine of their embeddings out."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from webgpu_kit.artifacts import Run, Sample, Source, Tensors
from webgpu_kit.recipe import Recipe
from webgpu_kit.tasks.encoder import SAMPLE_TEXTS, choose_examples, encode_texts, refuse_onnx, wrap_encoder
from webgpu_kit.tasks.pooling import load_embedder
from webgpu_kit.tasks.task import Original, Task, TorchModel

EXAMPLES = (
    {
        "source_sentence": "How do I reset my password?",
        "sentences": [
            "I can't log in to my account.",
            "Where can I change my password?",
            "The train to Vienna leaves at nine.",
        ],
    },
)


def _load(source: Source, recipe: Recipe) -> TorchModel:
    encoder, pool, pooling = load_embedder(source, recipe)
    return wrap_encoder(encoder, lambda answer, mask: {"embedding": pool(answer, mask)}, {"pooling": pooling})


def _make_inputs(original: Original, recipe: Recipe) -> list[dict[str, Any]]:
    """Each group of sample texts against the first sentence of all."""
    first = SAMPLE_TEXTS[0][0]
    return [{"source_sentence": first, "sentences": list(texts)} for texts in SAMPLE_TEXTS]


def _encode(sample: Mapping[str, Any], original: Original) -> Tensors:
    return encode_texts(original, [sample["source_sentence"], *sample["sentences"]])


def _compare(outputs: Tensors) -> Tensors:
    embedding = outputs["embedding"].astype("float64")  # normalized: the product is the cosine
    return {"scores": (embedding[1:] @ embedding[0]).astype("float32")}


def _refer(sample: Mapping[str, Any], original: Original) -> Tensors:
    return _compare(original.run(_encode(sample, original)))


def _respond(run: Run, sample: Sample, settings: Mapping[str, Any]) -> Tensors:
    return _compare(run(sample.feeds))


SENTENCE_SIMILARITY = Task(
    name="sentence-similarity",
    metric="score_error",
    # The page shows a 100-point scale: fp32 and fp16 must not be seen, 0.01 is one point.
    thresholds={"fp32": 1e-4, "fp16": 0.002, "q8": 0.01, "q4": 0.03, "q4f16": 0.03},
    dtypes=("q8", "fp16", "fp32"),
    load=_load,
    describe=refuse_onnx("sentence-similarity"),
    make_inputs=_make_inputs,
    encode=_encode,
    refer=_refer,
    respond=_respond,
    attach=lambda model, settings: model,
    page_settings=lambda settings, recipe: {"examples": choose_examples(recipe, EXAMPLES)},
)
