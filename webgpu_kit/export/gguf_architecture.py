"""The architectures that GGUF files may have, as transformers knows them: configuration, names, order of rows.

Names come from the gguf package's own table, of the parameters that transformers' model of that configuration has.
What llama.cpp's converter does to values is undone here:
- llama, smollm3: llama.cpp turns pairs of neighbouring values (0 and 1, 2 and 3, ...) of a head where transformers
  turns the two halves of the head (0 and n/2, ...), so the rows of the query and key matrices stand in another order.
- gemma: it adds the one to the weights of normalizations that transformers adds when it runs.
What its files do not say, because llama.cpp has it in its code, is in `gguf_settings.py`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from webgpu_kit.artifacts import Array
from webgpu_kit.errors import ExportError
from webgpu_kit.export.gguf_file import GgufFile
from webgpu_kit.export.gguf_rotary import ROTARY_FACTORS, read_rotary
from webgpu_kit.export.gguf_settings import read_settings

EMBEDDING, HEAD = "token_embd.weight", "output.weight"


@dataclass(frozen=True)
class Architecture:
    """How a file maps to transformers: `config` is its config.json, `names` its tensors' names there.

    `norm_offset` is what the weights of its normalizations are above transformers'.
    """

    config: Mapping[str, Any]
    names: Mapping[str, str]
    turns_pairs: bool
    norm_offset: float


# llama.cpp's name -> transformers' model_type and class.
_MODELS = {
    "gemma": ("gemma", "GemmaForCausalLM"),
    "gemma2": ("gemma2", "Gemma2ForCausalLM"),
    "gemma3": ("gemma3_text", "Gemma3ForCausalLM"),
    "llama": ("llama", "LlamaForCausalLM"),
    "phi3": ("phi3", "Phi3ForCausalLM"),
    "qwen2": ("qwen2", "Qwen2ForCausalLM"),
    "qwen3": ("qwen3", "Qwen3ForCausalLM"),
    "smollm3": ("smollm3", "SmolLM3ForCausalLM"),
}


def read_architecture(file: GgufFile) -> Architecture:
    """What the file is in transformers' terms. Raises ExportError unless all that it has and uses is supported."""
    if file.architecture not in _MODELS:
        raise ExportError(
            f"{file.path}: the architecture '{file.architecture or 'none'}' is not supported in GGUF files. "
            f"Supported: {', '.join(_MODELS)}.",
            fix="give the model's Hugging Face folder",
        )
    config = _make_config(file)
    return Architecture(
        config,
        _name_tensors(file, config),
        turns_pairs=file.architecture in ("llama", "smollm3"),
        norm_offset=1.0 if file.architecture.startswith("gemma") else 0.0,
    )


def _make_config(file: GgufFile) -> dict[str, Any]:
    heads, hidden = int(file.read("attention.head_count")), int(file.read("embedding_length"))
    if EMBEDDING not in file.tensors:
        raise ExportError(f"{file.path}: lacks the tensor '{EMBEDDING}'.", fix="fetch the file again")
    return {
        "architectures": [_MODELS[file.architecture][1]],
        "model_type": _MODELS[file.architecture][0],
        "rope_parameters": read_rotary(file),
        "hidden_act": "silu",
        "hidden_size": hidden,
        "intermediate_size": int(file.read("feed_forward_length")),
        "num_hidden_layers": int(file.read("block_count")),
        "num_attention_heads": heads,
        "num_key_value_heads": int(file.read("attention.head_count_kv", heads)),
        "head_dim": int(file.read("attention.key_length", hidden // heads)),
        "max_position_embeddings": int(file.read("context_length")),
        "rms_norm_eps": float(file.read("attention.layer_norm_rms_epsilon")),
        "vocab_size": file.tensors[EMBEDDING].shape[0],
        "tie_word_embeddings": HEAD not in file.tensors,
        "attention_bias": "blk.0.attn_q.bias" in file.tensors,
        "mlp_bias": False,
        "use_sliding_window": False,
        "bos_token_id": file.metadata.get("tokenizer.ggml.bos_token_id"),
        "eos_token_id": file.metadata.get("tokenizer.ggml.eos_token_id"),
        "pad_token_id": file.metadata.get("tokenizer.ggml.padding_token_id"),
        "dtype": "float32",
        **read_settings(file),
    }


def _name_tensors(file: GgufFile, config: Mapping[str, Any]) -> dict[str, str]:
    """The file's name of every parameter -> transformers'. Raises ExportError where the two do not fit."""
    import gguf
    import torch
    from transformers import AutoConfig, AutoModelForCausalLM

    kinds = {name: kind for kind, name in gguf.MODEL_ARCH_NAMES.items()}
    table = gguf.get_tensor_name_map(kinds[file.architecture], config["num_hidden_layers"])
    settings = {key: value for key, value in config.items() if key not in ("model_type", "dtype")}
    with torch.device("meta"):
        model = AutoModelForCausalLM.from_config(AutoConfig.for_model(config["model_type"], **settings))
    names = {table.get_name(name, (".weight", ".bias")): name for name in model.state_dict()}
    if config["tie_word_embeddings"]:
        names = {name: parameter for name, parameter in names.items() if parameter != "lm_head.weight"}
    unknown = sorted(set(file.tensors) - set(names) - set(ROTARY_FACTORS))
    missing = sorted(str(name) for name in set(names) - set(file.tensors))
    if unknown or missing:
        has = f"has the tensor '{unknown[0]}', which no {file.architecture} has" if unknown else ""
        raise ExportError(
            f"{file.path}: {has or f'lacks the tensor {missing[0]!r}'}.", fix="give the model's Hugging Face folder"
        )
    return {str(name): parameter for name, parameter in names.items()}


def order_rows(file: GgufFile, architecture: Architecture, name: str) -> Array | None:
    """The order in which the rows of tensor `name` stand in transformers; None where it is the same."""
    key = {"attn_q": "num_attention_heads", "attn_k": "num_key_value_heads"}.get(name.split(".")[-2])
    if key is None or not architecture.turns_pairs:
        return None
    heads, rows = int(architecture.config[key]), file.tensors[name].shape[0]
    return np.asarray(np.arange(rows).reshape(heads, rows // heads // 2, 2).swapaxes(1, 2).reshape(-1))
