"""What may be a model's files: everything that is checked before anything reads the weights.

Nothing here is ever unpickled or run. Each refusal names the file, what it is instead, and the next step.
"""

from __future__ import annotations

import difflib
import hashlib
import json
import struct
from collections.abc import Iterable, Iterator
from pathlib import Path, PureWindowsPath
from typing import Any

import onnx
from google.protobuf.message import DecodeError  # type: ignore[import-untyped, unused-ignore]
from onnx.external_data_helper import ExternalDataInfo, uses_external_data

from webgpu_kit.artifacts import SourceKind
from webgpu_kit.errors import SourceError

PICKLED_SUFFIXES = (".bin", ".pt", ".pth", ".ckpt", ".pkl", ".pickle", ".h5", ".msgpack")
SAFETENSORS_FIX = (
    "convert them where you trust them: load the model there and call save_pretrained(folder, safe_serialization=True)"
)
_MAX_SAFETENSORS_HEADER_BYTES = 100_000_000


def check_model_files(path: Path) -> SourceKind:
    """Check the `.onnx` or `.gguf` file, or the Hugging Face folder, at `path`, and tell which it is.

    Raises: SourceError, naming what is wrong and what to do about it.
    """
    if path.is_dir():
        _check_folder(path)
        return "folder"
    suffix = path.suffix.lower()
    if suffix in PICKLED_SUFFIXES:
        raise SourceError(f"{path}: '{suffix}' files hold pickled weights, which can run code.", fix=SAFETENSORS_FIX)
    if suffix == ".safetensors":
        raise SourceError(f"{path}: weights alone are no model.", fix=f"give its folder: {path.parent}")
    if suffix not in (".onnx", ".gguf"):
        raise SourceError(
            f"{path}: '{suffix or path.name}' is not a model file.",
            fix="give an .onnx or .gguf file, or a Hugging Face folder",
        )
    _check_first_bytes(path)
    if suffix == ".onnx":
        check_external_data(path, load_onnx_graph(path))
        return "onnx"
    _check_gguf(path)
    return "gguf"


def hash_model_files(path: Path) -> str:
    """sha256 of what `path` holds, in hexadecimal.

    A file: its bytes, then those of its external data files in name order. A folder: the bytes of its
    weight files (safetensors) in name order. So for a single file it is what `sha256sum` prints.
    """
    if path.is_dir():
        files = find_weight_files(path)
    else:
        files = [path]
        if path.suffix.lower() == ".onnx":
            files += [path.parent / name for name in sorted(external_locations(load_onnx_graph(path)))]
    digest = hashlib.sha256()
    for file in files:
        with file.open("rb") as stream:
            while block := stream.read(1 << 20):
                digest.update(block)
    return digest.hexdigest()


def find_weight_files(folder: Path) -> list[Path]:
    """The safetensors files of a Hugging Face folder, in name order."""
    return sorted(folder.glob("*.safetensors"))


def suggest_names(name: str, existing: Iterable[str]) -> str:
    """`fix` text that offers the names nearest to `name`, or the first few there are."""
    names = sorted(existing)
    near = difflib.get_close_matches(name, names, n=3, cutoff=0.5)
    if near:
        return "did you mean " + " or ".join(near) + "?"
    return "there are: " + ", ".join(names[:8]) + (", ..." if len(names) > 8 else "") if names else "check the path"


def read_card_license(folder: Path) -> str:
    """The licence that the model card (README.md) in `folder` gives in its front matter, or ''."""
    card = folder / "README.md"
    if not card.is_file():
        return ""
    from huggingface_hub import metadata_load

    try:
        fields = metadata_load(card) or {}
    except Exception:  # a card is free text: one whose YAML does not parse gives no licence
        return ""
    license_ = fields.get("license_name") if fields.get("license") == "other" else fields.get("license")
    return ", ".join(license_) if isinstance(license_, list) else str(license_ or "")


# --- ONNX -----------------------------------------------------------------------------------------------------


