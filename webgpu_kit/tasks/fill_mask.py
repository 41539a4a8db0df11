"""fill-mask: texts with gaps in, what could stand in each gap out."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from webgpu_kit.artifacts import Run, Sample, Source, Tensors
from webgpu_kit.errors import ExportError
from webgpu_kit.recipe import Recipe
from webgpu_kit.tasks.encoder import (
    SAMPLE_TEXTS,
    choose_examples,
    describe_encoder,
    encode_texts,
    load_encoder,
    refuse_onnx,
)
from webgpu_kit.tasks.task import Original, Task, TorchModel

if TYPE_CHECKING:
    import torch

ASKED = 8  # tokens whose probability the golden records, for each gap
# The first is the page's self-test, and long for the reason that SAMPLE_TEXTS gives; its gap comes early, so that one
# that reads little has it too.
GAPS: tuple[tuple[str, ...], ...] = (
    (SAMPLE_TEXTS[0][0].replace("lighthouse", "{}"),),
    ("The capital of France is {}.",),
    ("A {} sleeps on the warm windowsill.", "She rode her {} to the lake, and the {} was cold."),
    ("{}",),
    ("Où est la {} ? Elle est près de la gare.",),
    ("for (let i = 0; i < 10; {}++) { console.log(i); }",),
    ("Pizza 🍕 and ice {} 🍨 for everyone!!!", "{} {} {}"),
    ("Photosynthesis turns light, water and carbon {} into sugar, which is why plants need the {}.",),
    ("日本語の{}もトークンになります。", "Ein kurzer {} Satz."),
)
EXAMPLES = (
    {"text": ["The capital of France is {}."]},
    {"text": ["She opened the {} and looked out at the sea."]},
    {"text": ["A {} a day keeps the {} away."]},
)


def _load(source: Source, recipe: Recipe) -> TorchModel:
    """A masked language model that computes its head for the gaps alone: `probabilities` is (gaps, vocabulary).

    `mask_positions` says where they are in the batch, row after row.
    """
    import torch

    encoder = load_encoder(source, recipe, "AutoModelForMaskedLM")
    model, tokenizer = encoder.model, encoder.tokenizer
    lacking = "mask token" if tokenizer.mask_token_id is None else "output embeddings"
    if tokenizer.mask_token_id is None or model.get_output_embeddings() is None:
        raise ExportError(
            f"{recipe.source}: it has no {lacking}.",
            fix="give a masked language model, or --task feature-extraction for its embeddings",
        )
    places: list[torch.Tensor] = []
    projection = model.get_output_embeddings()

    class Picked(torch.nn.Module):  # type: ignore[misc]  # mypy does not read torch
        """The projection to the vocabulary, of the asked rows only: it is the dearest product by far."""

        def __init__(self) -> None:
            super().__init__()
            self.projection, self.weight, self.bias = projection, projection.weight, projection.bias

        def forward(self, states: torch.Tensor) -> torch.Tensor:
            return self.projection(states.flatten(0, 1).index_select(0, places[-1]))

    class Filler(torch.nn.Module):  # type: ignore[misc]  # mypy does not read torch
        def __init__(self) -> None:
            super().__init__()
            self.model, self.config = model, model.config

        def forward(
            self, input_ids: torch.Tensor, attention_mask: torch.Tensor, mask_positions: torch.Tensor
        ) -> dict[str, torch.Tensor]:
            places[:] = [mask_positions]
            logits = self.model(input_ids=input_ids, attention_mask=attention_mask).logits
            return {"probabilities": logits.softmax(-1)}

    model.set_output_embeddings(Picked())
    masks = torch.export.Dim("masks", min=1)
    settings = {
        "mask_token": tokenizer.mask_token,
        "mask_id": tokenizer.mask_token_id,
        "pad_id": tokenizer.pad_token_id,
    }
    return describe_encoder(
        encoder, Filler().eval(), settings, more={"mask_positions": (torch.tensor([1, 2, 3]), {0: masks})}
    )


def _make_inputs(original: Original, recipe: Recipe) -> list[dict[str, Any]]:
    """The sample texts; `ask` are the tokens that the original finds likeliest in each gap, int32 (gaps, ASKED)."""
    inputs: list[dict[str, Any]] = []
    for texts in GAPS:
        text = [gap.replace("{}", original.settings["mask_token"]) for gap in texts]
        probabilities = original.run(_encode({"text": text}, original))["probabilities"]
        ask = np.argsort(-probabilities, axis=-1, kind="stable")[:, :ASKED].astype(np.int32)
        inputs.append({"text": text, "ask": ask})
    return inputs


def _encode(sample: Mapping[str, Any], original: Original) -> Tensors:
    feeds = encode_texts(original, sample["text"])
    places = np.flatnonzero(feeds["input_ids"] == original.settings["mask_id"]).astype(np.int64)
    return feeds | {"mask_positions": places}


def _pick(outputs: Tensors, sample: Mapping[str, Any]) -> Tensors:
    return {"probabilities": np.take_along_axis(outputs["probabilities"], sample["ask"].astype(np.int64), axis=-1)}


def _refer(sample: Mapping[str, Any], original: Original) -> Tensors:
    return _pick(original.run(_encode(sample, original)), sample)


def _respond(run: Run, sample: Sample, settings: Mapping[str, Any]) -> Tensors:
    return _pick(run(sample.feeds), sample.input)


def _page_settings(settings: Mapping[str, Any], recipe: Recipe) -> dict[str, Any]:
    default = [
        {"text": [text.replace("{}", settings["mask_token"]) for text in example["text"]]} for example in EXAMPLES
    ]
    return {"mask_token": settings["mask_token"], "examples": choose_examples(recipe, default)}


FILL_MASK = Task(
    name="fill-mask",
    metric="probability_error",
    # The page shows per cents of the likeliest tokens; two of them keep their order when more than twice the error
    # apart. The golden asks for the original's eight likeliest in each gap.
    thresholds={"fp32": 1e-4, "fp16": 0.005, "q8": 0.02, "q4": 0.05, "q4f16": 0.05},
    dtypes=("q8", "fp16", "fp32"),
    load=_load,
    describe=refuse_onnx("fill-mask"),
    make_inputs=_make_inputs,
    encode=_encode,
    refer=_refer,
    respond=_respond,
    attach=lambda model, settings: model,
    page_settings=_page_settings,
)
