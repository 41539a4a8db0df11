"""Bring the third-party browser files into `site_templates/runtime`, and find the folders that a site is made of.

    python -m webgpu_kit.vendor        # after npm ci in site_templates

onnxruntime-web's wasm is cut into chunks that every host takes, each with its hash in its name. The same
versions give the same bytes.
"""

from __future__ import annotations

import gzip
import hashlib
import json
import re
import shutil
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from webgpu_kit.errors import BundleError

CHUNK_BYTES = 24 * 1024 * 1024  # the strictest host takes 25 MiB
BROTLI_QUALITY = 9
FORMAT = 5  # raise it when the same packages should give another folder

# Backend build of onnxruntime-web -> (module, stem of its glue and wasm).
BUILDS = {
    "jspi": ("ort.jspi.min.mjs", "ort-wasm-simd-threaded.jspi"),
    "asyncify": ("ort.webgpu.min.mjs", "ort-wasm-simd-threaded.asyncify"),
    "wasm": ("ort.wasm.min.mjs", "ort-wasm-simd-threaded"),
}
ORT = "onnxruntime-web"
PDFJS = "pdfjs"
# What is carried of npm's other packages: key in runtime.json -> (package, file in it, name that it gets).
MODULES = {
    "tokenizers": ("@huggingface/tokenizers", "dist/tokenizers.min.mjs", "tokenizers.min.mjs"),
    "jinja": ("@huggingface/jinja", "dist/index.js", "jinja.mjs"),
    "xgrammar": ("@mlc-ai/web-xgrammar", "lib/index.js", "xgrammar.mjs"),
    "marked": ("marked", "lib/marked.esm.js", "marked.mjs"),
    "dompurify": ("dompurify", "dist/purify.es.mjs", "dompurify.mjs"),
    # The build for older browsers, and a folder of its own: only some sites get it (site.py).
    "pdfjs": ("pdfjs-dist", "legacy/build/pdf.min.mjs", f"{PDFJS}/pdf.min.mjs"),
    "pdfjs_worker": ("pdfjs-dist", "legacy/build/pdf.worker.min.mjs", f"{PDFJS}/pdf.worker.min.mjs"),
}
# Folders of files that are fetched one by one: key -> (package, folder in it, pattern, name that it gets).
# Chinese, Japanese and Korean PDFs name the tables that say which characters their codes are.
FOLDERS = {"pdfjs_cmaps": ("pdfjs-dist", "cmaps", "*.bcmap", f"{PDFJS}/cmaps")}
# Packages without a licence file: theirs is kept in site_templates/licenses, with what their wasm holds.
KEPT_LICENSES = {ORT: "onnxruntime-web.txt", "@mlc-ai/web-xgrammar": "web-xgrammar.txt"}
MORE_LICENSES = {"pdfjs-dist": "cmaps/LICENSE"}
PACKAGES = list(dict.fromkeys(package for package, _, _ in MODULES.values()))
NPM_FIX = "make setup"

_SOURCE_MAP = re.compile(rb"^//[#@] sourceMappingURL=.*$\n?", re.MULTILINE)
_PACKAGE = Path(__file__).resolve().parent


def vendor_runtime(node_modules: Path, out: Path) -> None:
    """Write the runtime folder `out` from the packages in `node_modules`; does nothing when it is up to date.

    The folder appears whole, by one rename. Raises BundleError if a package, or brotli, is missing, or if `out`
    is a folder that this function did not make.
    """
    sources = _read_versions(node_modules)
    if _is_current(out, sources):
        return
    if out.is_file() or (out.is_dir() and any(out.iterdir()) and not (out / "runtime.json").is_file()):
        raise BundleError(f"{out}: not a runtime folder, it has no runtime.json; left alone.", fix=f"move {out} away")
    out.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".vendor-", dir=out.parent) as scratch:
        fresh = Path(scratch) / "new"
        fresh.mkdir()
        _write_runtime(node_modules, fresh, sources)
        if out.exists():
            out.rename(Path(scratch) / "old")
        fresh.rename(out)


def find_runtime() -> Path:
    """The carried runtime folder; in a checkout it is vendored first when npm's packages are there.

    Raises BundleError if there is none and none can be made.
    """
    runtime, node_modules = templates_folder() / "runtime", templates_folder() / "node_modules"
    if _is_checkout() and node_modules.is_dir():
        vendor_runtime(node_modules, runtime)
    if not (runtime / "runtime.json").is_file():
        raise BundleError(f"{runtime}: the browser runtime is missing, it has no runtime.json.", fix=NPM_FIX)
    return runtime


def templates_folder() -> Path:
    """The folder of kit, pages and runtime: beside this file in a wheel, at the repository's root in a checkout."""
    return _carried_folder("site_templates")


def models_folder() -> Path:
    """The folder of built-in recipes: beside this file in a wheel, at the repository's root in a checkout."""
    return _carried_folder("models")


def _is_checkout() -> bool:
    return not (_PACKAGE / "site_templates").is_dir()


def _carried_folder(name: str) -> Path:
    folder = (_PACKAGE.parent if _is_checkout() else _PACKAGE) / name
    if not folder.is_dir():
        raise BundleError(f"{folder}: missing, this copy of webgpu-kit is not whole.", fix="install webgpu-kit again")
    return folder


