"""From an encoder's states to one embedding a text, as sentence-transformers' files describe it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from webgpu_kit.artifacts import Source
from webgpu_kit.errors import ExportError
from webgpu_kit.recipe import Recipe
from webgpu_kit.tasks.encoder import Encoder, load_encoder, read_json

if TYPE_CHECKING:
    import torch

SHORTEST = 1e-12  # an embedding is divided by its length, or by this


def load_embedder(source: Source, recipe: Recipe) -> tuple[Encoder, Any, str]:
    """The encoder, `pool(answer, attention_mask)` -> normalized embeddings (batch, dimensions), and the pooling's name.

    Read from the sentence-transformers files of the folder (`modules.json`, `1_Pooling/config.json`); a folder without
    them gets mean pooling and normalization. Raises ExportError for another pooling.
    """
    encoder, pooling = load_encoder(source, recipe, "AutoModel"), _read_pooling(source.path, recipe)

    def pool(answer: Any, attention_mask: torch.Tensor) -> torch.Tensor:
        states = answer.last_hidden_state
        if pooling == "cls":
            pooled = states[:, 0]
        else:
            # One product. The mean's length is lost in normalizing: what divides here only keeps float16 from overflow.
            shares = attention_mask.to(states.dtype) / states.shape[1]
            pooled = (shares.unsqueeze(1) @ states).squeeze(1)
        length: torch.Tensor = pooled.norm(dim=-1, keepdim=True).clamp(min=SHORTEST)
        return pooled / length

    return encoder, pool, pooling


def _read_pooling(folder: Path, recipe: Recipe) -> str:
    settings = read_json(folder / "1_Pooling" / "config.json")
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
