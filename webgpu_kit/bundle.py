"""Variants -> Bundle: the folder `model/`, as chunks named by their hash and one manifest."""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Iterable, Mapping
from functools import partial
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from webgpu_kit.artifacts import Array, Bundle, Golden, Graph, PackedTensor, Source, Variant, VariantGraph
from webgpu_kit.errors import BundleError
from webgpu_kit.initializers import count_bytes, read_weight
from webgpu_kit.manifest import (
    BackendGraph,
    BundleEntry,
    Chunk,
    Expansion,
    File,
    GoldenEntry,
    Manifest,
    SiteManifest,
    SourceEntry,
    Span,
    Tools,
    VariantEntry,
)
from webgpu_kit.memory import DTYPE_BYTES, estimate_memory, matrices_made_at_load
from webgpu_kit.nodes import copy_frame
from webgpu_kit.parallel import map_variants
from webgpu_kit.recipe import Recipe
from webgpu_kit.tasks import TASKS
from webgpu_kit.vendor import CHUNK_BYTES, find_runtime

if TYPE_CHECKING:
    import onnx

INLINE_BYTES = 1024  # smaller weights stay in the graph file: a reference costs as much
ALIGNMENT = 64
TEXT_SUFFIXES = (".json", ".txt")  # kept in the chunk's name, so that hosts compress it
CHUNKS = "chunks"
WEIGHTS, EXPANDED = "weights.bin", "expanded.bin"


def write_bundle(
    source: Source,
    graph: Graph,
    variants: list[Variant],
    recipe: Recipe,
    task: str,
    out: Path,
    chunks: str = CHUNKS,
) -> Bundle:
    """Write `manifest.json`, the golden and all chunks into the new folder `out`. Raises BundleError.

    `chunks` is their folder, from `out`: bundles of one site share it, and equal chunks are there once.
    """
    try:
        out.mkdir(parents=True)
        (out / chunks).mkdir(exist_ok=True)
        golden_text = json.dumps(_golden_to_json(graph.golden), ensure_ascii=False, separators=(",", ":")).encode()
        digest = hashlib.sha256(golden_text).hexdigest()
        golden = GoldenEntry(path=f"golden.{digest[:16]}.json", sha256=digest, count=len(graph.golden.samples))
        (out / golden.path).write_bytes(golden_text)
        write = partial(_write_variant, out=out, chunks=chunks, settings=graph.settings)
        manifest = Manifest(
            name=recipe.name,
            title=recipe.shown_title,
            task=task,
            license=recipe.license or source.license,
            source=SourceEntry(uri=source.uri, revision=source.revision, sha256=source.sha256),
            tools=_read_tools(graph.exporter),
            interface=graph.interface,
            variants=map_variants(write, variants, graph),
            assets=[write_file(name, content, out, chunks) for name, content in sorted(graph.assets.items())],
            golden=golden,
            settings={**graph.settings, "page": TASKS[task].page_settings(graph.settings, recipe)},
        )
        (out / "manifest.json").write_text(manifest.model_dump_json(by_alias=True, indent=1), encoding="utf-8")
    except OSError as error:
        raise BundleError(
            f"{error.filename or out}: {error.strerror}.", fix="free some space, or give another folder with --out"
        ) from error
    return Bundle(path=out, manifest=manifest)


def _read_tools(exporter: str) -> Tools:
    runtime = json.loads((find_runtime() / "runtime.json").read_text(encoding="utf-8"))
    return Tools(
        webgpu_kit=version("webgpu-kit"),
        onnx=version("onnx"),
        onnxruntime=version("onnxruntime"),
        onnxruntime_web=runtime["onnxruntime_web"],
        exporter=exporter,
    )


