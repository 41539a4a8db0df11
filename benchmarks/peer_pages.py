"""Peers' pages, laid out as their own users would, and how any page is opened and waited for."""

from __future__ import annotations

import shutil
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import brotli

PEERS = Path(__file__).parent / "peers"
ORT_FILES = (
    "ort.webgpu.bundle.min.mjs",
    "ort-wasm-simd-threaded.asyncify.mjs",
    "ort-wasm-simd-threaded.asyncify.wasm",
)
# Our pages answer their own first input as soon as they are ready.
IS_READY = """["ready", "running", "done"].includes(
  document.documentElement.dataset.kitStatus ?? document.documentElement.dataset.status)"""


def lay_out_transformersjs(folder: Path, page: str) -> None:
    """Write a page of Transformers.js's with its own files to `folder`; the models are the caller's."""
    modules = _install_peers()
    ort = modules / "onnxruntime-web" / "dist"
    (folder / "ort").mkdir(parents=True)
    for name in ORT_FILES:
        shutil.copyfile(ort / name, folder / "ort" / name)
    shutil.copytree(
        modules / "onnxruntime-common" / "dist" / "esm", folder / "common", ignore=shutil.ignore_patterns("*.map")
    )
    (folder / "transformers").mkdir()
    web = modules / "@huggingface" / "transformers" / "dist" / "transformers.web.min.js"
    shutil.copyfile(web, folder / "transformers" / web.name)
    shutil.copyfile(PEERS / page, folder / "index.html")


def lay_out_wllama(folder: Path, model: Path) -> None:
    """Write wllama's page with its own files and the GGUF `model` to `folder`."""
    shutil.copytree(_install_peers() / "@wllama" / "wllama" / "esm", folder / "wllama")
    (folder / "models").mkdir()
    shutil.copyfile(model, folder / "models" / "smollm2.gguf")
    shutil.copyfile(PEERS / "wllama.html", folder / "index.html")


def compress_texts(folder: Path) -> None:
    """The same compression as our own sites get, so that bytes compare."""
    for path in [path for path in folder.rglob("*") if path.suffix in (".js", ".mjs", ".wasm", ".json", ".html")]:
        path.with_name(path.name + ".br").write_bytes(brotli.compress(path.read_bytes(), quality=9))


def open_cold(context: Any, url: str, script: str = "", limit_s: float = 240) -> tuple[Any, float]:
    """A page in a fresh context, ready, and the megabytes that came over the wire for it.

    `script` runs before the page's own. Raises TimeoutError.
    """
    page = context.new_page()
    page.add_init_script(script)
    received: list[Any] = []
    page.on("requestfinished", lambda request: received.append(request))
    page.goto(url)
    wait_until(lambda: bool(page.evaluate(IS_READY)), limit_s)
    sizes = [request.sizes() for request in received]
    return page, sum(size["responseBodySize"] + size["responseHeadersSize"] for size in sizes) / 1e6


def wait_until(done: Callable[[], bool], limit_s: float) -> None:
    """Look every tenth of a second. Raises TimeoutError."""
    deadline = time.monotonic() + limit_s
    while not done():
        if time.monotonic() > deadline:
            raise TimeoutError(f"the page was not ready within {limit_s} s")
        time.sleep(0.1)


def _install_peers() -> Path:
    modules = PEERS / "node_modules"
    if not (modules / "@wllama").is_dir():
        subprocess.run(["npm", "ci", "--ignore-scripts"], cwd=PEERS, check=True, capture_output=True)
    return modules
