"""The text that a language model's variants are measured on, and another one that rounding may learn from.

Both are prose, dialogue, code and data, written for this. What rounding learns from is never what it is measured on.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from webgpu_kit.artifacts import Tensors
from webgpu_kit.errors import QuantizeError

if TYPE_CHECKING:
    import onnx

TextName = Literal["measured", "calibration"]
WINDOW_TOKENS, MOST_TOKENS = 512, 2560


def read_text(name: TextName) -> str:
    """One of the two texts."""
    return (Path(__file__).parent / f"{name}.txt").read_text(encoding="utf-8")


def make_windows(assets: Mapping[str, bytes], settings: Mapping[str, Any], name: TextName) -> list[Tensors]:
    """The text as feeds of a decoder's graph, each with an empty cache: `input_ids` (1, at most WINDOW_TOKENS)."""
    from tokenizers import Tokenizer

    generation = settings["generation"]
    tokenizer = Tokenizer.from_str(assets["tokenizer.json"].decode("utf-8"))
    tokenizer.no_truncation()
    ids = tokenizer.encode(read_text(name), add_special_tokens=False).ids[:MOST_TOKENS]
    width = min(WINDOW_TOKENS, generation["context_length"])
    shape = (1, generation["kv_heads"], 0, generation["head_size"])
    empty = np.zeros(shape, dtype=generation["cache_dtype"])
    layers = range(generation["layers"])
    cache = {f"past_key_values.{layer}.{part}": empty for layer in layers for part in ("key", "value")}
    windows = [np.asarray([ids[start : start + width]], dtype=np.int64) for start in range(0, len(ids), width)]
    return [{"input_ids": window, "attention_mask": np.ones_like(window), **cache} for window in windows]


def make_sentences(assets: Mapping[str, bytes], settings: Mapping[str, Any], name: TextName) -> list[Tensors]:
    """The text's lines as feeds of an encoder's graph, each a batch of one."""
    from tokenizers import Tokenizer

    tokenizer = Tokenizer.from_str(assets["tokenizer.json"].decode("utf-8"))
    tokenizer.no_padding()
    tokenizer.enable_truncation(settings.get("max_length", WINDOW_TOKENS))
    lines = [line for line in read_text(name).splitlines() if line]
    rows = [np.asarray([encoded.ids], dtype=np.int64) for encoded in tokenizer.encode_batch(lines)]
    return [{"input_ids": row, "attention_mask": np.ones_like(row)} for row in rows]


def keep_every_position(model: onnx.ModelProto) -> None:
    """Let the graph give the logits of all tokens, not of the last one alone: for measuring. Changes `model`."""
    pruning = {name: node for node in model.graph.node if "/prune/" in node.name for name in node.output}
    if not pruning:
        raise QuantizeError(
            "the graph takes no last token's hidden state out of all tokens'.",
            fix="report this with the model's name: it is a fault of webgpu-kit",
        )
    kept = [node for node in model.graph.node if "/prune/" not in node.name]
    for node in kept:
        for place, name in enumerate(node.input):
            while name in pruning:
                name = pruning[name].input[0]
            node.input[place] = name
    del model.graph.node[:]
    model.graph.node.extend(kept)
