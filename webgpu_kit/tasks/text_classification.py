"""text-classification: texts in, a score for every label of each out; all labels at once, or one of them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from webgpu_kit.artifacts import Source
from webgpu_kit.errors import RecipeError, first_line
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
from webgpu_kit.tasks.pooling import load_embedder
from webgpu_kit.tasks.task import Task, TorchModel

if TYPE_CHECKING:
    import torch

EXAMPLES = (
    {"text": ["The room was clean, quiet and full of light."]},
    {"text": ["I waited an hour, and then the soup was cold."]},
    {"text": ["It does what it says, but the battery is gone by noon."]},
)


def _load(source: Source, recipe: Recipe) -> TorchModel:
    """A classifier with its activation inside, so that the graph ends with the scores."""
    if recipe.head is not None:
        return _load_head(source, recipe)
    encoder = load_encoder(source, recipe, "AutoModelForSequenceClassification")
    config = encoder.model.config
    activate = _choose_activation(config)
    labels = recipe.labels or [config.id2label[index] for index in range(config.num_labels)]
    check_labels(labels, config.num_labels, recipe)
    return wrap_encoder(encoder, lambda answer, mask: {"scores": activate(answer.logits)}, {"labels": labels})


def check_labels(labels: list[str], count: int, recipe: Recipe) -> None:
    """Raise RecipeError unless there is one label for each of the model's `count` classes."""
    if len(labels) != count:
        raise RecipeError(
            f"{recipe.where}: {len(labels)} labels for {count} classes.",
            fix=f"give `labels` with exactly {count} names",
        )


def _choose_activation(config: Any) -> Any:
    """What transformers' pipeline does with the logits, by the model's config."""
    import torch

    if config.problem_type == "regression":
        return torch.nn.Identity()
    if config.problem_type == "multi_label_classification" or config.num_labels == 1:
        return torch.sigmoid
    return lambda logits: torch.softmax(logits, -1)


def _load_head(source: Source, recipe: Recipe) -> TorchModel:
    """The source's embeddings with the recipe's own linear layer behind them."""
    encoder, pool, pooling = load_embedder(source, recipe)
    weight, bias = _read_head(recipe, encoder.model.config.hidden_size)
    labels = recipe.labels or []
    check_labels(labels, len(bias), recipe)

    def finish(answer: Any, mask: torch.Tensor) -> dict[str, torch.Tensor]:
        return {"scores": (pool(answer, mask) @ weight.T + bias).softmax(-1)}

    return wrap_encoder(encoder, finish, {"labels": labels, "pooling": pooling})


def _read_head(recipe: Recipe, dimensions: int) -> tuple[torch.Tensor, torch.Tensor]:
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    path = recipe.folder / str(recipe.head)
    try:
        tensors = load_file(path)
        weight, bias = tensors["weight"], tensors["bias"]
    except (OSError, KeyError, SafetensorError) as error:
        raise RecipeError(
            f"{path}: the head cannot be read: {type(error).__name__} {first_line(error)}",
            fix="give a safetensors file with the tensors weight (labels, dimensions) and bias (labels,)",
        ) from error
    if weight.ndim != 2 or weight.shape != (*bias.shape, dimensions):
        raise RecipeError(
            f"{path}: weight is {list(weight.shape)} and bias {list(bias.shape)}, the source's embeddings have "
            f"{dimensions} dimensions.",
            fix="train the head on this source's embeddings",
        )
    return weight, bias


def _page_settings(settings: Any, recipe: Recipe) -> dict[str, Any]:
    return {"labels": settings["labels"], "examples": choose_examples(recipe, EXAMPLES)}


TEXT_CLASSIFICATION = Task(
    name="text-classification",
    metric="probability_error",
    # The page shows per cents. Two labels keep their order when they are more than twice the error apart, so 0.02
    # can turn an answer only where the model itself was undecided (48 to 52). fp32 and fp16 must not be seen at all.
    thresholds={"fp32": 1e-4, "fp16": 0.005, "q8": 0.02, "q4": 0.05, "q4f16": 0.05},
    dtypes=("q8", "fp16", "fp32"),
    load=_load,
    describe=refuse_onnx("text-classification"),
    make_inputs=make_text_inputs,
    encode=encode_text_input,
    refer=refer_text_input,
    attach=lambda model, settings: model,
    page_settings=_page_settings,
)
