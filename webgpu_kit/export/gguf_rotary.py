"""How a GGUF file's model turns positions, in transformers' words.

Scaling is in the metadata, but for Llama 3's: of that the file keeps the factors alone, not the settings that they came
from; and for LongRoPE's, whose two lists of factors are tensors.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from webgpu_kit.artifacts import Array
from webgpu_kit.errors import ExportError
from webgpu_kit.export.gguf_file import GgufFile

FACTORS, SHORT_FACTORS, LONG_FACTORS = "rope_freqs.weight", "rope_factors_short.weight", "rope_factors_long.weight"
ROTARY_FACTORS = (FACTORS, SHORT_FACTORS, LONG_FACTORS)
# The settings of every Llama 3.1 and 3.2; the factor itself is read off the file's factors.
LLAMA3_SCALING = {"low_freq_factor": 1.0, "high_freq_factor": 4.0, "original_max_position_embeddings": 8192}
UNDERSTOOD = ("type", "factor", "original_context_length", "finetuned", "attn_factor")
LOCAL_BASE = 10000.0  # of Gemma 3's windows, in llama.cpp's code


def read_rotary(file: GgufFile) -> dict[str, Any]:
    """transformers' `rope_parameters`; of Gemma 3 one for each kind of layer. Raises ExportError."""
    base = float(file.read("rope.freq_base", 10000.0))
    whole = {"rope_theta": base, **_read_scaling(file, base)}
    if file.architecture == "gemma3":
        return {"full_attention": whole, "sliding_attention": {"rope_theta": LOCAL_BASE, "rope_type": "default"}}
    return whole


def _read_scaling(file: GgufFile, base: float) -> dict[str, Any]:
    start = f"{file.architecture}.rope.scaling."
    given = {key.removeprefix(start): value for key, value in file.metadata.items() if key.startswith(start)}
    kind, stored = given.get("type") or "none", [name for name in ROTARY_FACTORS if name in file.tensors]
    if kind in ("none", "longrope") and set(stored) == {SHORT_FACTORS, LONG_FACTORS} and file.architecture == "phi3":
        return _read_long(file, given)
    if kind == "none" and stored == [FACTORS] and file.architecture == "llama":
        settings = _recover_scaling(np.asarray(file.tensors[FACTORS].data, dtype=np.float64), base)
        if settings:
            return {"rope_type": "llama3", **settings}
    elif kind == "none" and not stored:
        return {"rope_type": "default"}
    elif kind in ("linear", "yarn") and not stored and set(given) <= set(UNDERSTOOD[:4]):
        scaled = {"rope_type": kind, "factor": float(file.read("rope.scaling.factor"))}
        if kind == "yarn":
            scaled["original_max_position_embeddings"] = int(file.read("rope.scaling.original_context_length"))
        return scaled
    raise ExportError(
        f"{file.path}: scaled rotary positions ({kind if kind != 'none' else stored[0].removesuffix('.weight')}) of "
        "this kind are not supported in GGUF files; linear, yarn, those of Llama 3 and of Phi 3 are.",
        fix="give the model's Hugging Face folder",
    )


def _read_long(file: GgufFile, given: dict[str, Any]) -> dict[str, Any]:
    lists = {"short_factor": SHORT_FACTORS, "long_factor": LONG_FACTORS}
    factors = {key: np.asarray(file.tensors[name].data, dtype=np.float64).tolist() for key, name in lists.items()}
    first = int(file.read("rope.scaling.original_context_length"))
    scale = {"attention_factor": float(given["attn_factor"])} if "attn_factor" in given else {}
    return {"rope_type": "longrope", **factors, "original_max_position_embeddings": first, **scale}


def _recover_scaling(factors: Array, base: float) -> dict[str, float] | None:
    """The settings of Llama 3's scaling that give exactly these factors; None where none do."""
    factor, low, high, length = float(factors.max()), *LLAMA3_SCALING.values()
    turns = length / (2 * np.pi) * base ** (-np.arange(len(factors)) / len(factors))  # of a value, in that context
    share = np.clip((turns - low) / (high - low), 0.0, 1.0)
    expected = 1 / ((1 - share) / factor + share)
    return {"factor": factor, **LLAMA3_SCALING} if np.allclose(factors, expected, rtol=1e-5) else None
