"""Packed weights in the browser: unpacked in the worker or used as they are, the numbers are onnxruntime's."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import onnxruntime
import pytest

from browser import models
from browser.conftest import OpenPage
from webgpu_kit.artifacts import Bundle, Tensors
from webgpu_kit.golden_file import read_golden
from webgpu_kit.manifest import read_manifest
from webgpu_kit.parity import measure_parity
from webgpu_kit.site_graph import open_session

# Browser and native runtime add the same numbers in another order; everything else must be equal.
ROUNDING = 1e-5
# A software adapter computes in float32 too, but with fewer guarantees on division and square roots.
GPU_ROUNDING = 1e-4


def run_native(session: Any, inputs: Tensors) -> Tensors:
    names = [output.name for output in session.get_outputs()]
    return dict(zip(names, session.run(names, inputs), strict=True))


@pytest.mark.parametrize("backend", ["wasm", "webgpu"])
@pytest.mark.parametrize("dtype", ["fp32", "fp16", "q8", "q4", "q4f16"])
def test_every_variant_gives_the_numbers_of_native_onnxruntime(
    weights_site: Path, weights_onnx: Path, open_page: OpenPage, tmp_path: Path, dtype: str, backend: str
) -> None:
    manifest = read_manifest(weights_site)
    entry = next(entry for entry in manifest.variants if entry.name == dtype)
    page = open_page(weights_site, f"?backend={backend}&variant={dtype}")
    status = page.wait_for("ready", "failed")
    if status["status"] == "failed" and entry.requires and backend == "webgpu":
        assert "needs shader-f16, which this browser's WebGPU adapter does not have" in status["reason"]
        return  # to refuse it is all that this adapter can do
    page.wait_until_ready()
    facts = page.facts()
    assert (facts["backend"], facts["variant"]) == (backend, dtype)

    # The original model, on the inputs it was measured with and on others.
    golden = [sample.outputs for sample in read_golden(Bundle(weights_site / "model", manifest)).samples]
    measured = measure_parity("relative_error", golden, page.run_golden(), entry.parity.threshold)
    assert measured.value <= entry.parity.threshold
    assert measured.value == pytest.approx(entry.parity.value, rel=0.02, abs=GPU_ROUNDING)
    inputs = [models.make_weights_inputs(seed) for seed in range(3)]
    answers = [page.run(each) for each in inputs]
    original = onnxruntime.InferenceSession(weights_onnx, providers=["CPUExecutionProvider"])
    expected = [run_native(original, each) for each in inputs]
    assert measure_parity("relative_error", expected, answers, 0).value <= entry.parity.threshold

    # The same packed weights, unpacked here.
    packed = open_session(Bundle(weights_site / "model", manifest), entry, tmp_path, threads=1)
    same = [run_native(packed, each) for each in inputs]
    lost_digits = dtype in ("fp16", "q4f16") and backend == "webgpu"
    limit = entry.parity.threshold if lost_digits else GPU_ROUNDING if backend == "webgpu" else ROUNDING
    assert measure_parity("relative_error", same, answers, 0).value <= limit
    if backend == "webgpu":
        assert page.facts()["stats"]["dispatches"] > facts["stats"]["dispatches"] > 0
