"""Reading the golden of a built site, and tensors as they stand in JSON."""

from __future__ import annotations

import base64
import binascii
import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from webgpu_kit.artifacts import Array, Bundle, Tensors
from webgpu_kit.errors import CheckError

REBUILD = "build the site again"


@dataclass(frozen=True)
class RecordedSample:
    """One golden sample of a site: `input` as JSON, `outputs` decoded."""

    input: Mapping[str, Any]
    outputs: Tensors


@dataclass(frozen=True)
class RecordedAnswer:
    """A whole answer of a model that talks, as `tasks/greedy_answer.py` recorded it."""

    messages: list[dict[str, str]]
    prompt_tokens: int
    token_ids: list[int]
    margins: list[float]
    text: str
    ends: list[int]

    def __post_init__(self) -> None:
        if not len(self.token_ids) == len(self.margins) == len(self.ends) > 0:
            raise ValueError(f"an answer of {len(self.token_ids)} tokens has {len(self.margins)} margins")


@dataclass(frozen=True)
class RecordedGolden:
    """The golden of a site. `origin` names the framework that gave the outputs."""

    origin: str
    samples: tuple[RecordedSample, ...]
    answers: tuple[RecordedAnswer, ...] = ()


def read_recording(path: Path, sha256: str, what: str) -> bytes:
    """The file that was recorded when the site was built. Raises: CheckError if it is missing or altered."""
    try:
        content = path.read_bytes()
    except OSError as error:
        raise CheckError(f"{path}: {what} cannot be read: {error.strerror}.", fix=REBUILD) from error
    digest = hashlib.sha256(content).hexdigest()
    if digest != sha256:
        raise CheckError(f"{path}: sha256 is {digest}, the manifest says {sha256}.", fix=REBUILD)
    return content


def read_golden(bundle: Bundle) -> RecordedGolden:
    """Read the golden that the bundle's manifest names, and see that it is the one the site was built with.

    Raises: CheckError if it is missing, altered or not readable.
    """
    manifest = bundle.manifest
    path = bundle.path / manifest.golden.path
    content = read_recording(path, manifest.golden.sha256, "the golden")
    try:
        recorded = json.loads(content)
        samples = [RecordedSample(each["input"], decode_tensors(each["outputs"])) for each in recorded["samples"]]
        answers = tuple(RecordedAnswer(**each) for each in recorded.get("answers", []))
        origin = str(recorded["origin"])
    except (ValueError, KeyError, TypeError) as error:
        raise CheckError(f"{path}: not a golden: {error!r}.", fix=REBUILD) from error
    if not samples or len(samples) != manifest.golden.count:
        raise CheckError(f"{path}: {len(samples)} samples, the manifest says {manifest.golden.count}.", fix=REBUILD)
    return RecordedGolden(origin, tuple(samples), answers)


def decode_tensors(tensors: Mapping[str, Mapping[str, Any]]) -> Tensors:
    """Named tensors from JSON."""
    return {name: decode_tensor(tensor) for name, tensor in tensors.items()}


def decode_tensor(tensor: Mapping[str, Any]) -> Array:
    """A tensor from JSON: `dtype`, `shape`, and `data` in base64 of little-endian bytes.

    Raises: ValueError if the bytes do not fit dtype and shape.
    """
    try:
        dtype = np.dtype(str(tensor["dtype"])).newbyteorder("<")
        content = base64.b64decode(tensor["data"], validate=True)
    except (TypeError, binascii.Error) as error:
        raise ValueError(f"not a tensor: {error}") from error
    values: Array = np.frombuffer(content, dtype=dtype).reshape(tensor["shape"])
    return values
