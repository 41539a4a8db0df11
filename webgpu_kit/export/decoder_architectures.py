"""The architectures of decoders that become graphs, each proved by a seeded model of it in the tests."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from webgpu_kit.errors import ExportError

SUPPORTED = (
    "Ernie4_5ForCausalLM",
    "Gemma2ForCausalLM",
    "Gemma3ForCausalLM",
    "GemmaForCausalLM",
    "GptOssForCausalLM",
    "GraniteForCausalLM",
    "GraniteMoeHybridForCausalLM",
    "LlamaForCausalLM",
    "MistralForCausalLM",
    "NemotronForCausalLM",
    "Phi3ForCausalLM",
    "PhiForCausalLM",
    "Qwen2ForCausalLM",
    "Qwen3ForCausalLM",
    "SmolLM3ForCausalLM",
)
_STATES = "its layers keep states that are no keys and values, which the page's cache does not hold"
_CODE = "it needs code that comes with the model, which is never run"
_PARTS = "it is the language part of a model with other inputs"
# What onnxruntime-genai's builder knows, and why it is not enough.
REFUSED = {
    "ChatGLMForConditionalGeneration": _CODE,
    "ChatGLMModel": _CODE,
    "Gemma3ForConditionalGeneration": _PARTS,
    "Gemma4ForConditionalGeneration": _PARTS,
    "Gemma4UnifiedForConditionalGeneration": _PARTS,
    "HunYuanDenseV1ForCausalLM": "its graph asks for positions beside the tokens, which the page does not give",
    "InternLM2ForCausalLM": _CODE,
    "Lfm2ForCausalLM": _STATES,
    "Lfm2MoeForCausalLM": _STATES,
    "OlmoForCausalLM": "onnxruntime-genai's graph of it is wrong: it normalizes without taking the mean away",
    "Phi3SmallForCausalLM": _CODE,
    "PhiMoEForCausalLM": "onnxruntime-genai makes its experts for CUDA alone",
    "Qwen3_5ForConditionalGeneration": _STATES,
}


def check_architecture(folder: Path, source: str) -> str:
    """The folder's architecture, before anything is loaded. Raises ExportError unless it is supported."""
    config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    name = str((config.get("architectures") or ["none"])[0])
    reason = _find_obstacle(name, config)
    if not reason:
        return name
    raise ExportError(
        f"{source}: the architecture {name} is not supported for text-generation: {reason}. "
        f"Supported: {', '.join(name.removesuffix('ForCausalLM') for name in SUPPORTED)}.",
        fix="give a model of one of these",
    )


def _find_obstacle(name: str, config: Mapping[str, Any]) -> str:
    if name not in SUPPORTED:
        return REFUSED.get(name, "onnxruntime-genai's builder has no graph of it")
    if name == "GraniteMoeHybridForCausalLM":
        kinds = config.get("layer_types") or config.get("layers_block_type") or [""]
        if set(kinds) - {"attention", "full_attention"}:
            return _STATES
        return "onnxruntime-genai leaves its experts out" if config.get("num_local_experts") else ""
    return ""
