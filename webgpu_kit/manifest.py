"""`model/manifest.json`, the only contract between Python and the page, as pydantic models.

Field names are promises to others (DESIGN.md section 6). All sizes are in bytes.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from webgpu_kit.errors import BundleError

SCHEMA_VERSION = 1
MANIFEST_PATH = "model/manifest.json"

Backend = Literal["webgpu", "wasm"]
Dtype = Literal["fp32", "fp16", "q8", "q4", "q4f16"]
PackedKind = Literal["blocks", "levels", "float16", "bfloat16"]
ExpandedDtype = Literal["float32", "float16", "uint8"]


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Chunk(_Part):
    """One file on the wire, at most 24 MiB; `path` is relative to the file that lists it and holds the hash."""

    path: str
    bytes: int
    sha256: str


class File(_Part):
    """A logical file: its chunks joined in order. `sha256` is that of the whole."""

    name: str
    bytes: int
    sha256: str
    chunks: list[Chunk]


class TensorSpec(_Part):
    """An input or output: ONNX dtype name (`float32`, `int64`, `bool`, ...) and shape (ints and named dims)."""

    name: str
    dtype: str
    shape: list[int | str]


class Interface(_Part):
    """What the graph takes and gives."""

    inputs: list[TensorSpec]
    outputs: list[TensorSpec]


class Span(_Part):
    """Where a stored tensor lies in the variant's `weights.bin`: byte offset and length."""

    offset: int
    bytes: int


class Expansion(_Part):
    """How the worker makes one tensor of `expanded.bin` from packed parts of `weights.bin`, once, at load.

    `blocks`: `data` is uint8 (rows, ceil(columns / block_size), block_size * bits / 8), each q lowest bits first, as
    MatMulNBits stores it; `scales` is float32 or float16 (rows, blocks); `zero_points`, where given, is uint8
    (rows, ceil(blocks * bits / 8)), else 2 ** (bits - 1). Value = (q - zero_point) * scale. Where `offsets` is given,
    of the dtype and shape of `scales`, there is no zero point: value = q * scale + offset. Where `codebook` is given,
    2 ** bits integers of -128 to 127, codebook[q] stands for q, without a zero point.
    Where `super_scales` is given, float16 (rows, ceil(blocks / super_size)), `scales` is uint8 and every `super_size`
    blocks share one: scale = (scales - 128) * super_scale. `super_offsets` is the same for `offsets`.
    `levels`: no scales; `data` and `codebook` as above, value = codebook[q] + 128: what an 8-bit operator computes on.
    `float16`, `bfloat16`: `data` is that (rows, columns).
    Where `row_scales` is given, float32 (rows,), the value becomes an 8-bit integer: it is multiplied with its column's
    of `column_factors`, float32 (columns,), divided by its row's of `row_scales`, rounded (halves up), its row's of
    `row_zero_points`, uint8 (rows,), added, and held to 0..255.
    The result is written at `offset` as `dtype` (levels and integers: uint8), (rows, columns), or (columns, rows) when
    `transpose`.
    """

    name: str
    kind: PackedKind
    dtype: ExpandedDtype
    rows: int
    columns: int
    transpose: bool = False
    bits: int
    block_size: int = 0
    offset: int
    data: Span
    scales: Span | None = None
    scales_dtype: Literal["float32", "float16", "uint8"] = "float32"
    zero_points: Span | None = None
    offsets: Span | None = None
    super_scales: Span | None = None
    super_offsets: Span | None = None
    super_size: int = 0
    codebook: list[int] = Field(default_factory=list)
    row_scales: Span | None = None
    row_zero_points: Span | None = None
    column_factors: Span | None = None


class BackendGraph(_Part):
    """What one backend loads: the graph file, and how its `expanded.bin` is made.

    The graph's external data are `weights.bin` (a file of the variant, where it has one) and, when
    `expanded_bytes` > 0, `expanded.bin` (made in the worker). `memory_bytes` is what it takes at
    its peak: while it is loaded or, where that is more, in a long chat. `heap_bytes` are those of them that lie in
    ONNX Runtime's heap (4 GiB at most on wasm); the download lies outside of it.
    """

    file: str
    expanded_bytes: int = 0
    memory_bytes: int = 0
    heap_bytes: int = 0
    expand: list[Expansion] = Field(default_factory=list)


