"""Language models of other architectures than a llama in the browser: windows, layers that turn no positions."""

from __future__ import annotations

from pathlib import Path

import pytest

import webgpu_kit
from browser.conftest import OpenPage
from webgpu_kit.artifacts import Bundle
from webgpu_kit.golden_file import read_golden
from webgpu_kit.manifest import read_manifest
from webgpu_kit.parity import measure_parity


@pytest.mark.parametrize("name", ["gemma3", "smollm3"])
def test_the_page_gives_what_pytorch_gives(name: str, tmp_path: Path, open_page: OpenPage) -> None:
    for module in ("torch", "transformers", "gguf", "onnxruntime_genai"):
        pytest.importorskip(module)
    from builder_inside import builder_inside
    from tiny_decoders import write_decoder

    with builder_inside():
        webgpu_kit.build(write_decoder(tmp_path / name, name), out=tmp_path / "site", title="Tiny", dtypes=["fp32"])
    page = open_page(tmp_path / "site", "?backend=wasm")
    page.wait_until_ready()
    manifest = read_manifest(tmp_path / "site")
    golden = read_golden(Bundle(tmp_path / "site" / "model", manifest)).samples
    wanted = [sample.outputs for sample in golden]
    measured = measure_parity("kl_divergence", wanted, page.run_golden(len(golden)), 1e-6)
    assert measured.value < 1e-6 and measured.max_abs_error < 1e-3