def load_onnx_graph(path: Path) -> onnx.ModelProto:
    """Decode the `.onnx` file at `path`, leaving external data where they are."""
    try:
        model = onnx.load(path, load_external_data=False)
    except DecodeError as error:
        size = path.stat().st_size
        with path.open("rb") as stream:
            head = stream.read(8)
        if head[:1] == b"\x08":  # field 1, ir_version, which every writer puts first
            raise SourceError(
                f"{path}: the file is truncated or damaged: its {size:,} bytes do not decode as ONNX.",
                fix="fetch the file again and compare its size with the original's",
            ) from error
        raise SourceError(
            f"{path}: not an ONNX file: its {size:,} bytes begin with {head.hex(' ')}.",
            fix="give a file that an ONNX exporter wrote",
        ) from error
    if not model.graph.node and not model.graph.output:
        raise SourceError(
            f"{path}: not an ONNX model: it decodes, but holds no graph.", fix="give a file that an ONNX exporter wrote"
        )
    return model


def _tensors(graph: onnx.GraphProto) -> Iterator[onnx.TensorProto]:
    yield from graph.initializer
    for sparse in graph.sparse_initializer:
        yield from (sparse.values, sparse.indices)
    yield from _node_tensors(graph.node)


def _node_tensors(nodes: Iterable[onnx.NodeProto]) -> Iterator[onnx.TensorProto]:
    for node in nodes:
        for attribute in node.attribute:
            yield from ([attribute.t] if attribute.HasField("t") else [])
            yield from attribute.tensors
            for graph in (*([attribute.g] if attribute.HasField("g") else []), *attribute.graphs):
                yield from _tensors(graph)


def _external_tensors(model: onnx.ModelProto) -> Iterator[onnx.TensorProto]:
    for tensor in _tensors(model.graph):
        if uses_external_data(tensor):
            yield tensor
    for function in model.functions:
        yield from (tensor for tensor in _node_tensors(function.node) if uses_external_data(tensor))


def external_locations(model: onnx.ModelProto) -> set[str]:
    """The file names that the tensors of `model` name as their external data."""
    return {ExternalDataInfo(tensor).location for tensor in _external_tensors(model)}


def check_external_data(path: Path, model: onnx.ModelProto) -> None:
    """Check that every external tensor of the model at `path` lies whole in a plain file beside it."""
    sizes: dict[str, int] = {}
    for tensor in _external_tensors(model):
        try:
            information = ExternalDataInfo(tensor)
        except ValueError as error:  # an offset or length that is no number, or is negative
            raise SourceError(f"{path}: tensor '{tensor.name}': {error}.", fix="export the model again") from error
        location = information.location
        if location not in sizes:
            sizes[location] = _check_location(path, location)
        end = (information.offset or 0) + (information.length or 0)
        if end > sizes[location]:
            raise SourceError(
                f"{path}: tensor '{tensor.name}' ends at byte {end:,} of its external data '{location}', "
                f"which has {sizes[location]:,} bytes.",
                fix=f"fetch {location} again: it is truncated or belongs to another model",
            )


def _check_location(path: Path, location: str) -> int:
    """Check one external file name and give the file's size in bytes."""
    parts = PureWindowsPath(location)  # reads both separators, and drives
    if not location or parts.is_absolute() or parts.drive or parts.root or ".." in parts.parts:
        raise SourceError(
            f"{path}: its external data '{location}' lie outside the model's own folder {path.parent}.",
            fix="save the model again with its data beside it, under a relative name (onnx.save_model with location=)",
        )
    file = path.parent
    for part in parts.parts:
        file = file / part
        if file.is_symlink():
            raise SourceError(
                f"{path}: its external data '{location}' go through the symbolic link {file}.",
                fix="copy the model with its data as plain files (cp -rL) and give the copy",
            )
    if not file.is_file():
        existing = [entry.name for entry in path.parent.iterdir()]
        raise SourceError(
            f"{path}: its external data file '{location}' is missing.",
            fix=f"put it into {path.parent}; {suggest_names(location, existing)}",
        )
    if file.stat().st_nlink > 1:
        raise SourceError(
            f"{path}: its external data '{location}' are a hard link, which onnx refuses to read.",
            fix="copy the model with its data as plain files (cp -r) and give the copy",
        )
    _check_first_bytes(file)
    return file.stat().st_size


# --- other files ----------------------------------------------------------------------------------------------


