"""A graph's weights, wherever they are: in its message, or in a file that is mapped.

One ONNX message holds 2 GiB at most, and what is in it lies in memory whole. A large model's weights stay in the file
that they were exported to: an initializer then names the file, with its whole path, and is read where it is used.
"""

from __future__ import annotations

import shutil
import tempfile
import weakref
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from webgpu_kit.artifacts import Array

if TYPE_CHECKING:
    import onnx


class WeightFolder:
    """A temporary folder for weights, at `path`: it goes when nothing holds this any more."""

    def __init__(self) -> None:
        self.path = Path(tempfile.mkdtemp(prefix="webgpu-kit-"))
        weakref.finalize(self, shutil.rmtree, self.path, ignore_errors=True)


def is_mapped(entry: onnx.TensorProto) -> bool:
    """Whether a weight lies in a file."""
    return int(entry.data_location) == 1  # TensorProto.EXTERNAL


def read_weight(entry: onnx.TensorProto) -> Array:
    """A weight's values: of one in a file a view of the file, which must not be written to."""
    from onnx import helper, numpy_helper

    if not is_mapped(entry):
        return numpy_helper.to_array(entry)
    facts = {part.key: part.value for part in entry.external_data}
    dtype, shape = helper.tensor_dtype_to_np_dtype(entry.data_type), tuple(entry.dims)
    return np.memmap(facts["location"], dtype=dtype, mode="r", offset=int(facts.get("offset", 0)), shape=shape)


def count_bytes(entry: onnx.TensorProto) -> int:
    """How many bytes a weight's values take."""
    from onnx import helper

    if entry.raw_data or entry.data_type == 8:  # strings have no size of their own
        return len(entry.raw_data)
    return int(np.prod(entry.dims)) * helper.tensor_dtype_to_np_dtype(entry.data_type).itemsize


def map_weights(model: onnx.ModelProto, folder: Path, smallest: int) -> None:
    """Name files in `folder` by their whole path, and read weights of under `smallest` bytes. Changes `model`."""
    from onnx.external_data_helper import load_external_data_for_tensor

    for entry in model.graph.initializer:
        if not is_mapped(entry):
            continue
        if count_bytes(entry) < smallest:
            load_external_data_for_tensor(entry, str(folder))
            entry.ClearField("data_location")
            entry.ClearField("external_data")
            continue
        for part in entry.external_data:
            if part.key == "location":
                part.value = str(folder / part.value)
