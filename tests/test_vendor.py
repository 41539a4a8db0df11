from __future__ import annotations

import gzip
import hashlib
import json
import os
import re
from pathlib import Path

import brotli
import pytest

from webgpu_kit import vendor
from webgpu_kit.errors import BundleError
from webgpu_kit.vendor import find_runtime, models_folder, templates_folder, vendor_runtime

SMALL_CHUNK_BYTES = 64 * 1024  # compressing chunks of the real size, for every test here, takes half a minute


@pytest.fixture
def node_modules(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Packages with the real file names, small, as chunks are here: one wasm of them is bigger than a chunk."""
    monkeypatch.setattr(vendor, "CHUNK_BYTES", SMALL_CHUNK_BYTES)
    root = tmp_path / "node_modules"
    dist = root / "onnxruntime-web" / "dist"
    dist.mkdir(parents=True)
    (root / "onnxruntime-web" / "package.json").write_text('{"version": "1.2.3"}')
    for module, stem in vendor.BUILDS.values():
        (dist / module).write_text(f"export const name = {module!r};\n//# sourceMappingURL={module}.map\n")
        (dist / f"{stem}.mjs").write_text(f"export default {stem!r};")
        (dist / f"{stem}.wasm").write_bytes(stem.encode() * 10)
    big = os.urandom(SMALL_CHUNK_BYTES) + b"tail"
    (dist / "ort-wasm-simd-threaded.asyncify.wasm").write_bytes(big)
    tokenizers = root / "@huggingface" / "tokenizers"
    (tokenizers / "dist").mkdir(parents=True)
    (tokenizers / "package.json").write_text('{"version": "0.0.9"}')
    (tokenizers / "dist" / "tokenizers.min.mjs").write_text("export const t = 1;")
    (tokenizers / "LICENSE").write_text("The tokenizers' own licence.")
    jinja = root / "@huggingface" / "jinja"
    (jinja / "dist").mkdir(parents=True)
    (jinja / "package.json").write_text('{"version": "0.0.7"}')
    (jinja / "dist" / "index.js").write_text("export const j = 1;")
    (jinja / "LICENSE").write_text("The template engine's own licence.")
    xgrammar = root / "@mlc-ai" / "web-xgrammar"
    (xgrammar / "lib").mkdir(parents=True)
    (xgrammar / "package.json").write_text('{"version": "0.0.3"}')
    (xgrammar / "lib" / "index.js").write_text("globalThis.xgrammar = 1;\n//# sourceMappingURL=index.js.map")
    for name, file in (("marked", "lib/marked.esm.js"), ("dompurify", "dist/purify.es.mjs")):
        (root / name / file).parent.mkdir(parents=True)
        (root / name / "package.json").write_text('{"version": "0.0.5"}')
        (root / name / file).write_text(f"export const name = {name!r};\n//# sourceMappingURL={name}.map\n")
        (root / name / "LICENSE").write_text(f"The licence of {name}.")
    pdfjs = root / "pdfjs-dist"
    for file in ("legacy/build/pdf.min.mjs", "legacy/build/pdf.worker.min.mjs", "cmaps/A.bcmap", "cmaps/B.bcmap"):
        (pdfjs / file).parent.mkdir(parents=True, exist_ok=True)
        (pdfjs / file).write_text(f"{file}")
    (pdfjs / "package.json").write_text('{"version": "0.0.6"}')
    (pdfjs / "LICENSE").write_text("The licence of pdf.js.")
    (pdfjs / "cmaps" / "LICENSE").write_text("The licence of the tables.")
    return root


def snapshot(folder: Path) -> dict[str, tuple[bytes, int]]:
    return {str(path): (path.read_bytes(), path.stat().st_mtime_ns) for path in list_files(folder)}


def list_files(folder: Path) -> list[Path]:
    return sorted(path for path in folder.rglob("*") if path.is_file())


def test_chunks_join_to_the_wasm_and_carry_their_hash(node_modules: Path, tmp_path: Path) -> None:
    out = tmp_path / "runtime"
    vendor_runtime(node_modules, out)
    runtime = json.loads((out / "runtime.json").read_text())
    assert runtime["onnxruntime_web"] == "1.2.3"
    assert set(runtime["builds"]) == {"jspi", "asyncify", "wasm"}
    assert len(runtime["builds"]["asyncify"]["wasm"]["chunks"]) == 2
    for build in runtime["builds"].values():
        wasm = build["wasm"]
        original = (node_modules / "onnxruntime-web" / "dist" / wasm["name"]).read_bytes()
        parts = []
        for chunk in wasm["chunks"]:
            part = (out / chunk["path"]).read_bytes()
            assert len(part) == chunk["bytes"] <= SMALL_CHUNK_BYTES
            assert hashlib.sha256(part).hexdigest() == chunk["sha256"]
            assert re.fullmatch(rf".*\.{chunk['sha256'][:16]}\.wasm", chunk["path"])
            parts.append(part)
        assert b"".join(parts) == original
        assert wasm["bytes"] == len(original)
        assert wasm["sha256"] == hashlib.sha256(original).hexdigest()
        assert (out / build["module"]).is_file()
        assert (out / build["glue"]).is_file()
    assert (out / runtime["tokenizers"]).is_file()
    assert (out / runtime["xgrammar"]).read_text() == "globalThis.xgrammar = 1;\n"
    assert (out / runtime["jinja"]).read_text() == "export const j = 1;"
    for name in ("marked", "dompurify"):
        assert (out / runtime[name]).read_text() == f"export const name = {name!r};\n"
    assert (out / runtime["pdfjs"]).read_text() == "legacy/build/pdf.min.mjs"
    assert (out / runtime["pdfjs_worker"]).read_text() == "legacy/build/pdf.worker.min.mjs"
    assert [path.name for path in list_files(out / runtime["pdfjs_cmaps"])] == ["A.bcmap", "B.bcmap"]


def test_siblings_decode_to_the_file(node_modules: Path, tmp_path: Path) -> None:
    out = tmp_path / "runtime"
    vendor_runtime(node_modules, out)
    sources = [path for path in list_files(out) if path.suffix in (".mjs", ".wasm")]
    assert len(sources) == 3 + 3 + 4 + 5 + 2
    for path in sources:
        assert brotli.decompress(Path(f"{path}.br").read_bytes()) == path.read_bytes()
        assert gzip.decompress(Path(f"{path}.gz").read_bytes()) == path.read_bytes()


def test_no_source_map_is_named(node_modules: Path, tmp_path: Path) -> None:
    vendor_runtime(node_modules, tmp_path / "runtime")
    text = (tmp_path / "runtime" / "ort.jspi.min.mjs").read_text()
    assert text == "export const name = 'ort.jspi.min.mjs';\n"


def test_licenses_name_every_package_and_the_code_inside_the_wasm(node_modules: Path, tmp_path: Path) -> None:
    vendor_runtime(node_modules, tmp_path / "runtime")
    text = (tmp_path / "runtime" / "LICENSES.txt").read_text(encoding="utf-8")
    for part in (
        "onnxruntime-web 1.2.3",
        "Microsoft Corporation",
        "@huggingface/tokenizers 0.0.9",
        "@huggingface/jinja 0.0.7",
    ):
        assert part in text
    for part in ("@mlc-ai/web-xgrammar 0.0.3", "XGrammar", "picojson"):
        assert part in text
    for part in ("marked 0.0.5", "The licence of marked.", "dompurify 0.0.5", "The licence of dompurify."):
        assert part in text
    for part in ("pdfjs-dist 0.0.6", "The licence of pdf.js.", "The licence of the tables."):
        assert part in text
    for part in (
        "The tokenizers' own licence.",
        "The template engine's own licence.",
        "XNNPACK",
        "abseil",
        "dawn",
        "emsdk",
    ):
        assert part in text


def test_the_same_versions_are_left_alone_and_new_ones_replace_all(node_modules: Path, tmp_path: Path) -> None:
    out = tmp_path / "runtime"
    vendor_runtime(node_modules, out)
    before = snapshot(out)
    vendor_runtime(node_modules, out)
    assert snapshot(out) == before
    (out / "left-over.mjs").write_text("old")
    (node_modules / "onnxruntime-web" / "package.json").write_text('{"version": "1.2.4"}')
    vendor_runtime(node_modules, out)
    assert not (out / "left-over.mjs").exists()
    assert json.loads((out / "runtime.json").read_text())["onnxruntime_web"] == "1.2.4"


def test_the_same_packages_give_the_same_bytes(node_modules: Path, tmp_path: Path) -> None:
    vendor_runtime(node_modules, tmp_path / "a")
    vendor_runtime(node_modules, tmp_path / "b")
    first, second = (
        {path.relative_to(folder): path.read_bytes() for path in list_files(folder)}
        for folder in (tmp_path / "a", tmp_path / "b")
    )
    assert first == second


def test_a_lost_chunk_is_written_again(node_modules: Path, tmp_path: Path) -> None:
    out = tmp_path / "runtime"
    vendor_runtime(node_modules, out)
    chunk = next(path for path in out.iterdir() if path.suffix == ".wasm")
    chunk.unlink()
    vendor_runtime(node_modules, out)
    assert chunk.is_file()


def test_a_failure_leaves_the_old_runtime_whole(node_modules: Path, tmp_path: Path) -> None:
    out = tmp_path / "runtime"
    vendor_runtime(node_modules, out)
    before = snapshot(out)
    (node_modules / "onnxruntime-web" / "package.json").write_text('{"version": "1.2.4"}')
    (node_modules / "@huggingface" / "tokenizers" / "dist" / "tokenizers.min.mjs").unlink()
    with pytest.raises(BundleError, match=r"tokenizers\.min\.mjs.*\n.*make setup"):
        vendor_runtime(node_modules, out)
    assert snapshot(out) == before
    assert sorted(path.name for path in tmp_path.iterdir()) == ["node_modules", "runtime"]


def test_a_folder_of_somebody_else_is_left_alone(node_modules: Path, tmp_path: Path) -> None:
    out = tmp_path / "runtime"
    out.mkdir()
    (out / "thesis.txt").write_text("years of work")
    with pytest.raises(BundleError, match="left alone"):
        vendor_runtime(node_modules, out)
    assert (out / "thesis.txt").read_text() == "years of work"


def test_a_missing_package_names_the_fix(tmp_path: Path) -> None:
    with pytest.raises(BundleError, match="onnxruntime-web") as caught:
        vendor_runtime(tmp_path, tmp_path / "runtime")
    assert caught.value.fix == "make setup"


def carry(root: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Make `root` look like the folder of the installed package."""
    for name in ("site_templates", "models"):
        (root / name).mkdir(parents=True)
    monkeypatch.setattr(vendor, "_PACKAGE", root)
    return root


def test_in_a_wheel_the_folders_lie_inside_the_package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    package = carry(tmp_path / "webgpu_kit", monkeypatch)
    assert templates_folder() == package / "site_templates"
    assert models_folder() == package / "models"
    runtime = package / "site_templates" / "runtime"
    with pytest.raises(BundleError, match="runtime is missing"):
        find_runtime()
    runtime.mkdir()
    (runtime / "runtime.json").write_text("{}")
    assert find_runtime() == runtime


def test_a_checkout_vendors_when_it_can(node_modules: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    carry(tmp_path / "repo", monkeypatch)
    monkeypatch.setattr(vendor, "_PACKAGE", tmp_path / "repo" / "webgpu_kit")
    licenses = tmp_path / "repo" / "site_templates" / "licenses"
    licenses.mkdir()
    for name in vendor.KEPT_LICENSES.values():
        (licenses / name).write_text("MIT")
    with pytest.raises(BundleError) as caught:
        find_runtime()
    assert caught.value.fix == "make setup"
    node_modules.rename(tmp_path / "repo" / "site_templates" / "node_modules")
    assert (find_runtime() / "LICENSES.txt").is_file()


def test_this_checkout_has_what_a_site_is_made_of() -> None:
    runtime = json.loads((find_runtime() / "runtime.json").read_text())
    locked = json.loads((templates_folder() / "package-lock.json").read_text())["packages"]
    assert runtime["onnxruntime_web"] == locked["node_modules/onnxruntime-web"]["version"]
    assert f"ONNX Runtime {runtime['onnxruntime_web']}" in (find_runtime() / "LICENSES.txt").read_text(encoding="utf-8")
    sizes = []
    for build in runtime["builds"].values():
        parts = [(find_runtime() / chunk["path"]).read_bytes() for chunk in build["wasm"]["chunks"]]
        assert parts[0].startswith(b"\0asm")
        assert hashlib.sha256(b"".join(parts)).hexdigest() == build["wasm"]["sha256"]
        sizes += [len(part) for part in parts]
    assert len(sizes) > 3, "one of the three is larger than hosts take files"
    assert max(sizes) == vendor.CHUNK_BYTES < 25 * 1024 * 1024
