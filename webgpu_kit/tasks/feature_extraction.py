"""feature-extraction: sentences in, one normalized embedding each out."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from webgpu_kit.artifacts import Source, Tensors
from webgpu_kit.errors import ExportError
from webgpu_kit.manifest import Interface
from webgpu_kit.recipe import Recipe
from webgpu_kit.tasks.task import LOAD, Original, Task, TorchModel

# Short and long, one and several at a time (padding), accents, emoji, code, and an empty string.
SAMPLE_TEXTS: tuple[tuple[str, ...], ...] = (
    ("A cat sleeps on the warm windowsill.",),
    ("The kitten is napping in the sun.", "Stock markets fell sharply on Tuesday."),
    ("Où est la bibliothèque ? Elle est près de la gare.",),
    ("for (let i = 0; i < 10; i++) { console.log(i); }",),
    ("Pizza 🍕 and ice cream 🍨 for everyone!!!", "ok", "She bought a new bicycle and rode it to the lake."),
    ("",),
    ("Photosynthesis turns light, water and carbon dioxide into sugar and oxygen, which is why plants need the sun.",),
    ("HTTP 404: the page you were looking for was not found, but the server itself is running as it should.",),
    ("日本語の文章もトークンになります。", "Ein kurzer deutscher Satz."),
)


def _load(source: Source, recipe: Recipe) -> TorchModel:
    """The encoder with its pooling and normalization inside, so that the graph ends with the embedding.

    Pooling and normalization are read from the sentence-transformers files of the folder (`modules.json`,
    `1_Pooling/config.json`); a folder without them gets mean pooling and normalization.
    """
    import torch
    from transformers import AutoModel, AutoTokenizer

    model = AutoModel.from_pretrained(source.path, **LOAD).eval()
    tokenizer = AutoTokenizer.from_pretrained(source.path, local_files_only=True, trust_remote_code=False)
    if not getattr(tokenizer, "is_fast", False):
        raise ExportError(
            f"{recipe.source}: no tokenizer.json, which the page needs.",
            fix="save the tokenizer with transformers' fast class",
        )
    pooling, max_length = _read_pooling(source.path, recipe), _read_max_length(source.path, model, tokenizer)

    class Embedder(torch.nn.Module):  # type: ignore[misc]  # mypy does not read torch
        def __init__(self) -> None:
            super().__init__()
            self.model, self.config = model, model.config

        def forward(self, input_ids: torch.Tensor, attention_mask: torch.Tensor) -> dict[str, torch.Tensor]:
            states = self.model(input_ids=input_ids, attention_mask=attention_mask).last_hidden_state
            if pooling == "cls":
                pooled = states[:, 0]
            else:
                weights = attention_mask.unsqueeze(-1).to(states.dtype)
                pooled = (states * weights).sum(1) / weights.sum(1).clamp(min=1e-9)
            return {"embedding": torch.nn.functional.normalize(pooled)}

    encoded = tokenizer(["one sentence to trace with", "and another"], padding=True, return_tensors="pt")
    batch, sequence = torch.export.Dim("batch", min=1), torch.export.Dim("sequence", min=1, max=max_length)
    axes = {0: batch, 1: sequence}
    return TorchModel(
        module=Embedder().eval(),
        example={"input_ids": encoded["input_ids"], "attention_mask": encoded["attention_mask"]},
        dynamic_shapes={"input_ids": axes, "attention_mask": axes},
        assets=_read_tokenizer(source.path, tokenizer),
        settings={"max_length": max_length, "pooling": pooling, "dimensions": model.config.hidden_size},
        tokenizer=tokenizer,
    )


def _read_json(path: Path) -> Any:
    return json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}


def _read_pooling(folder: Path, recipe: Recipe) -> str:
    settings = _read_json(folder / "1_Pooling" / "config.json")
    modes = [
        key.removeprefix("pooling_mode_")
        for key, value in settings.items()
        if key.startswith("pooling_mode_") and value
    ]
    mode = (
        {"cls_token": "cls", "mean_tokens": "mean"}.get(modes[0], modes[0])
        if modes
        else settings.get("pooling_mode", "mean")
    )
    if mode not in ("cls", "mean") or len(modes) > 1:
        raise ExportError(
            f"{recipe.source}: pooling {modes or mode} is not supported. Supported: mean, cls.",
            fix="use a model with mean or cls pooling",
        )
    return str(mode)


def _read_max_length(folder: Path, model: Any, tokenizer: Any) -> int:
    limits = [
        _read_json(folder / "sentence_bert_config.json").get("max_seq_length"),
        tokenizer.model_max_length,
        getattr(model.config, "max_position_embeddings", None),
    ]
    return int(min(limit for limit in limits if limit))


def _read_tokenizer(folder: Path, tokenizer: Any) -> dict[str, bytes]:
    saved, config = folder / "tokenizer.json", folder / "tokenizer_config.json"
    return {
        "tokenizer.json": saved.read_bytes() if saved.is_file() else tokenizer.backend_tokenizer.to_str().encode(),
        "tokenizer_config.json": config.read_bytes() if config.is_file() else b"{}",
    }


def _describe(interface: Interface, recipe: Recipe) -> dict[str, Any]:
    raise ExportError(
        f"{recipe.where}: feature-extraction needs a Hugging Face folder with its tokenizer, not an .onnx file.",
        fix="give the folder or org/name, or use --task tensor",
    )


def _make_inputs(original: Original, recipe: Recipe) -> list[dict[str, Any]]:
    return [{"text": list(texts)} for texts in SAMPLE_TEXTS]


def _encode(sample: Mapping[str, Any], original: Original) -> Tensors:
    encoded = original.tokenizer(
        list(sample["text"]),
        padding=True,
        truncation=True,
        max_length=original.settings["max_length"],
        return_tensors="np",
    )
    return {name: encoded[name].astype("int64") for name in ("input_ids", "attention_mask")}


def _refer(sample: Mapping[str, Any], original: Original) -> Tensors:
    return original.run(_encode(sample, original))


FEATURE_EXTRACTION = Task(
    name="feature-extraction",
    metric="cosine_distance",
    # A distance d moves a similarity by about sqrt(2 d / dimensions) when the error points anywhere: 0.02 is one
    # point on the 100-point scale that the page shows (384 dimensions). fp32 and fp16 must not be seen at all.
    thresholds={"fp32": 1e-5, "fp16": 1e-3, "q8": 0.005, "q4": 0.02, "q4f16": 0.02},
    dtypes=("q8", "fp16", "fp32"),
    load=_load,
    describe=_describe,
    make_inputs=_make_inputs,
    encode=_encode,
    refer=_refer,
    attach=lambda model, settings: model,
    page_settings=lambda settings, recipe: {"sentences": recipe.page.sentences},
)