def write_site_manifest(
    bundles: Mapping[str, Bundle],
    recipe: Recipe,
    settings: Mapping[str, Any],
    out: Path,
    questions: GoldenEntry | None = None,
) -> SiteManifest:
    """Write the `manifest.json` of a site with several bundles, by role, into the folder `out` that they lie in."""
    manifests = {role: bundle.manifest for role, bundle in bundles.items()}
    whole = SiteManifest(
        name=recipe.name,
        title=recipe.shown_title,
        task=recipe.task or "",
        license=recipe.license or ", ".join(dict.fromkeys(manifest.license for manifest in manifests.values())),
        bundles=[
            BundleEntry(role=role, name=manifest.name, manifest=f"{manifest.name}/manifest.json")
            for role, manifest in manifests.items()
        ],
        questions=questions,
        settings=dict(settings),
    )
    (out / "manifest.json").write_text(whole.model_dump_json(by_alias=True, indent=1), encoding="utf-8")
    return whole


def write_file(name: str, content: bytes | memoryview, folder: Path, chunks: str = CHUNKS) -> File:
    """Write `content` as files in `folder`/`chunks`, once for equal content. Gives paths relative to `folder`."""
    suffix = Path(name).suffix if Path(name).suffix in TEXT_SUFFIXES else ".bin"
    parts = []
    for start in range(0, max(len(content), 1), CHUNK_BYTES):
        part = content[start : start + CHUNK_BYTES]
        digest = hashlib.sha256(part).hexdigest()
        path = folder / chunks / (digest[:16] + suffix)
        if not path.exists():
            path.write_bytes(part)
        parts.append(Chunk(path=f"{chunks}/{path.name}", bytes=len(part), sha256=digest))
    whole = parts[0].sha256 if len(parts) == 1 else hashlib.sha256(content).hexdigest()
    return File(name=name, bytes=len(content), sha256=whole, chunks=parts)


class _Weights:
    """`weights.bin` as it grows: equal tensors are stored once."""

    def __init__(self) -> None:
        self.content = bytearray()
        self._places: dict[bytes, Span] = {}

    def add(self, raw: bytes) -> Span:
        key = hashlib.sha256(raw).digest()
        if key not in self._places:
            self.content.extend(b"\0" * (-len(self.content) % ALIGNMENT))
            self._places[key] = Span(offset=len(self.content), bytes=len(raw))
            self.content.extend(raw)
        return self._places[key]


def _write_variant(variant: Variant, out: Path, chunks: str, settings: Mapping[str, Any]) -> VariantEntry:
    weights, graphs, files = _Weights(), {}, {}
    shared = len({id(entry.model) for entry in variant.graphs.values()}) == 1
    for backend, entry in variant.graphs.items():
        name = "model.onnx" if shared else f"model.{backend}.onnx"
        model, graphs[backend] = _split_weights(entry, variant.packed, weights, name)
        files[name] = write_file(name, model.SerializeToString(deterministic=True), out, chunks)
    if weights.content:
        files[WEIGHTS] = write_file(WEIGHTS, memoryview(weights.content), out, chunks)
    weight_bytes = len(weights.content)
    for backend, graph in graphs.items():
        memory = estimate_memory(graph, variant.graphs[backend].model, weight_bytes, settings)
        graphs[backend] = graph.model_copy(update={"memory_bytes": memory.total, "heap_bytes": memory.heap})
    graph_bytes = max(file.bytes for name, file in files.items() if name != WEIGHTS)
    return VariantEntry(
        name=variant.name,
        dtype=variant.dtype,
        backends=list(variant.graphs),
        requires=list(variant.requires),
        # Only WebGPU limits a buffer, so its graph counts, where there is one.
        max_buffer_bytes=_largest_tensor(variant.graphs.get("webgpu", variant.graphs["wasm"]).model),
        memory_bytes=max(graph.memory_bytes for graph in graphs.values()),
        download_bytes=graph_bytes + weight_bytes,
        files=[files[name] for name in sorted(files)],
        graphs=graphs,
        parity=variant.parity,
    )


def _largest_tensor(model: onnx.ModelProto) -> int:
    return max([0, *(count_bytes(entry) for entry in model.graph.initializer), *matrices_made_at_load(model)])