class Parity(_Part):
    """How far a variant is from the golden: the task's metric (smaller is better) and the plain maximum.

    `method` says in plain words how the weights were rounded. `details` are further figures; of a language model those
    of a whole text: `kl_divergence`, `top1_agreement`, `perplexity_ratio`, `positions`.
    """

    metric: str
    value: float
    threshold: float
    max_abs_error: float
    method: str = ""
    details: dict[str, float] = Field(default_factory=dict)


class VariantEntry(_Part):
    """One dtype of the model, and what a browser needs to run it."""

    name: str
    dtype: Dtype
    backends: list[Backend]
    requires: list[str] = Field(description="WebGPU features that the webgpu backend needs, such as shader-f16")
    max_buffer_bytes: int
    memory_bytes: int
    download_bytes: int
    files: list[File]
    graphs: dict[Backend, BackendGraph]
    parity: Parity


class SourceEntry(_Part):
    """Where the weights came from."""

    uri: str
    revision: str
    sha256: str


class Tools(_Part):
    """The versions that made this bundle."""

    webgpu_kit: str
    onnx: str
    onnxruntime: str
    onnxruntime_web: str
    exporter: str


class GoldenEntry(_Part):
    """The recorded inputs and the original framework's outputs; `path` is relative to the manifest."""

    path: str
    sha256: str
    count: int


class Manifest(_Part):
    """The whole bundle. Variants come best first."""

    schema_: int = Field(alias="schema", default=SCHEMA_VERSION)
    name: str
    title: str
    task: str
    license: str
    source: SourceEntry
    tools: Tools
    interface: Interface
    variants: list[VariantEntry]
    assets: list[File]
    golden: GoldenEntry
    settings: dict[str, Any]


class BundleEntry(_Part):
    """One of a site's several bundles: what the page uses it for, and its manifest, relative to the file that says so.

    The page at `/?model=<name>` loads this bundle alone.
    """

    role: str
    name: str
    manifest: str = Field(pattern=r"^[a-z0-9][a-z0-9._-]*/manifest\.json$")


class IndexModel(_Part):
    """The model whose embeddings an index holds; `sha256` is that of its weights."""

    name: str
    sha256: str
    variant: str
    dimensions: int


class IndexEntry(_Part):
    """An index that was made ahead, which the page offers as a collection that cannot be changed."""

    name: str
    documents: int
    passages: int
    model: IndexModel
    file: File


class SiteManifest(_Part):
    """`model/manifest.json` of a site with several bundles. Each has a manifest of its own; they share chunks."""

    schema_: int = Field(alias="schema", default=SCHEMA_VERSION)
    name: str
    title: str
    task: str
    license: str
    bundles: list[BundleEntry] = Field(min_length=1)
    questions: GoldenEntry | None = Field(
        default=None, description="questions about the sample documents, with the original model's embeddings"
    )
    indexes: list[IndexEntry] = Field(default_factory=list)
    settings: dict[str, Any]


def read_site_manifest(site: Path) -> SiteManifest | None:
    """The list of bundles of the site in folder `site`; None where it has only one. Raises BundleError."""
    path = site / MANIFEST_PATH
    try:
        found = json.loads(path.read_bytes())
        return SiteManifest.model_validate(found) if "bundles" in found else None
    except (OSError, TypeError, json.JSONDecodeError, UnicodeDecodeError):
        return None  # `read_manifest` says what is wrong with it
    except ValidationError as error:
        raise _describe_invalid(path, error) from error


def read_manifest(site: Path, where: str = MANIFEST_PATH) -> Manifest:
    """Read and validate the manifest at `where` in the site in folder `site`. Raises BundleError."""
    path = site / where
    if not path.is_file():
        raise BundleError(f"{site}: not a site, it has no {where}.", fix="webgpu-kit build MODEL --out " + str(site))
    try:
        return Manifest.model_validate_json(path.read_bytes())
    except ValidationError as error:
        raise _describe_invalid(path, error) from error


def _describe_invalid(path: Path, error: ValidationError) -> BundleError:
    first = error.errors()[0]
    place = ".".join(str(part) for part in first["loc"])
    return BundleError(f"{path}: not a valid manifest: {place}: {first['msg']}.", fix="build the site again")
