"""Reading a GGUF file: its metadata and its tensors, as they lie in it."""

from __future__ import annotations

import importlib.util
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from webgpu_kit.artifacts import Array
from webgpu_kit.errors import ExportError, first_line


@dataclass(frozen=True)
class GgufTensor:
    """One tensor. `kind` is ggml's name of its type, `shape` is (rows, columns) or (columns,), as PyTorch orders it.

    `data` has the values (F32, F16), or for packed types the bytes of each row's blocks: uint8 (rows, bytes).
    """

    name: str
    kind: str
    shape: tuple[int, ...]
    data: Array


@dataclass(frozen=True)
class GgufFile:
    """A whole file: metadata under llama.cpp's keys (`llama.block_count`), and the tensors by name."""

    path: Path
    metadata: Mapping[str, Any]
    tensors: Mapping[str, GgufTensor]

    @property
    def architecture(self) -> str:
        """`general.architecture`, '' where the file has none."""
        return str(self.metadata.get("general.architecture", ""))

    def read(self, key: str, default: Any = None) -> Any:
        """A value of the architecture's own section, such as `block_count`. Raises ExportError where it is missing."""
        name = f"{self.architecture}.{key}"
        value = self.metadata.get(name, default)
        if value is None:
            raise ExportError(
                f"{self.path}: its metadata have no '{name}'.", fix="convert the model to GGUF again, with llama.cpp"
            )
        return value


def read_gguf(path: Path) -> GgufFile:
    """Read a GGUF file; tensors stay in the file until they are used. Raises ExportError."""
    if importlib.util.find_spec("gguf") is None:
        raise ExportError(
            f"{path}: reading GGUF files needs gguf, not installed here.", fix="pip install 'webgpu-kit[export]'"
        )
    import gguf

    try:
        reader = gguf.GGUFReader(path)
        metadata = {key: value.contents() for key, value in reader.fields.items()}
        tensors = {tensor.name: _read_tensor(tensor) for tensor in reader.tensors}
    except Exception as error:  # the reader slices a memory map: any class can come from a cut file
        raise _explain(path, error) from error
    if reader.byte_order == "S":
        raise ExportError(f"{path}: a big-endian file.", fix="convert it with gguf-convert-endian (of PyPI's gguf)")
    return GgufFile(path=path, metadata=metadata, tensors=tensors)


def _explain(path: Path, error: Exception) -> ExportError:
    if unknown := re.search(r"(\d+)\)? is not a valid GGMLQuantizationType", str(error)):
        return ExportError(
            f"{path}: it has a tensor of type {unknown[1]}, which the reader (PyPI's gguf) does not know.",
            fix="convert the model to Q8_0 or Q4_1 with llama.cpp",
        )
    return ExportError(f"{path}: truncated or damaged: {first_line(error)}.", fix="fetch the file again")


def _read_tensor(tensor: Any) -> GgufTensor:
    shape = tuple(int(side) for side in reversed(tensor.shape))
    return GgufTensor(name=tensor.name, kind=tensor.tensor_type.name, shape=shape, data=np.asarray(tensor.data))
