"""The packed weights of GGUF files in the browser: on both backends the page gives what PyTorch gives."""

from __future__ import annotations

from pathlib import Path

import pytest

import webgpu_kit
from browser.conftest import OpenPage
from webgpu_kit.artifacts import Bundle
from webgpu_kit.golden_file import read_golden
from webgpu_kit.manifest import read_manifest
from webgpu_kit.parity import measure_parity

# Every width that an operator computes on, with offsets, codebook and shared scales, and bfloat16.
KINDS = {
    "token_embd": "Q6_K",
    "attn_q": "Q4_K",
    "attn_k": "Q5_0",
    "attn_v": "BF16",
    "attn_output": "Q2_K",
    "ffn_gate": "Q5_K",
    "ffn_up": "IQ4_XS",
    "ffn_down": "Q3_K",
    "output": "Q6_K",
}


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    for module in ("torch", "transformers", "gguf", "onnxruntime_genai"):
        pytest.importorskip(module)
    from builder_inside import builder_inside
    from tiny_architectures import write_model

    folder = tmp_path_factory.mktemp("kinds")
    write_model(folder / "tiny.gguf", "llama", KINDS)
    with builder_inside():
        webgpu_kit.build(folder / "tiny.gguf", out=folder / "site", title="Tiny")
    return folder / "site"


@pytest.mark.parametrize("backend", ["wasm", "webgpu"])
def test_every_kind_of_block_gives_the_originals_answers(site: Path, open_page: OpenPage, backend: str) -> None:
    manifest = read_manifest(site)
    entry = manifest.variants[0]
    steps = entry.graphs[backend].expand  # type: ignore[index]
    kinds = {step.kind for step in steps}
    assert kinds >= ({"blocks", "levels", "bfloat16"} if backend == "webgpu" else {"blocks", "bfloat16"})
    page = open_page(site, f"?backend={backend}&variant={entry.name}")
    page.wait_until_ready()
    assert page.facts()["backend"] == backend
    golden = read_golden(Bundle(site / "model", manifest)).samples[0]
    measured = measure_parity("kl_divergence", [golden.outputs], page.run_golden(1), 1e-6)
    assert measured.value < 1e-6 and measured.max_abs_error < 1e-3
