"""Seeded models of every architecture of GGUF files: by transformers, and as llama.cpp's converter writes them.

The names and the changes of values are spelled out here once more, so that a test holds ours against them.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import gguf
import numpy as np
from tiny_language_model import MERGES, SPECIAL, TEMPLATE, vocabulary

Array = np.ndarray[Any, np.dtype[Any]]
HIDDEN, HEADS, KV_HEADS, HEAD, FEED_FORWARD, CONTEXT = 256, 4, 2, 64, 512, 512
FIELDS = {"d": {"Q2_K": 80, "Q3_K": 108, "Q6_K": 208}, "dmin": {"Q2_K": 82, "Q4_K": 2, "Q5_K": 2}}  # byte in the block
LEAST = {"Q2_K": 1.5, "Q4_K": 7.5, "Q5_K": 15.5}  # dmin over d: the middle of what q may be, so that values are even
OUTER = {"embed_tokens": "token_embd", "norm": "output_norm", "lm_head": "output"}
# What Gemma 2 and 3 name otherwise: they have normalizations on both sides.
BOTH_SIDES = {
    "post_attention_layernorm": "post_attention_norm",
    "pre_feedforward_layernorm": "ffn_norm",
    "post_feedforward_layernorm": "post_ffw_norm",
}
WINDOW = 8
INNER = {
    "self_attn.qkv_proj": "attn_qkv",
    "mlp.gate_up_proj": "ffn_up",
    "self_attn.q_proj": "attn_q",
    "self_attn.k_proj": "attn_k",
    "self_attn.v_proj": "attn_v",
    "self_attn.o_proj": "attn_output",
    "self_attn.q_norm": "attn_q_norm",
    "self_attn.k_norm": "attn_k_norm",
    "mlp.gate_proj": "ffn_gate",
    "mlp.up_proj": "ffn_up",
    "mlp.down_proj": "ffn_down",
    "input_layernorm": "attn_norm",
    "post_attention_layernorm": "ffn_norm",
}
SETTINGS: dict[str, dict[str, Any]] = {
    "llama": {},
    "llama3": {
        "rope_parameters": {
            "rope_type": "llama3",
            "rope_theta": 500000.0,
            "factor": 32.0,
            "low_freq_factor": 1.0,
            "high_freq_factor": 4.0,
            "original_max_position_embeddings": 8192,
        },
    },
    "qwen2": {"rope_parameters": {"rope_type": "default", "rope_theta": 1000000.0}, "tie_word_embeddings": True},
    "qwen2-yarn": {
        "rope_parameters": {
            "rope_type": "yarn",
            "rope_theta": 1000000.0,
            "factor": 4.0,
            "original_max_position_embeddings": 128,
        },
    },
    "gemma": {"head_dim": HEAD, "tie_word_embeddings": True},
    "gemma2": {
        "head_dim": HEAD,
        "tie_word_embeddings": True,
        "sliding_window": WINDOW,
        "query_pre_attn_scalar": HEAD,
    },
    "gemma3": {
        "head_dim": HEAD,
        "num_hidden_layers": 6,
        "tie_word_embeddings": True,
        "sliding_window": WINDOW,
        "query_pre_attn_scalar": HEAD,
        "rope_parameters": {
            "full_attention": {"rope_type": "linear", "rope_theta": 1000000.0, "factor": 8.0},
            "sliding_attention": {"rope_type": "default", "rope_theta": 10000.0},
        },
    },
    "phi3": {"sliding_window": WINDOW, "original_max_position_embeddings": CONTEXT},
    "phi3-long": {
        "sliding_window": None,
        "max_position_embeddings": 2 * CONTEXT,
        "original_max_position_embeddings": CONTEXT,
        "rope_parameters": {
            "rope_type": "longrope",
            "rope_theta": 10000.0,
            "partial_rotary_factor": 0.75,
            "original_max_position_embeddings": CONTEXT,
            "short_factor": [1 + place / 16 for place in range(24)],
            "long_factor": [1 + place / 4 for place in range(24)],
        },
    },
    "smollm3": {"num_hidden_layers": 4, "no_rope_layer_interval": 4, "tie_word_embeddings": True},
    "qwen3": {"head_dim": 128, "rope_parameters": {"rope_type": "default", "rope_theta": 1000000.0}},
}


# As Gemma's SentencePiece vocabularies begin.
PIECES = [
    *("<pad>", "<eos>", "<bos>", "<unk>", "<mask>"),
    *(f"<0x{byte:02X}>" for byte in range(256)),
    "\u2581",
    "a",
    "e",
    "\u2581a",
]


def list_tokens(family: str) -> list[str]:
    """The vocabulary of a family's file."""
    return PIECES if family.startswith("gemma") else vocabulary()


