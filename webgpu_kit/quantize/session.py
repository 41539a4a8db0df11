"""Running a graph with onnxruntime on the CPU, however large its weights are."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from webgpu_kit.initializers import count_bytes, is_mapped, read_weight
from webgpu_kit.nodes import copy_frame

if TYPE_CHECKING:
    import onnx

LARGE_BYTES = 2**20  # weights from here on are given beside the message, which holds 2 GiB at most


def open_session(model: onnx.ModelProto) -> Any:
    """An onnxruntime session of a graph on the CPU."""
    import onnx
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4
    # On a busy machine threads that spin while they wait take the processor from those that they wait for.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    frame, beside = copy_frame(model), {}
    frame.graph.node.extend(model.graph.node)
    for entry in model.graph.initializer:
        if count_bytes(entry) < LARGE_BYTES and not is_mapped(entry):
            frame.graph.initializer.add().CopyFrom(entry)
            continue
        named = frame.graph.initializer.add(name=entry.name, data_type=entry.data_type, dims=entry.dims)
        named.data_location = onnx.TensorProto.EXTERNAL
        named.external_data.add(key="location", value="beside")
        beside[entry.name] = onnxruntime.OrtValue.ortvalue_from_numpy(np.ascontiguousarray(read_weight(entry)))
    options.add_external_initializers(list(beside), list(beside.values()))
    return onnxruntime.InferenceSession(frame.SerializeToString(), options, providers=["CPUExecutionProvider"])