def _split_weights(
    entry: VariantGraph, packed: Mapping[str, PackedTensor], weights: _Weights, file: str
) -> tuple[onnx.ModelProto, BackendGraph]:
    """Move weights out of a graph: into `weights`, or, where the page makes them, into the plan of expansions."""
    import onnx

    model = copy_frame(entry.model)
    model.graph.node.extend(entry.model.graph.node)
    plan: list[Expansion] = []
    expanded_bytes = 0
    for weight in entry.model.graph.initializer:
        initializer = model.graph.initializer.add(name=weight.name, data_type=weight.data_type, dims=weight.dims)
        if weight.name in entry.expanded:
            expansion = _plan_expansion(packed[weight.name], entry, weights, expanded_bytes)
            size = expansion.rows * expansion.columns * DTYPE_BYTES[expansion.dtype]
            _make_external(initializer, EXPANDED, expansion.offset, size)
            expanded_bytes = expansion.offset + size + (-size % ALIGNMENT)
            plan.append(expansion)
            continue
        raw = weight.raw_data or read_weight(weight).tobytes()
        if len(raw) >= INLINE_BYTES and weight.data_type != onnx.TensorProto.STRING:
            span = weights.add(raw)
            _make_external(initializer, WEIGHTS, span.offset, span.bytes)
        else:
            initializer.CopyFrom(weight)
    return model, BackendGraph(file=file, expanded_bytes=expanded_bytes, expand=plan)


def _plan_expansion(tensor: PackedTensor, entry: VariantGraph, weights: _Weights, offset: int) -> Expansion:
    steps = entry.steps.get(tensor.name)

    def store(part: Array | None) -> Span | None:
        return None if part is None else weights.add(np.ascontiguousarray(part).tobytes())

    data = store(tensor.data)
    assert data is not None
    return Expansion(
        name=tensor.name,
        kind=tensor.kind,
        dtype=entry.expanded[tensor.name],
        rows=tensor.rows,
        columns=tensor.columns,
        transpose=tensor.transpose,
        bits=tensor.bits,
        block_size=tensor.block_size,
        offset=offset,
        data=data,
        scales=store(tensor.scales),
        scales_dtype="float32" if tensor.scales is None else tensor.scales.dtype.name,
        zero_points=store(tensor.zero_points),
        offsets=store(tensor.offsets),
        super_scales=store(tensor.super_scales),
        super_offsets=store(tensor.super_offsets),
        super_size=tensor.super_size,
        codebook=list(tensor.codebook),
        row_scales=store(steps.scales if steps else None),
        row_zero_points=store(steps.zero_points if steps else None),
        column_factors=store(steps.factors if steps else None),
    )


def _make_external(initializer: onnx.TensorProto, location: str, offset: int, length: int) -> None:
    import onnx

    initializer.data_location = onnx.TensorProto.EXTERNAL
    for key, value in (("location", location), ("offset", offset), ("length", length)):
        initializer.external_data.add(key=key, value=str(value))


def encode_tensor(value: Array) -> dict[str, Any]:
    """An array as the golden and the page write it: dtype, shape, base64 of its little-endian bytes."""
    little = np.ascontiguousarray(value, dtype=value.dtype.newbyteorder("<"))
    return {"dtype": value.dtype.name, "shape": list(value.shape), "data": base64.b64encode(little.tobytes()).decode()}


def _golden_to_json(golden: Golden) -> dict[str, Any]:
    samples: Iterable[Any] = golden.samples
    return {
        "origin": golden.origin,
        "samples": [
            {"input": _input_to_json(sample.input), "outputs": _input_to_json(sample.outputs)} for sample in samples
        ],
        **({"answers": list(golden.answers)} if golden.answers else {}),
    }


def _input_to_json(value: Any) -> Any:
    if isinstance(value, np.ndarray):
        return encode_tensor(value)
    if isinstance(value, Mapping):
        return {key: _input_to_json(item) for key, item in value.items()}
    return value