def _name_architecture(family: str) -> str:
    return {"llama3": "llama"}.get(family, family.split("-")[0])


def make_model(family: str) -> Any:
    """A seeded model of `family`, a key of SETTINGS, as transformers builds it."""
    import torch
    from transformers import AutoConfig, AutoModelForCausalLM

    settings = {
        "vocab_size": len(list_tokens(family)),
        "hidden_size": HIDDEN,
        "intermediate_size": FEED_FORWARD,
        "num_hidden_layers": 2,
        "num_attention_heads": HEADS,
        "num_key_value_heads": KV_HEADS,
        "max_position_embeddings": CONTEXT,
        "tie_word_embeddings": False,
        "initializer_range": 0.1,
        "bos_token_id": 1,
        "eos_token_id": 2,
        "pad_token_id": None,
        **SETTINGS[family],
    }
    torch.manual_seed(5)
    kind = {"gemma3": "gemma3_text"}.get(family, _name_architecture(family))
    config = AutoConfig.for_model(kind, **settings)
    model = AutoModelForCausalLM.from_config(config).eval()
    with torch.no_grad():
        for name, value in model.named_parameters():
            if "norm" in name or name.endswith("bias"):
                value.add_(0.3 * torch.randn_like(value))
    return model


def name_in_file(name: str, family: str = "") -> str:
    """llama.cpp's name of transformers' parameter `name`."""
    *place, part, suffix = name.split(".")
    if "layers" not in place:
        return f"{OUTER[part]}.{suffix}"
    inner = INNER | (BOTH_SIDES if family in ("gemma2", "gemma3") else {})
    return f"blk.{place[2]}.{inner['.'.join([*place[3:], part])]}.{suffix}"


def _write_further(writer: Any, family: str, config: Any) -> None:
    """What files of other architectures than llama say."""
    if getattr(config, "sliding_window", None):
        writer.add_sliding_window(config.sliding_window)
    if family == "gemma2":
        writer.add_attn_logit_softcapping(config.attn_logit_softcapping)
        writer.add_final_logit_softcapping(config.final_logit_softcapping)
    scaling = _read_positions(config)
    if scaling["rope_type"] in ("linear", "yarn"):
        writer.add_rope_scaling_type(gguf.RopeScalingType(scaling["rope_type"]))
        writer.add_rope_scaling_factor(scaling["factor"])
    if scaling["rope_type"] == "yarn":
        writer.add_rope_scaling_orig_ctx_len(scaling["original_max_position_embeddings"])
    if family.startswith("phi3"):
        writer.add_rope_scaling_orig_ctx_len(config.original_max_position_embeddings)
        writer.add_rope_dimension_count(int(HEAD * scaling.get("partial_rotary_factor", 1.0)))
    if scaling["rope_type"] == "longrope":
        for length in ("short", "long"):
            factors = np.asarray(scaling[f"{length}_factor"], dtype=np.float32)
            writer.add_tensor(f"rope_factors_{length}.weight", factors)


def _read_positions(config: Any) -> dict[str, Any]:
    found: dict[str, Any] = config.rope_parameters
    return found.get("full_attention", found)


