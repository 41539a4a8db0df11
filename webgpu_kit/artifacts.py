"""Every artifact of a model's walk, in order. Read this first.

    Recipe -> Source -> Graph -> Graph -> [Variant] -> Bundle -> Site
             fetch     export   prepare  quantize     bundle    render

Each is frozen: a stage takes the artifact before it and gives the next one.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from webgpu_kit.manifest import Backend, Dtype, ExpandedDtype, Interface, Manifest, PackedKind, Parity, SiteManifest

if TYPE_CHECKING:
    import onnx

Array = np.ndarray[Any, np.dtype[Any]]
Tensors = dict[str, Array]
SourceKind = Literal["onnx", "gguf", "folder", "module"]

# A graph that runs: feeds in, named outputs out.
Run = Callable[[Tensors], Tensors]

# Called with one line of plain text whenever something long starts.
Progress = Callable[[str], None]


@dataclass(frozen=True)
class Source:
    """The model's files, local now.

    `path` is the `.onnx` file or the Hugging Face folder; `sha256` is that of the file, or of the folder's
    weight files in name order. `module` is set only when Python handed over a torch module.
    """

    uri: str
    revision: str
    sha256: str
    kind: SourceKind
    path: Path
    license: str = "unknown"
    module: Any = None


@dataclass(frozen=True)
class Sample:
    """One golden sample.

    `input` is task-shaped, as `kit.run` takes it: JSON values, with arrays where tensors belong.
    `feeds` is the same as the graph takes it. `outputs` is what the original framework gave.
    """

    input: Mapping[str, Any]
    feeds: Tensors
    outputs: Tensors


@dataclass(frozen=True)
class Golden:
    """Recorded inputs with the original framework's outputs. `origin` names that framework and its version.

    `answers` are whole answers of a model that talks, as `tasks/greedy_answer.py` describes them.
    """

    origin: str
    samples: tuple[Sample, ...]
    answers: tuple[Mapping[str, Any], ...] = ()


@dataclass(frozen=True)
class Graph:
    """One ONNX model with its interface and golden; weights are inside `model`, or in files that it names.

    Those files lie in `storage`, a temporary folder that goes when nothing holds it any more.
    `assets` are files the page needs beside the model (tokenizer.json), by name.
    `settings` goes into the manifest for the page. `passes` names what was done to the graph, in order.
    A source whose weights are packed already gives those too: `packed`, by initializer, equal to what `model` holds,
    and `packed_dtype`, the variant that ships them as they are.
    """

    model: onnx.ModelProto
    interface: Interface
    golden: Golden
    exporter: str
    assets: Mapping[str, bytes] = field(default_factory=dict)
    settings: Mapping[str, Any] = field(default_factory=dict)
    passes: tuple[str, ...] = ()
    packed: Mapping[str, PackedTensor] = field(default_factory=dict)
    packed_dtype: Dtype | None = None
    storage: Any = None


@dataclass(frozen=True)
class PackedTensor:
    """A weight as it travels: blocks of `bits`-wide integers with a scale each, or 16-bit floats.

    All arrays are laid out as `manifest.Expansion` says, where `levels` are the integers without their scales.
    """

    name: str
    kind: PackedKind
    bits: int
    block_size: int
    rows: int
    columns: int
    transpose: bool
    shape: tuple[int, ...]
    data: Array
    scales: Array | None = None
    zero_points: Array | None = None
    offsets: Array | None = None
    super_scales: Array | None = None
    super_offsets: Array | None = None
    super_size: int = 0
    codebook: tuple[int, ...] = ()


@dataclass(frozen=True)
class IntegerSteps:
    """How the values of a packed weight, (rows, columns), are rounded to the integers that a product computes on.

    Integer = value * factors[column] / scales[row] + zero_points[row], rounded and held to 0..255.
    Shapes: `factors` float32 (columns,), `scales` float32 (rows,), `zero_points` uint8 (rows,).
    """

    factors: Array
    scales: Array
    zero_points: Array


@dataclass(frozen=True)
class VariantGraph:
    """The graph one backend loads.

        Initializers named in `expanded` are not stored in the bundle: the page makes them, in the dtype given, from the
        packed tensor of the same name. Those named in `steps` too are rounded to 8-bit integers then.
    Their values are in `model` until it has been measured.
    """

    model: onnx.ModelProto
    expanded: Mapping[str, ExpandedDtype] = field(default_factory=dict)
    steps: Mapping[str, IntegerSteps] = field(default_factory=dict)


@dataclass(frozen=True)
class Variant:
    """A graph in one dtype, with its measured parity against the golden."""

    name: str
    dtype: Dtype
    graphs: Mapping[Backend, VariantGraph]
    packed: Mapping[str, PackedTensor]
    requires: tuple[str, ...]
    parity: Parity


@dataclass(frozen=True)
class Bundle:
    """A model in a site, written: the folder that its manifest stands in (`model/`, or `model/<name>/`)."""

    path: Path
    manifest: Manifest


@dataclass(frozen=True)
class Site:
    """The static folder: page, runtime, bundles. With one bundle `manifest` is that bundle's own."""

    path: Path
    manifest: Manifest | SiteManifest
    bundles: tuple[Bundle, ...]
