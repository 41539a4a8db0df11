"""Attention on wasm: GroupQueryAttention by the kernel that is fast on a prompt there.

Since 1.30 ONNX Runtime's CPU kernel cuts a prompt into tiles that fit the processor's L2 cache. In wasm that cache has
no size, so the tiles are one token by one: 512 tokens take eight times as long as without them. The kernel does not
tile where heads have a sink, a score that takes part in the softmax and counts for no token. The sink added here is so
low that its share is exactly 0: every answer stays what it was.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from webgpu_kit.nodes import add_initializer, read_int, walk_nodes

if TYPE_CHECKING:
    import onnx

SINK_INPUT = 11  # of GroupQueryAttention: head_sink, float (heads,)
NO_SHARE = -1e30  # far below any score: its exponential is 0


def add_sinks(model: onnx.ModelProto) -> bool:
    """Give each GroupQueryAttention of `model` a sink without a share, in place. Tells whether there was one to give.

    Shapes: one sink (heads,) for all nodes with so many heads. Source: ONNX Runtime's group_query_attention.cc.
    """
    tiled = [node for node in walk_nodes(model.graph) if node.op_type == "GroupQueryAttention" and _is_tiled(node)]
    for heads in sorted({read_int(node, "num_heads", 0) for node in tiled}):
        add_initializer(model, _name_sink(heads), np.full(heads, NO_SHARE, dtype=np.float32))
    for node in tiled:
        node.input.extend([""] * (SINK_INPUT + 1 - len(node.input)))
        node.input[SINK_INPUT] = _name_sink(read_int(node, "num_heads", 0))
    return bool(tiled)


def _name_sink(heads: int) -> str:
    return f"no_sink.{heads}"


def _is_tiled(node: onnx.NodeProto) -> bool:
    """Whether the kernel takes the tiles: with a sink of its own, or a capped score, it does not."""
    has_sink = len(node.input) > SINK_INPUT and bool(node.input[SINK_INPUT])
    capped = any(attribute.name == "softcap" and attribute.f != 0 for attribute in node.attribute)
    return not has_sink and not capped and not read_int(node, "smooth_softmax", 0)
