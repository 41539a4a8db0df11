from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

from webgpu_kit.manifest import BackendGraph, Expansion, Span
from webgpu_kit.memory import CHAT_TOKENS, PART_TOKENS, estimate_memory
from webgpu_kit.quantize.wasm_attention import add_sinks

HEADS, KV_HEADS, HEAD, LAYERS = 6, 2, 32, 3
LOADING = BackendGraph(file="model.onnx", expanded_bytes=1_000_000)


def make_decoder() -> onnx.ModelProto:
    inputs = ["query", "", "", "key", "value", "last", "total"]
    nodes = [
        helper.make_node(
            "GroupQueryAttention",
            inputs,
            [f"out.{layer}"],
            domain="com.microsoft",
            num_heads=HEADS,
            kv_num_heads=KV_HEADS,
        )
        for layer in range(LAYERS)
    ]
    values = [helper.make_tensor_value_info("query", TensorProto.FLOAT, [1, "tokens", HEADS * HEAD])]
    return helper.make_model(helper.make_graph(nodes, "decoder", values, []))


def estimate(model: onnx.ModelProto, context: int, cache: str = "float32") -> int:
    generation = {
        "layers": LAYERS,
        "kv_heads": KV_HEADS,
        "head_size": HEAD,
        "context_length": context,
        "cache_dtype": cache,
    }
    return estimate_memory(LOADING, model, 100_000, {"generation": generation}).total


@pytest.mark.parametrize("context", [2048, CHAT_TOKENS, 131_072])
def test_a_chat_takes_its_cache_and_without_tiles_a_prompt_its_scores(context: int) -> None:
    tokens, model = min(context, 8192), make_decoder()
    rows = np.zeros((LAYERS, 2, KV_HEADS, 1, HEAD), dtype=np.float32)
    tiled = estimate(model, context)
    assert tiled == 100_000 + 1_000_000 + rows.nbytes * tokens
    assert estimate(model, context, "float16") == 100_000 + 1_000_000 + rows.nbytes // 2 * tokens
    assert add_sinks(model)
    assert estimate(model, context) == tiled + HEADS * 512 * tokens * 4


def test_a_short_chat_takes_less_than_loading_and_other_models_nothing() -> None:
    model = make_decoder()
    assert estimate(model, 16) == estimate_memory(LOADING, model, 100_000, {}).total == 100_000 + 1_000_000 + 100_000


def test_the_download_is_not_in_the_heap() -> None:
    data = Span(offset=0, bytes=300 * 500)
    head = Expansion(name="head", kind="float16", dtype="float32", rows=300, columns=500, bits=16, offset=0, data=data)
    graph = LOADING.model_copy(update={"expand": [head]})
    memory = estimate_memory(graph, make_decoder(), 100_000, {})
    assert memory.heap == 100_000 + 1_000_000 + 2 * 300 * 500 * 4
    assert memory.total == memory.heap + 100_000


def test_the_page_reads_prompts_in_parts_of_this_length() -> None:
    script = Path(__file__).parents[1] / "site_templates" / "kit" / "generation" / "token-cache.js"
    found = re.search(r"longestPart = (\d+);", script.read_text(encoding="utf-8"))
    assert found and int(found[1]) == PART_TOKENS