def _check_first_bytes(path: Path) -> None:
    """Refuse what is often found under a model's name: nothing, an LFS pointer, a web page, a checkpoint."""
    with path.open("rb") as stream:
        head = stream.read(512)
    if not head:
        raise SourceError(f"{path}: the file is empty.", fix="fetch it again")
    if head.startswith(b"version https://git-lfs"):
        raise SourceError(f"{path}: a Git LFS pointer, not the file itself.", fix=f"git lfs pull (in {path.parent})")
    if head.lstrip(b"\xef\xbb\xbf \t\r\n").lower().startswith((b"<!doctype html", b"<html")):
        raise SourceError(
            f"{path}: an HTML page, not a model.", fix="use the download's own link, not that of the page that shows it"
        )
    if path.suffix.lower() in (".onnx", ".gguf") and head.startswith((b"PK\x03\x04", b"\x80\x02", b"\x80\x04")):
        raise SourceError(
            f"{path}: a zip archive or pickled checkpoint, not a model file; it is not unpickled.",
            fix="unpack it, or export the model to ONNX where you trust it",
        )


def _check_gguf(path: Path) -> None:
    with path.open("rb") as stream:
        head = stream.read(24)
    if len(head) < 24 or head[:4] != b"GGUF":
        raise SourceError(f"{path}: not a GGUF file: it begins with {head[:4].hex(' ')}.", fix="give a .gguf file")
    (version,) = struct.unpack_from("<I", head, 4)
    if version not in (2, 3):
        raise SourceError(f"{path}: GGUF version {version} is not supported. Supported: 2, 3.", fix="convert it again")


def _check_folder(folder: Path) -> None:
    names = {entry.name for entry in folder.iterdir()}
    weights = find_weight_files(folder)
    pickled = sorted(name for name in names if name.endswith(PICKLED_SUFFIXES))
    inner = sorted(folder.rglob("*.onnx")) or sorted(folder.rglob("*.gguf"))
    if not weights and inner:
        raise SourceError(f"{folder}: ONNX or GGUF files, but no safetensors.", fix=f"name one file: {inner[0]}")
    if not weights and pickled:
        listed = ", ".join(pickled)
        raise SourceError(f"{folder}: only pickled weights ({listed}), which can run code.", fix=SAFETENSORS_FIX)
    if "config.json" not in names:
        raise SourceError(
            f"{folder}: not a Hugging Face folder: it has no config.json.",
            fix=suggest_names("config.json", names) if names else "the folder is empty: fetch the model again",
        )
    if not weights:
        raise SourceError(f"{folder}: no weights: it has no *.safetensors file.", fix=SAFETENSORS_FIX)
    _check_index(folder, names)
    for file in weights:
        _check_safetensors(file)


def _check_index(folder: Path, names: set[str]) -> None:
    """Check that every shard that the index names is there."""
    index = folder / "model.safetensors.index.json"
    if not index.is_file():
        return
    try:
        shards = set(json.loads(index.read_text("utf-8"))["weight_map"].values())
    except (ValueError, KeyError, AttributeError) as error:
        raise SourceError(f"{index}: not an index of safetensors shards: {error}.", fix="fetch it again") from error
    if missing := sorted(shards - names):
        raise SourceError(
            f"{folder}: {len(missing)} of {len(shards)} weight files are missing: {', '.join(missing[:5])}.",
            fix="fetch the model again",
        )


def _check_safetensors(path: Path) -> None:
    """Check that the header decodes and that the file holds every byte the header promises."""
    _check_first_bytes(path)
    size = path.stat().st_size
    with path.open("rb") as stream:
        (length,) = struct.unpack("<Q", stream.read(8).ljust(8, b"\xff"))
        try:
            header: dict[str, Any] = json.loads(stream.read(min(length, _MAX_SAFETENSORS_HEADER_BYTES)))
            ends = [entry["data_offsets"][1] for name, entry in header.items() if name != "__metadata__"]
        except (ValueError, AttributeError, KeyError, TypeError, IndexError) as error:
            raise SourceError(f"{path}: truncated or no safetensors file at all.", fix="fetch it again") from error
    expected = 8 + length + max(ends, default=0)
    if size < expected:
        raise SourceError(f"{path}: truncated: {size:,} of {expected:,} bytes.", fix="fetch it again")
