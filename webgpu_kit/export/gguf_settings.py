"""What a GGUF file's architecture has beyond a llama, in transformers' words: windows, caps, layers that do not turn.

Much of it is no metadata but llama.cpp's code: which layers have windows, and of Gemma's largest models how attention
is scaled.
"""

from __future__ import annotations

from typing import Any

from webgpu_kit.export.gguf_file import GgufFile

# Every so many layers there is one that sees everything; the others have windows.
FULL_LAYERS = {"gemma2": 2, "gemma3": 6}
# Layers of the models that scale attention by the width of all heads together, not by a head's own.
SCALED_BY_WIDTH = {"gemma2": 46, "gemma3": 62}
TURNLESS_LAYERS = 4  # of SmolLM3: every fourth layer does not turn positions


def read_settings(file: GgufFile) -> dict[str, Any]:
    """Settings of config.json that stand beside, or in the place of, those of a llama."""
    if file.architecture == "smollm3":
        return {"no_rope_layer_interval": TURNLESS_LAYERS}
    if file.architecture == "phi3":
        return _read_phi(file)
    if file.architecture.startswith("gemma"):
        return _read_gemma(file)
    return {}


def _read_phi(file: GgufFile) -> dict[str, Any]:
    size = int(file.read("embedding_length")) // int(file.read("attention.head_count"))
    length = int(file.read("context_length"))
    return {
        "sliding_window": int(file.read("attention.sliding_window", 0)) or None,
        "partial_rotary_factor": int(file.read("rope.dimension_count", size)) / size,
        "original_max_position_embeddings": int(file.read("rope.scaling.original_context_length", length)),
    }


def _read_gemma(file: GgufFile) -> dict[str, Any]:
    settings: dict[str, Any] = {"hidden_act": "gelu_pytorch_tanh", "hidden_activation": "gelu_pytorch_tanh"}
    every = FULL_LAYERS.get(file.architecture)
    if every is None:
        return settings
    layers, hidden = int(file.read("block_count")), int(file.read("embedding_length"))
    heads = int(file.read("attention.head_count"))
    by_width = layers == SCALED_BY_WIDTH[file.architecture]
    caps = ("attn_logit_softcapping", "final_logit_softcapping")
    return {
        **settings,
        **{cap: file.metadata.get(f"{file.architecture}.{cap}") for cap in caps},
        "sliding_window": int(file.read("attention.sliding_window")),
        "layer_types": ["sliding_attention" if (layer + 1) % every else "full_attention" for layer in range(layers)],
        "query_pre_attn_scalar": hidden // heads if by_width else int(file.read("attention.key_length")),
    }
