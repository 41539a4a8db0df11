from __future__ import annotations

import base64
import hashlib
import json
from pathlib import Path

import numpy as np
import onnx
import pytest

from webgpu_kit import bundle
from webgpu_kit.bundle import encode_tensor, write_file
from webgpu_kit.errors import BundleError
from webgpu_kit.manifest import MANIFEST_PATH, File, Manifest, read_manifest


def join_chunks(folder: Path, file: File) -> bytes:
    return b"".join((folder / chunk.path).read_bytes() for chunk in file.chunks)


def test_every_chunk_is_what_the_manifest_says(built_digits: Path) -> None:
    manifest = read_manifest(built_digits)
    files = [file for variant in manifest.variants for file in variant.files]
    assert files
    for file in files:
        content = join_chunks(built_digits / "model", file)
        assert len(content) == file.bytes and hashlib.sha256(content).hexdigest() == file.sha256
        for chunk in file.chunks:
            raw = (built_digits / "model" / chunk.path).read_bytes()
            assert len(raw) == chunk.bytes <= 24 * 1024 * 1024
            assert hashlib.sha256(raw).hexdigest() == chunk.sha256 and chunk.sha256[:16] in chunk.path
    golden = (built_digits / "model" / manifest.golden.path).read_bytes()
    assert hashlib.sha256(golden).hexdigest() == manifest.golden.sha256
    assert len(json.loads(golden)["samples"]) == manifest.golden.count >= 8


def test_graphs_refer_only_to_weights_that_are_there(built_digits: Path) -> None:
    for variant in read_manifest(built_digits).variants:
        sizes = {file.name: file.bytes for file in variant.files}
        for graph in variant.graphs.values():
            file = next(file for file in variant.files if file.name == graph.file)
            model = onnx.load_from_string(join_chunks(built_digits / "model", file))
            for initializer in model.graph.initializer:
                if initializer.data_location == onnx.TensorProto.EXTERNAL:
                    place = {entry.key: entry.value for entry in initializer.external_data}
                    limit = graph.expanded_bytes if place["location"] == "expanded.bin" else sizes[place["location"]]
                    assert int(place["offset"]) + int(place["length"]) <= limit
            for expansion in graph.expand:
                for span in (expansion.data, expansion.scales, expansion.zero_points):
                    assert span is None or span.offset + span.bytes <= sizes["weights.bin"]
        assert variant.download_bytes <= sum(sizes.values())
        assert variant.memory_bytes >= variant.download_bytes


def test_a_large_file_is_cut_into_chunks_and_equal_content_is_stored_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bundle, "CHUNK_BYTES", 1000)
    (tmp_path / "chunks").mkdir()
    content = np.random.default_rng(0).bytes(2500)
    first, second = write_file("a.bin", content, tmp_path), write_file("b.bin", content, tmp_path)
    assert [chunk.bytes for chunk in first.chunks] == [1000, 1000, 500]
    assert join_chunks(tmp_path, first) == content
    assert first.chunks == second.chunks and len(list((tmp_path / "chunks").iterdir())) == 3
    empty = write_file("empty.json", b"", tmp_path)
    assert empty.bytes == 0 and empty.chunks[0].path.endswith(".json")


def test_tensors_are_written_little_endian() -> None:
    value = np.array([[1, 256]], dtype=">i4")
    encoded = encode_tensor(value)
    assert encoded["dtype"] == "int32" and encoded["shape"] == [1, 2]
    assert base64.b64decode(encoded["data"]) == b"\x01\0\0\0\0\x01\0\0"


def test_what_is_no_site_is_said(tmp_path: Path, digits_site: Path) -> None:
    with pytest.raises(BundleError, match=r"not a site, it has no model/manifest\.json"):
        read_manifest(tmp_path)
    path = digits_site / MANIFEST_PATH
    broken = json.loads(path.read_text())
    del broken["variants"][0]["parity"]
    path.write_text(json.dumps(broken))
    with pytest.raises(BundleError, match=r"not a valid manifest: variants.0.parity: Field required"):
        read_manifest(digits_site)


def test_the_manifest_has_a_json_schema() -> None:
    schema = Manifest.model_json_schema()
    assert {"schema", "variants", "golden", "interface", "settings"} <= set(schema["properties"])