def _read_versions(node_modules: Path) -> dict[str, str]:
    versions = {"format": str(FORMAT)}
    for name in (ORT, *PACKAGES):
        path = node_modules / name / "package.json"
        try:
            versions[name] = json.loads(path.read_bytes())["version"]
        except (OSError, ValueError, KeyError) as error:
            raise BundleError(f"{path}: cannot read the version of {name}: {error}.", fix=NPM_FIX) from error
    return versions


def _is_current(out: Path, sources: dict[str, str]) -> bool:
    try:
        runtime = json.loads((out / "runtime.json").read_bytes())
        chunks = [chunk for build in runtime["builds"].values() for chunk in build["wasm"]["chunks"]]
        whole = all((out / chunk["path"]).stat().st_size == chunk["bytes"] for chunk in chunks)
    except (OSError, ValueError, KeyError):
        return False
    return whole and runtime.get("sources") == sources


def _write_runtime(node_modules: Path, out: Path, sources: dict[str, str]) -> None:
    dist = node_modules / ORT / "dist"
    builds = {}
    for name, (module, stem) in BUILDS.items():
        _copy_module(dist / module, out)
        _copy_module(dist / f"{stem}.mjs", out)
        builds[name] = {"module": module, "glue": f"{stem}.mjs", "wasm": _write_chunks(dist / f"{stem}.wasm", out)}
    for package, file, name in MODULES.values():
        _copy_module(node_modules / package / file, out, name)
    for package, folder, pattern, name in FOLDERS.values():
        _copy_folder(node_modules / package / folder, pattern, out / name)
    (out / "LICENSES.txt").write_text(_collect_licenses(node_modules, sources), encoding="utf-8", newline="\n")
    files = [path for path in sorted(out.rglob("*")) if path.suffix in (".mjs", ".wasm")]
    with ThreadPoolExecutor() as pool:  # both compressors let go of Python's lock
        list(pool.map(_compress, files))
    modules = {key: name for key, (_, _, name) in MODULES.items()}
    modules |= {key: f"{name}/" for key, (_, _, _, name) in FOLDERS.items()}
    runtime = {"onnxruntime_web": sources[ORT], "builds": builds, **modules, "sources": sources}
    (out / "runtime.json").write_text(json.dumps(runtime, indent=1) + "\n", encoding="utf-8", newline="\n")


def _copy_module(source: Path, out: Path, name: str | None = None) -> None:
    # The maps stay in npm's package: a comment that names one would be a 404 in every visitor's console.
    target = out / (name or source.name)
    target.parent.mkdir(exist_ok=True)
    target.write_bytes(_SOURCE_MAP.sub(b"", _read(source)))


def _copy_folder(source: Path, pattern: str, out: Path) -> None:
    paths = sorted(source.glob(pattern))
    if not paths:
        raise BundleError(f"{source}: has no {pattern}.", fix=NPM_FIX)
    out.mkdir(parents=True)
    for path in paths:
        shutil.copyfile(path, out / path.name)


def _write_chunks(source: Path, out: Path) -> dict[str, Any]:
    content = _read(source)
    chunks = []
    for start in range(0, len(content), CHUNK_BYTES):
        part = content[start : start + CHUNK_BYTES]
        digest = hashlib.sha256(part).hexdigest()
        # Still .wasm in the end: hosts choose type and compression by it.
        path = f"{source.stem}.{digest[:16]}.wasm"
        (out / path).write_bytes(part)
        chunks.append({"path": path, "bytes": len(part), "sha256": digest})
    whole = hashlib.sha256(content).hexdigest()
    return {"name": source.name, "bytes": len(content), "sha256": whole, "chunks": chunks}


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise BundleError(f"{path}: cannot be read: {error.strerror}.", fix=NPM_FIX) from error


def _compress(path: Path) -> None:
    try:
        import brotli
    except ImportError as error:
        raise BundleError(f"{path.name}: compressing it needs the package brotli.", fix="pip install brotli") from error
    content = path.read_bytes()
    Path(f"{path}.br").write_bytes(brotli.compress(content, quality=BROTLI_QUALITY, lgwin=24))
    Path(f"{path}.gz").write_bytes(gzip.compress(content, 9, mtime=0))


def _collect_licenses(node_modules: Path, sources: dict[str, str]) -> str:
    """The licences of what the runtime folder carries: ours to pass on with every copy."""
    kept = templates_folder() / "licenses"
    texts = {
        name: _read(kept / KEPT_LICENSES[name] if name in KEPT_LICENSES else node_modules / name / "LICENSE")
        for name in (ORT, *PACKAGES)
    }
    for name, more in MORE_LICENSES.items():
        texts[name] += b"\n\n" + _read(node_modules / name / more)
    rule = "=" * 78
    parts = [f"{rule}\n{name} {sources[name]}\n{rule}\n\n{text.decode().strip()}\n" for name, text in texts.items()]
    return "\n\n".join(parts)


def main() -> None:
    """Vendor the runtime of this checkout."""
    templates = templates_folder()
    vendor_runtime(templates / "node_modules", templates / "runtime")
    print(f"{templates / 'runtime'}: {len(list((templates / 'runtime').iterdir()))} files")


if __name__ == "__main__":
    main()
