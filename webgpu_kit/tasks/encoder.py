"""What the tasks of encoders share: loading, the maximum length, the tokenizer's files, and texts as feeds."""

from __future__ import annotations

import inspect
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from webgpu_kit.artifacts import Source, Tensors
from webgpu_kit.errors import ExportError
from webgpu_kit.manifest import Interface
from webgpu_kit.recipe import Recipe
from webgpu_kit.tasks.page_tokenizer import write_page_tokenizer
from webgpu_kit.tasks.task import LOAD, Original, TorchModel

if TYPE_CHECKING:
    import torch

FAR = 10**6  # tokens: transformers' tokenizers that know no maximum length say 10**30
Finish = Callable[[Any, Any], dict[str, Any]]

# Short and long, one and several at a time (padding), accents, emoji, code, and an empty string. The first is the
# page's self-test: it is long, because GPUs compute attention with another kernel from 32 tokens on.
SAMPLE_TEXTS: tuple[tuple[str, ...], ...] = (
    (
        "The old lighthouse keeper climbed the narrow stairs every evening, lit the great lamp, wrote the weather into "
        "his book, and watched the fishing boats come home around the rocks until the last of them lay in the harbour.",
    ),
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


@dataclass(frozen=True)
class Encoder:
    """A loaded model with its fast tokenizer; `max_length` is in tokens, special ones included."""

    model: Any
    tokenizer: Any
    max_length: int


def load_encoder(source: Source, recipe: Recipe, auto_class: str) -> Encoder:
    """Load the folder with transformers' `auto_class`. Raises ExportError where the tokenizer is not a fast one."""
    import transformers

    model = getattr(transformers, auto_class).from_pretrained(source.path, **LOAD).eval()
    tokenizer = transformers.AutoTokenizer.from_pretrained(source.path, local_files_only=True, trust_remote_code=False)
    if not getattr(tokenizer, "is_fast", False):
        raise ExportError(
            f"{recipe.source}: no tokenizer.json, which the page needs.",
            fix="save the tokenizer with transformers' fast class",
        )
    return Encoder(model, tokenizer, _read_max_length(source.path, model, tokenizer))


def wrap_encoder(
    encoder: Encoder, finish: Finish, settings: Mapping[str, Any], *, pairs: bool = False, module: Any = None
) -> TorchModel:
    """The encoder ready for export: `finish` makes the named outputs of the model's answer and the attention mask.

    With `pairs` the graph also takes token_type_ids, where the model tells the two texts of a pair apart by them.
    `module` replaces the model where the task needs another (a head beside it).
    """
    import torch

    core = encoder.model if module is None else module

    class Wrapped(torch.nn.Module):  # type: ignore[misc]  # mypy does not read torch
        def __init__(self) -> None:
            super().__init__()
            self.model, self.config = core, encoder.model.config

        def forward(
            self, input_ids: torch.Tensor, attention_mask: torch.Tensor, token_type_ids: torch.Tensor | None = None
        ) -> dict[str, torch.Tensor]:
            types = {} if token_type_ids is None else {"token_type_ids": token_type_ids}
            return finish(self.model(input_ids=input_ids, attention_mask=attention_mask, **types), attention_mask)

    return describe_encoder(encoder, Wrapped().eval(), settings, pairs=pairs)


def describe_encoder(
    encoder: Encoder, module: Any, settings: Mapping[str, Any], *, pairs: bool = False, more: Mapping[str, Any] = {}
) -> TorchModel:
    """What the exporter needs beside `module`: an example, dynamic axes, files. `more` maps an input to its example
    and its axes."""
    import torch

    tokenizer = encoder.tokenizer
    second = ["the second text of it", "and its own"] if pairs else None
    encoded = tokenizer(["one sentence to trace with", "and another"], second, padding=True, return_tensors="pt")
    names = ["input_ids", "attention_mask"]
    if pairs and _takes_types(encoder):
        names.append("token_type_ids")
    batch = torch.export.Dim("batch", min=1)
    sequence = torch.export.Dim("sequence", min=1, max=encoder.max_length)
    shapes: dict[str, Any] = {name: {0: batch, 1: sequence} for name in names}
    return TorchModel(
        module=module,
        example={name: encoded[name] for name in names} | {name: example for name, (example, _) in more.items()},
        dynamic_shapes=shapes | {name: axes for name, (_, axes) in more.items()},
        assets=_write_tokenizer(tokenizer),
        settings={"max_length": encoder.max_length, **settings},
        tokenizer=tokenizer,
    )


def _takes_types(encoder: Encoder) -> bool:
    return (
        "token_type_ids" in encoder.tokenizer.model_input_names
        and "token_type_ids" in inspect.signature(encoder.model.forward).parameters
        and getattr(encoder.model.config, "type_vocab_size", 2) > 1
    )


def read_json(path: Path) -> Any:
    """The JSON file at `path`, an empty object where there is none."""
    return json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}


