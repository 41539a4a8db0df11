"""Seeded models of every architecture of language models, as Hugging Face folders.

Where an architecture has windows they are shorter than the golden's prompts, so that what lies outside of them counts.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from tiny_language_model import TEMPLATE, vocabulary, write_gguf

WINDOW, CONTEXT, HEAD = 8, 256, 16
WINDOWS = ["sliding_attention"] * 3 + ["full_attention"]
TYPICAL: dict[str, Any] = {
    "hidden_size": 64,
    "intermediate_size": 96,
    "num_hidden_layers": 4,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "head_dim": HEAD,
    "max_position_embeddings": CONTEXT,
    "tie_word_embeddings": False,
    "initializer_range": 0.3,
    "bos_token_id": 1,
    "eos_token_id": 2,
    "pad_token_id": 0,
}
MULTIPLIED = {
    "embedding_multiplier": 2.0,
    "attention_multiplier": 0.3,
    "logits_scaling": 3.0,
    "residual_multiplier": 0.7,
}


def turn(kind: str, **settings: Any) -> dict[str, Any]:
    """Positions scaled in one of transformers' ways."""
    return {"rope_parameters": {"rope_type": kind, "rope_theta": 10000.0, **settings}}


# A model -> (transformers' model_type, settings).
MODELS: dict[str, tuple[str, dict[str, Any]]] = {
    "ernie": ("ernie4_5", {}),
    "gemma": ("gemma", {"tie_word_embeddings": True}),
    "gemma2": ("gemma2", {"tie_word_embeddings": True, "sliding_window": WINDOW, "query_pre_attn_scalar": 24}),
    "gemma3": (
        "gemma3_text",
        {
            "tie_word_embeddings": True,
            "sliding_window": WINDOW,
            "query_pre_attn_scalar": 24,
            "layer_types": WINDOWS,
            "rope_parameters": {
                "full_attention": {"rope_type": "linear", "factor": 8.0, "rope_theta": 1000000.0},
                "sliding_attention": {"rope_type": "default", "rope_theta": 10000.0},
            },
        },
    ),
    "gpt-oss": ("gpt_oss", {"sliding_window": WINDOW, "num_local_experts": 4, "num_experts_per_tok": 2}),
    "granite": ("granite", MULTIPLIED),
    "granite-hybrid": (
        "granitemoehybrid",
        {
            **MULTIPLIED,
            "shared_intermediate_size": 96,
            "num_local_experts": 0,
            "layer_types": ["attention"] * 4,
            "position_embedding_type": "rope",
        },
    ),
    "llama-yarn": ("llama", turn("yarn", factor=4.0, original_max_position_embeddings=64)),
    "mistral": ("mistral", {"sliding_window": WINDOW}),
    "nemotron": ("nemotron", {"partial_rotary_factor": 0.5, "head_dim": 32}),
    "phi": ("phi", {"partial_rotary_factor": 0.5, "num_key_value_heads": 4, "hidden_size": 128, "head_dim": 32}),
    "phi3": ("phi3", {"sliding_window": WINDOW, "original_max_position_embeddings": CONTEXT}),
    "phi3-long": (
        "phi3",
        {
            "sliding_window": None,
            "max_position_embeddings": 2 * CONTEXT,
            "original_max_position_embeddings": CONTEXT,
            **turn(
                "longrope",
                short_factor=[1 + 0.1 * place for place in range(HEAD // 2)],
                long_factor=[1 + 0.5 * place for place in range(HEAD // 2)],
                original_max_position_embeddings=CONTEXT,
            ),
        },
    ),
    "qwen2-windows": ("qwen2", {"use_sliding_window": True, "sliding_window": WINDOW, "max_window_layers": 2}),
    "qwen3": ("qwen3", {"head_dim": 32}),
    "smollm3": (
        "smollm3",
        {"use_sliding_window": True, "sliding_window": WINDOW, "no_rope_layer_interval": 4, "layer_types": WINDOWS},
    ),
}


def write_decoder(folder: Path, name: str) -> Path:
    """Write the model `name` of MODELS as transformers saves one, with a tokenizer."""
    import torch
    from transformers import AutoConfig, AutoModelForCausalLM

    from webgpu_kit.export.gguf_file import read_gguf
    from webgpu_kit.export.gguf_tokenizer import write_tokenizer

    folder.mkdir()
    kind, settings = MODELS[name]
    torch.manual_seed(3)
    config = AutoConfig.for_model(kind, **{**TYPICAL, "vocab_size": len(vocabulary()), **settings})
    model = AutoModelForCausalLM.from_config(config)
    with torch.no_grad():
        for parameter, value in model.named_parameters():
            if "norm" in parameter or parameter.endswith(("bias", "sinks")):
                value.add_(0.3 * torch.randn_like(value))
    model.save_pretrained(folder)
    file = write_gguf(folder / "tokenizer.gguf", {"": "F16"}, template=TEMPLATE)
    write_tokenizer(read_gguf(file), folder)
    file.unlink()
    return folder
