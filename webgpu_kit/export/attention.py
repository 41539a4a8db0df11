"""What each layer's attention sees and how it turns positions, taken from PyTorch's own layers into the graph.

The builder's graphs have one GroupQueryAttention a layer. Its window, whether it turns positions at all, and the tables
that it turns them by are settled here for every architecture alike, so that no scaling of positions (linear, dynamic,
YaRN, LongRoPE, Llama 3's) has to be known twice.
"""

from __future__ import annotations

import inspect
import re
from typing import TYPE_CHECKING, Any

from webgpu_kit.artifacts import Array

if TYPE_CHECKING:
    import onnx

COSINES, SINES = 7, 8  # inputs of GroupQueryAttention
EVERYTHING = -1  # its local_window_size without a window


def settle_attention(model: onnx.ModelProto, decoder: Any, context_length: int) -> None:
    """Give every attention of `model` the window and the position tables of PyTorch's `decoder`. Changes `model`.

    Shapes: tables are float32 (context_length, half of what is turned), as the operator takes them.
    """
    from onnx import helper, numpy_helper

    stored = {entry.name: entry for entry in model.graph.initializer}
    made: dict[str, onnx.TensorProto] = {}
    for node in model.graph.node:
        if node.op_type != "GroupQueryAttention":
            continue
        layer = _read_layer(node.name)
        settings = {"local_window_size": _find_window(decoder.config, layer)}
        if _turns(decoder, layer):
            kind, width = _name_kind(decoder, layer), stored[node.input[COSINES]].dims[1]
            for place, name in ((COSINES, f"cos_cache{kind}"), (SINES, f"sin_cache{kind}")):
                if name not in made:
                    table = _make_tables(decoder, layer, context_length)[place - COSINES][:, :width]
                    made[name] = numpy_helper.from_array(table, name)
                node.input[place] = name
        else:
            settings["do_rotary"] = 0
            node.input[COSINES] = node.input[SINES] = ""
        kept = [attribute for attribute in node.attribute if attribute.name not in settings]
        changed = [helper.make_attribute(name, value) for name, value in settings.items()]
        del node.attribute[:]
        node.attribute.extend([*kept, *changed])
    others = [entry for name, entry in stored.items() if not name.startswith(("cos_cache", "sin_cache"))]
    del model.graph.initializer[:]
    model.graph.initializer.extend([*others, *made.values()])


def _read_layer(name: str) -> int:
    found = re.search(r"/layers\.(\d+)/", name)
    assert found is not None, name
    return int(found[1])


def _find_window(config: Any, layer: int) -> int:
    kinds, window = getattr(config, "layer_types", None), getattr(config, "sliding_window", None)
    slides = kinds is None or kinds[layer] == "sliding_attention"
    return int(window) if window and slides else EVERYTHING


def _turns(decoder: Any, layer: int) -> bool:
    chosen = getattr(decoder.config, "no_rope_layers", None)  # 1 for a layer that turns, whatever the name says
    return getattr(decoder.base_model, "rotary_emb", None) is not None and (not chosen or bool(chosen[layer]))


def _takes_kind(decoder: Any) -> bool:
    return "layer_type" in inspect.signature(decoder.base_model.rotary_emb.forward).parameters


def _name_kind(decoder: Any, layer: int) -> str:
    return f".{decoder.config.layer_types[layer]}" if _takes_kind(decoder) else ""


def _make_tables(decoder: Any, layer: int, context_length: int) -> tuple[Array, Array]:
    import torch

    positions, like = torch.arange(context_length)[None], torch.zeros(1)
    kind = {"layer_type": decoder.config.layer_types[layer]} if _takes_kind(decoder) else {}
    with torch.no_grad():
        cosines, sines = decoder.base_model.rotary_emb(like, positions, **kind)
    return cosines[0].numpy(), sines[0].numpy()
