"""The architecture `llama` in GGUF and in transformers: names, configuration, and the order of rows.

llama.cpp turns pairs of neighbouring values (0 and 1, 2 and 3, ...) of a head where transformers turns the two halves
of the head (0 and n/2, ...), so its converter reorders the rows of the query and key matrices. Here they go back.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from webgpu_kit.artifacts import Array
from webgpu_kit.errors import ExportError
from webgpu_kit.export.gguf_file import GgufFile

ARCHITECTURES = ("llama",)
EMBEDDING, HEAD = "token_embd.weight", "output.weight"
_OUTER = {
    EMBEDDING: "model.embed_tokens.weight",
    "output_norm.weight": "model.norm.weight",
    HEAD: "lm_head.weight",
}
_INNER = {
    "attn_norm": "input_layernorm",
    "attn_q": "self_attn.q_proj",
    "attn_k": "self_attn.k_proj",
    "attn_v": "self_attn.v_proj",
    "attn_output": "self_attn.o_proj",
    "ffn_norm": "post_attention_layernorm",
    "ffn_gate": "mlp.gate_proj",
    "ffn_up": "mlp.up_proj",
    "ffn_down": "mlp.down_proj",
}


def check_architecture(file: GgufFile) -> None:
    """Raise ExportError unless the file is of an architecture, and uses only parts of it, that are supported."""
    if file.architecture not in ARCHITECTURES:
        raise ExportError(
            f"{file.path}: the architecture '{file.architecture or 'none'}' is not supported in GGUF files. "
            f"Supported: {', '.join(ARCHITECTURES)}.",
            fix="give the model's Hugging Face folder",
        )
    scaling = file.metadata.get("llama.rope.scaling.type", "none")
    if scaling not in ("none", "") or "rope_freqs.weight" in file.tensors:
        raise ExportError(
            f"{file.path}: scaled rotary positions ({scaling if scaling != 'none' else 'rope_freqs'}) are not "
            "supported in GGUF files.",
            fix="give the model's Hugging Face folder",
        )
    names = {*_OUTER, *(f"blk.{layer}.{part}.weight" for layer in range(_count_layers(file)) for part in _INNER)}
    unknown, missing = sorted(set(file.tensors) - names), sorted(names - {HEAD} - set(file.tensors))
    if unknown or missing:
        what = f"has the tensor '{unknown[0]}', which no llama has" if unknown else f"lacks the tensor '{missing[0]}'"
        raise ExportError(f"{file.path}: {what}.", fix="give the model's Hugging Face folder")


def _count_layers(file: GgufFile) -> int:
    return int(file.read("block_count"))


def name_in_transformers(name: str) -> str:
    """`blk.3.attn_q.weight` -> `model.layers.3.self_attn.q_proj.weight`."""
    if name in _OUTER:
        return _OUTER[name]
    _, layer, part, _ = name.split(".")
    return f"model.layers.{layer}.{_INNER[part]}.weight"


def order_rows(file: GgufFile, name: str) -> Array | None:
    """The order in which the rows of tensor `name` stand in transformers; None where it is the same."""
    key = {"attn_q": "attention.head_count", "attn_k": "attention.head_count_kv"}.get(name.split(".")[-2])
    if key is None:
        return None
    heads = int(file.read(key, file.metadata.get("llama.attention.head_count")))
    rows = file.tensors[name].shape[0]
    return np.asarray(np.arange(rows).reshape(heads, rows // heads // 2, 2).swapaxes(1, 2).reshape(-1))


def make_config(file: GgufFile) -> dict[str, Any]:
    """What transformers' config.json says of this model."""
    heads, hidden = int(file.read("attention.head_count")), int(file.read("embedding_length"))
    return {
        "architectures": ["LlamaForCausalLM"],
        "model_type": "llama",
        "hidden_act": "silu",
        "hidden_size": hidden,
        "intermediate_size": int(file.read("feed_forward_length")),
        "num_hidden_layers": _count_layers(file),
        "num_attention_heads": heads,
        "num_key_value_heads": int(file.read("attention.head_count_kv", heads)),
        "head_dim": int(file.read("attention.key_length", hidden // heads)),
        "max_position_embeddings": int(file.read("context_length")),
        "rms_norm_eps": float(file.read("attention.layer_norm_rms_epsilon")),
        "rope_theta": float(file.read("rope.freq_base", 10000.0)),
        "vocab_size": file.tensors[EMBEDDING].shape[0],
        "tie_word_embeddings": HEAD not in file.tensors,
        "attention_bias": False,
        "mlp_bias": False,
        "bos_token_id": file.metadata.get("tokenizer.ggml.bos_token_id"),
        "eos_token_id": file.metadata.get("tokenizer.ggml.eos_token_id"),
        "pad_token_id": file.metadata.get("tokenizer.ggml.padding_token_id"),
        "dtype": "float32",
    }
