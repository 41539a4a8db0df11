"""`bench` on a real site in a real browser, and the native yardstick beside it."""

import json
import os
import sys
from pathlib import Path

import numpy as np
import pytest

import webgpu_kit as wk
from webgpu_kit import bench
from webgpu_kit.artifacts import Bundle, IntegerSteps
from webgpu_kit.bench import bench_site
from webgpu_kit.bench.native import read_sample, time_native
from webgpu_kit.errors import BundleError, CheckError
from webgpu_kit.golden_file import RecordedSample, read_golden
from webgpu_kit.manifest import Expansion, Span, read_manifest
from webgpu_kit.packing import expand_tensor, pack_blocks, pack_float16, round_to_steps
from webgpu_kit.parity import measure_parity
from webgpu_kit.report import BenchReport
from webgpu_kit.site_graph import expand_weights, open_session, read_content


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return wk.build("digits", out=tmp_path_factory.mktemp("bench") / "site", dtypes=("fp16", "q8", "q4", "fp32")).path


@pytest.fixture(scope="module")
def report(site: Path) -> BenchReport:
    patch = pytest.MonkeyPatch()
    patch.setattr(bench, "BUDGET_S", 1.0)
    try:
        return bench_site(site, variants=("q8",))
    finally:
        patch.undo()


def test_every_pair_is_measured(report: BenchReport) -> None:
    assert report.ok
    assert [(row.variant, row.backend) for row in report.rows] == [("q8", "webgpu"), ("q8", "wasm")]
    for row in report.rows:
        assert row.reason == ""
        assert row.cold.ready_ms > 0
        assert row.first_answer_ms > 0
        assert 0 < row.fastest_ms <= row.median_ms
        assert row.runs >= bench.MIN_RUNS
        assert row.longest_task_ms >= 0
        assert row.native.median_ms > 0


def test_a_warm_load_comes_from_the_cache(report: BenchReport) -> None:
    for row in report.rows:
        assert row.cold.downloaded_bytes > 1_000_000
        assert row.warm.downloaded_bytes < row.cold.downloaded_bytes / 10


def test_software_webgpu_is_named_and_counted(report: BenchReport) -> None:
    webgpu, wasm = report.rows
    assert webgpu.software is (report.browser.webgpu == "software")
    assert webgpu.gpu_per_run.dispatches > 0
    assert wasm.software is False
    assert wasm.gpu_per_run is None
    assert wasm.threads >= 1


def test_the_report_comes_back_from_json(report: BenchReport) -> None:
    text = report.model_dump_json()
    assert json.loads(text)["kind"] == "bench"
    assert BenchReport.model_validate_json(text) == report


@pytest.mark.parametrize("name", ["fp16", "q8", "q4", "fp32"])
def test_the_native_graph_is_the_right_one(site: Path, tmp_path: Path, name: str) -> None:
    manifest = read_manifest(site)
    bundle = Bundle(site / "model", manifest)
    variant = next((variant for variant in manifest.variants if variant.name == name), None)
    if variant is None:
        pytest.skip(f"{name} was not shipped")
    session = open_session(bundle, variant, tmp_path, threads=1)
    names = [output.name for output in session.get_outputs()]
    for sample in read_golden(bundle).samples:
        outputs = dict(zip(names, session.run(None, read_sample(bundle, sample).feeds), strict=True))
        parity = measure_parity(variant.parity.metric, [sample.outputs], [outputs], variant.parity.threshold)
        assert parity.value <= variant.parity.threshold


@pytest.mark.parametrize("bits", [4, 8, 16])
@pytest.mark.parametrize("transpose", [True, False])
def test_expands_as_packing_does(bits: int, transpose: bool) -> None:
    weight = np.random.default_rng(bits).standard_normal((70, 34)).astype(np.float32)
    packed = pack_float16("w", weight) if bits == 16 else pack_blocks("w", weight, bits, transpose=transpose)
    content = bytearray(b"\0" * 64)

    def store(part):
        if part is None:
            return None
        span = Span(offset=len(content), bytes=part.nbytes)
        content.extend(part.tobytes())
        return span

    step = Expansion(
        name="w",
        kind=packed.kind,
        dtype="float32",
        rows=packed.rows,
        columns=packed.columns,
        transpose=packed.transpose,
        bits=packed.bits,
        block_size=packed.block_size,
        offset=128,
        data=store(packed.data),
        scales=store(packed.scales),
        zero_points=store(packed.zero_points),
    )
    expected = expand_tensor(packed)
    expanded = expand_weights(bytes(content), [step], 128 + expected.nbytes)
    assert expanded[:128] == b"\0" * 128
    assert expanded[128:] == expected.tobytes()
    if bits == 16:
        return
    steps = IntegerSteps(
        factors=np.linspace(0.5, 2, packed.columns, dtype=np.float32),
        scales=np.linspace(0.02, 0.04, packed.rows, dtype=np.float32),
        zero_points=np.arange(packed.rows, dtype=np.uint8) + 90,
    )
    spans = {
        "row_scales": store(steps.scales),
        "row_zero_points": store(steps.zero_points),
        "column_factors": store(steps.factors),
    }
    step = step.model_copy(update={"dtype": "uint8", "offset": 0, **spans})
    integers = round_to_steps(packed, steps)
    assert expand_weights(bytes(content), [step], integers.nbytes) == integers.tobytes()
    assert integers.dtype == np.uint8 and integers.std() > 20


def test_native_times_use_every_core(site: Path) -> None:
    manifest = read_manifest(site)
    bundle = Bundle(site / "model", manifest)
    entry = time_native(bundle, manifest.variants[0], read_golden(bundle).samples[0])
    assert entry.threads == os.cpu_count()
    assert 0 < entry.fastest_ms <= entry.median_ms


def test_text_without_a_tokenizer_is_a_reason(site: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "tokenizers", None)
    manifest = read_manifest(site)
    bundle = Bundle(site / "model", manifest)
    entry = time_native(bundle, manifest.variants[0], RecordedSample({"text": ["hello"]}, {}))
    assert entry.median_ms is None
    assert "webgpu-kit[export]" in entry.reason


def test_a_missing_chunk_is_named(site: Path, tmp_path: Path) -> None:
    manifest = read_manifest(site)
    file = manifest.variants[0].files[0]
    (tmp_path / "model").mkdir()
    with pytest.raises(BundleError, match=Path(file.chunks[0].path).name):
        read_content(tmp_path / "model", file)


def test_what_is_not_there_is_a_clear_error(site: Path, tmp_path: Path) -> None:
    with pytest.raises(BundleError, match="not a site"):
        bench_site(tmp_path)
    with pytest.raises(CheckError, match="no variant 'q3'"):
        bench_site(site, variants=("q3",))
