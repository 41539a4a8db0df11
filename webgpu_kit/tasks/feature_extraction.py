"""feature-extraction: sentences in, one normalized embedding each out."""

from __future__ import annotations

from webgpu_kit.artifacts import Source
from webgpu_kit.recipe import Recipe
from webgpu_kit.tasks.encoder import (
    encode_text_input,
    make_text_inputs,
    refer_text_input,
    refuse_onnx,
    wrap_encoder,
)
from webgpu_kit.tasks.pooling import load_embedder
from webgpu_kit.tasks.task import Task, TorchModel


def _load(source: Source, recipe: Recipe) -> TorchModel:
    """The encoder with its pooling and normalization inside, so that the graph ends with the embedding."""
    encoder, pool, pooling = load_embedder(source, recipe)
    settings = {"pooling": pooling, "dimensions": encoder.model.config.hidden_size}
    return wrap_encoder(encoder, lambda answer, mask: {"embedding": pool(answer, mask)}, settings)


FEATURE_EXTRACTION = Task(
    name="feature-extraction",
    metric="cosine_distance",
    # A distance d moves a similarity by about sqrt(2 d / dimensions) when the error points anywhere: 0.02 is one
    # point on the 100-point scale that the page shows (384 dimensions). fp32 and fp16 must not be seen at all.
    thresholds={"fp32": 1e-5, "fp16": 1e-3, "q8": 0.005, "q4": 0.02, "q4f16": 0.02},
    dtypes=("q8", "fp16", "fp32"),
    load=_load,
    describe=refuse_onnx("feature-extraction"),
    make_inputs=make_text_inputs,
    encode=encode_text_input,
    refer=refer_text_input,
    attach=lambda model, settings: model,
    page_settings=lambda settings, recipe: {"sentences": recipe.page.sentences},
)
