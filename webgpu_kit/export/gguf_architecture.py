"""The architectures that GGUF files may have, as transformers knows them: configuration, names, order of rows.

Names come from the gguf package's own table, of the parameters that transformers' model of that configuration has.
What llama.cpp's converter does to values is undone here:
- llama: llama.cpp turns pairs of neighbouring values (0 and 1, 2 and 3, ...) of a head where transformers turns the two
  halves of the head (0 and n/2, ...), so the rows of the query and key matrices stand in another order.
- llama with the scaled rotary positions of Llama 3: it keeps the factors alone, not the settings that they came from.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from webgpu_kit.artifacts import Array
from webgpu_kit.errors import ExportError
from webgpu_kit.export.gguf_file import GgufFile

EMBEDDING, HEAD, ROTARY_FACTORS = "token_embd.weight", "output.weight", "rope_freqs.weight"
# The settings of every Llama 3.1 and 3.2; the factor itself is read off the file's factors.
LLAMA3_SCALING = {"low_freq_factor": 1.0, "high_freq_factor": 4.0, "original_max_position_embeddings": 8192}


@dataclass(frozen=True)
class Architecture:
    """How a file maps to transformers: `config` is its config.json, `names` its tensors' names there."""

    config: Mapping[str, Any]
    names: Mapping[str, str]
    turns_pairs: bool


# transformers' class; that its model_type is llama.cpp's own name holds for all of these.
_MODELS = {"llama": "LlamaForCausalLM", "qwen2": "Qwen2ForCausalLM", "qwen3": "Qwen3ForCausalLM"}


def read_architecture(file: GgufFile) -> Architecture:
    """What the file is in transformers' terms. Raises ExportError unless all that it has and uses is supported."""
    if file.architecture not in _MODELS:
        raise ExportError(
            f"{file.path}: the architecture '{file.architecture or 'none'}' is not supported in GGUF files. "
            f"Supported: {', '.join(_MODELS)}.",
            fix="give the model's Hugging Face folder",
        )
    config = _make_config(file)
    return Architecture(config, _name_tensors(file, config), turns_pairs=file.architecture == "llama")


def _make_config(file: GgufFile) -> dict[str, Any]:
    heads, hidden = int(file.read("attention.head_count")), int(file.read("embedding_length"))
    if EMBEDDING not in file.tensors:
        raise ExportError(f"{file.path}: lacks the tensor '{EMBEDDING}'.", fix="fetch the file again")
    return {
        "architectures": [_MODELS[file.architecture]],
        "model_type": file.architecture,
        "rope_parameters": _read_rotary(file),
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
    }


def _read_rotary(file: GgufFile) -> dict[str, Any]:
    scaling = file.metadata.get(f"{file.architecture}.rope.scaling.type", "none")
    base = float(file.read("rope.freq_base", 10000.0))
    factors = file.tensors.get(ROTARY_FACTORS)
    if scaling in ("none", "") and factors is not None and file.architecture == "llama":
        settings = _recover_scaling(np.asarray(factors.data, dtype=np.float64), base)
        if settings:
            return {"rope_theta": base, "rope_type": "llama3", **settings}
    if scaling not in ("none", "") or any(name.startswith("rope_f") for name in file.tensors):
        raise ExportError(
            f"{file.path}: scaled rotary positions ({scaling if scaling not in ('none', '') else 'rope_freqs'}) of "
            "this kind are not supported in GGUF files; only those of Llama 3 are.",
            fix="give the model's Hugging Face folder",
        )
    return {"rope_theta": base, "rope_type": "default"}


def _recover_scaling(factors: Array, base: float) -> dict[str, float] | None:
    """The settings of Llama 3's scaling that give exactly these factors; None where none do."""
    factor, low, high, length = float(factors.max()), *LLAMA3_SCALING.values()
    turns = length / (2 * np.pi) * base ** (-np.arange(len(factors)) / len(factors))  # of a value, in that context
    share = np.clip((turns - low) / (high - low), 0.0, 1.0)
    expected = 1 / ((1 - share) / factor + share)
    return {"factor": factor, **LLAMA3_SCALING} if np.allclose(factors, expected, rtol=1e-5) else None


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
    unknown = sorted(set(file.tensors) - set(names) - {ROTARY_FACTORS})
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
