"""How much memory a variant takes in the page, at its peak: the page decides by it before it downloads anything."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

from webgpu_kit.manifest import BackendGraph
from webgpu_kit.nodes import read_int, walk_nodes
from webgpu_kit.quantize.wasm_attention import SINK_INPUT

if TYPE_CHECKING:
    import onnx

DTYPE_BYTES = {"float32": 4, "float16": 2, "uint8": 1}
CHAT_TOKENS = 8192  # longer chats are rare, and nobody should be refused a model for the sake of them
PART_TOKENS = 512  # of a prompt are read at once: longestPart in kit/generation/token-cache.js


class Memory(NamedTuple):
    """Bytes: all that is taken, and of that what lies in ONNX Runtime's heap, which ends at 4 GiB on wasm."""

    total: int
    heap: int


def estimate_memory(
    graph: BackendGraph, model: onnx.ModelProto, weight_bytes: int, settings: Mapping[str, Any]
) -> Memory:
    """What one backend's graph takes while it is loaded, or, where that is more, in a long chat.

    `weight_bytes` is the size of `weights.bin`, `settings` are those of the manifest.
    """
    # The download lies in memory beside ONNX Runtime's own copy of it, outside its heap. Expanded weights are made in
    # there one by one: the largest is there as it is made, as ONNX Runtime takes it, and as it lays it out for its
    # products.
    largest = max((part.rows * part.columns * DTYPE_BYTES[part.dtype] for part in graph.expand), default=0)
    weights = weight_bytes + graph.expanded_bytes + sum(matrices_made_at_load(model))
    chat = _count_chat(model, settings.get("generation", {}))
    return Memory(weights + max(weight_bytes + 2 * largest, chat), weights + max(2 * largest, chat))


def matrices_made_at_load(model: onnx.ModelProto) -> list[int]:
    """The sizes of those matrices of MatMulNBits that are no weights: ONNX Runtime appends columns to weights."""
    stored = {entry.name for entry in model.graph.initializer}
    made = (node for node in model.graph.node if node.op_type == "MatMulNBits" and node.input[1] not in stored)
    return [read_int(node, "K", 0) * read_int(node, "N", 0) * read_int(node, "bits", 4) // 8 for node in made]


def _count_chat(model: onnx.ModelProto, generation: Mapping[str, Any]) -> int:
    """The bytes that a long chat takes beside the weights: its keys and values, and the scores of a prompt's part."""
    if not generation:
        return 0
    tokens: int = min(CHAT_TOKENS, generation["context_length"])
    row: int = 2 * generation["layers"] * generation["kv_heads"] * generation["head_size"]
    cache = row * tokens * DTYPE_BYTES[generation["cache_dtype"]]
    return cache + _count_scored_heads(model) * min(PART_TOKENS, tokens) * tokens * DTYPE_BYTES["float32"]


def _count_scored_heads(model: onnx.ModelProto) -> int:
    """The heads of one node whose scores are in memory at once: a sink keeps the kernel from working in tiles."""
    nodes = (node for node in walk_nodes(model.graph) if node.op_type == "GroupQueryAttention")
    return max((read_int(node, "num_heads", 0) for node in nodes if len(node.input) > SINK_INPUT), default=0)