def _read_max_length(folder: Path, model: Any, tokenizer: Any) -> int:
    limits = [
        read_json(folder / "sentence_bert_config.json").get("max_seq_length"),
        tokenizer.model_max_length if tokenizer.model_max_length < FAR else None,
        _count_positions(model),
    ]
    return int(min((limit for limit in limits if limit), default=512))


def _count_positions(model: Any) -> int | None:
    """How many tokens the position embeddings reach: RoBERTa's begin behind the padding's own."""
    for name, module in model.named_modules():
        if name.endswith("position_embeddings") and getattr(module, "padding_idx", None) is not None:
            return int(module.num_embeddings - module.padding_idx - 1)
    limit = getattr(model.config, "max_position_embeddings", None)
    return int(limit) if limit and limit > 0 else None


def _write_tokenizer(tokenizer: Any) -> dict[str, bytes]:
    """The tokenizer as it runs here: transformers may have mended what the folder's own tokenizer.json says."""
    # Only what the page's tokenizer reads: old keys of the folder would be applied there on top of tokenizer.json.
    config = {
        **{name: str(token) for name, token in tokenizer.special_tokens_map.items() if isinstance(token, str)},
        "additional_special_tokens": tokenizer.all_special_tokens,
        "padding_side": tokenizer.padding_side,
        "truncation_side": tokenizer.truncation_side,
        "clean_up_tokenization_spaces": bool(getattr(tokenizer, "clean_up_tokenization_spaces", False)),
    }
    return {
        "tokenizer.json": write_page_tokenizer(tokenizer.backend_tokenizer, tokenizer.name_or_path),
        "tokenizer_config.json": json.dumps(config, sort_keys=True).encode(),
    }


def refuse_onnx(task: str) -> Callable[[Interface, Recipe], dict[str, Any]]:
    """For tasks that need a tokenizer beside the graph."""

    def describe(interface: Interface, recipe: Recipe) -> dict[str, Any]:
        raise ExportError(
            f"{recipe.where}: {task} needs a Hugging Face folder with its tokenizer, not an .onnx file.",
            fix="give the folder or org/name, or use --task tensor",
        )

    return describe


def encode_texts(
    original: Original, texts: Sequence[str], pairs: Sequence[str] | None = None, truncation: str = "longest_first"
) -> Tensors:
    """Texts (or pairs of texts) as one padded batch of what the graph takes, int64 (batch, sequence)."""
    encoded = original.tokenizer(
        list(texts),
        list(pairs) if pairs is not None else None,
        padding=True,
        truncation=truncation,
        max_length=original.settings["max_length"],
        return_tensors="np",
    )
    names = {spec.name for spec in original.interface.inputs}
    return {name: value.astype("int64") for name, value in encoded.items() if name in names}


def make_text_inputs(original: Original, recipe: Recipe) -> list[dict[str, Any]]:
    """The sample texts, as every task takes them whose input is `{text: [...]}`."""
    return [{"text": list(texts)} for texts in SAMPLE_TEXTS]


def encode_text_input(sample: Mapping[str, Any], original: Original) -> Tensors:
    """`{text: [...]}` as feeds."""
    return encode_texts(original, sample["text"])


def refer_text_input(sample: Mapping[str, Any], original: Original) -> Tensors:
    """`{text: [...]}` through the original model."""
    return original.run(encode_text_input(sample, original))


def choose_examples(recipe: Recipe, default: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """The recipe's examples, else the task's own: inputs as `kit.run` takes them, which the page offers."""
    return [dict(example) for example in recipe.page.examples or default]