def turn_pairs(rows: Array, heads: int) -> Array:
    """The order that llama.cpp's converter gives to the rows of a llama's query and key matrices."""
    halves = rows.reshape(heads, 2, len(rows) // heads // 2, *rows.shape[1:])
    return halves.swapaxes(1, 2).reshape(rows.shape)


def _scale_rotary(config: Any) -> Array:
    """The factors that llama.cpp's converter makes of Llama 3's settings, one frequency at a time."""
    scaling, half, factors = config.rope_parameters, config.head_dim // 2, []
    for index in range(half):
        length = 2 * np.pi * scaling["rope_theta"] ** (index / half)
        context = scaling["original_max_position_embeddings"]
        low, high = scaling["low_freq_factor"], scaling["high_freq_factor"]
        smooth = (context / length - low) / (high - low)
        between = 1 / ((1 - smooth) / scaling["factor"] + smooth)
        factors.append(1 if length < context / high else scaling["factor"] if length > context / low else between)
    return np.asarray(factors, dtype=np.float32)


def fill_blocks(kind: str, rows: int, columns: int, seed: int = 1, size: float = 0.1) -> Array:
    """Random bytes that are valid blocks of `kind`, whose values are around 0 with the standard deviation `size`."""
    kind_id = gguf.GGMLQuantizationType[kind]
    length, width = gguf.GGML_QUANT_SIZES[kind_id]
    blocks = np.random.default_rng(seed).integers(0, 256, (rows * columns // length, width), dtype=np.uint8)
    scale, least = FIELDS["d"].get(kind, 0), FIELDS["dmin"].get(kind)
    factors = np.random.default_rng(seed + 1).uniform(0.5, 1.5, len(blocks))

    def write(unit: float) -> None:
        blocks[:, scale : scale + 2] = (unit * factors).astype("<f2").view(np.uint8).reshape(-1, 2)
        if least is not None:
            blocks[:, least : least + 2] = (unit * LEAST[kind] * factors).astype("<f2").view(np.uint8).reshape(-1, 2)

    write(0.01)
    write(0.01 * size / float(gguf.quants.dequantize(blocks, kind_id).std()))
    return blocks.reshape(rows, -1)


def write_model(path: Path, family: str, kinds: Mapping[str, str]) -> Any:
    """Write the GGUF file of a model with the types `kinds` (by parts of names); give the model of the same values.

    Matrices of types that the gguf package cannot quantize to are filled with random blocks.
    """
    import torch

    model = make_model(family)
    config = model.config
    writer = gguf.GGUFWriter(path, _name_architecture(family))
    writer.add_context_length(config.max_position_embeddings)
    writer.add_embedding_length(config.hidden_size)
    writer.add_block_count(config.num_hidden_layers)
    writer.add_feed_forward_length(FEED_FORWARD)
    writer.add_head_count(HEADS)
    writer.add_head_count_kv(KV_HEADS)
    writer.add_key_length(getattr(config, "head_dim", None) or HEAD)
    writer.add_value_length(getattr(config, "head_dim", None) or HEAD)
    writer.add_layer_norm_rms_eps(config.rms_norm_eps)
    writer.add_rope_freq_base(_read_positions(config)["rope_theta"])
    _write_further(writer, family, config)
    if family.startswith("gemma"):
        _write_pieces(writer)
    else:
        write_vocabulary(writer)
    with torch.no_grad():
        for number, (parameter, value) in enumerate(model.named_parameters()):
            written = name_in_file(parameter, family)
            kind = "F32" if value.ndim == 1 else next(kind for part, kind in kinds.items() if part in written)
            data = _quantize(value.numpy(), kind, seed=number)
            value.copy_(torch.from_numpy(gguf.quants.dequantize(data, gguf.GGMLQuantizationType[kind])))
            if family.startswith(("llama", "smollm")) and (".attn_q." in written or ".attn_k." in written):
                data = turn_pairs(data, HEADS if ".attn_q." in written else KV_HEADS)
            if family.startswith("gemma") and written.endswith("norm.weight"):
                data = data + 1
            writer.add_tensor(written, data, raw_dtype=gguf.GGMLQuantizationType[kind])
    if family == "llama3":
        writer.add_tensor("rope_freqs.weight", _scale_rotary(config))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return model


def _quantize(values: Array, kind: str, seed: int) -> Array:
    try:
        return np.asarray(gguf.quants.quantize(values, gguf.GGMLQuantizationType[kind]))
    except NotImplementedError:
        return fill_blocks(kind, *values.shape, seed=seed)


def _write_pieces(writer: Any) -> None:
    writer.add_tokenizer_model("llama")
    writer.add_tokenizer_pre("default")
    writer.add_token_list(PIECES)
    writer.add_token_scores([-float(place) for place in range(len(PIECES))])
    writer.add_token_types([3, 3, 3, 2, 4, *[6] * 256, *[1] * 4])
    writer.add_bos_token_id(2)
    writer.add_eos_token_id(1)
    writer.add_unk_token_id(3)
    writer.add_pad_token_id(0)
    writer.add_add_space_prefix(False)
    writer.add_chat_template(TEMPLATE)


def write_vocabulary(writer: Any, split: str = "smollm") -> None:
    """The tiny byte-level vocabulary, with its chat template."""
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre(split)
    writer.add_token_list(vocabulary())
    writer.add_token_types([3 if token in SPECIAL else 1 for token in vocabulary()])
    writer.add_token_merges(list(MERGES))
    writer.add_bos_token_id(1)
    writer.add_eos_token_id(2)
    writer.add_chat_template(TEMPLATE)
