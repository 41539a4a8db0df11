"""`check` on a real site in a real browser: it passes a good one, and fails copies of it with one thing broken."""

import base64
import contextlib
import hashlib
import json
import os
import re
import shutil
import signal
import sys
from pathlib import Path

import numpy as np
import pytest

import webgpu_kit as wk
from webgpu_kit.artifacts import Bundle
from webgpu_kit.browser.patience import Patience
from webgpu_kit.check import check_site, choose_pairs, proof
from webgpu_kit.check.job import explain_unfit, name_screenshot
from webgpu_kit.check.proof import Demand, explain_contradictions
from webgpu_kit.errors import BrowserError, BundleError, CheckError
from webgpu_kit.golden_file import decode_tensor, read_golden
from webgpu_kit.manifest import read_manifest
from webgpu_kit.report import Adapter, CheckReport, GpuWork, PageEntry, PairEntry

PNG_SIGNATURE = b"\x89PNG\r\n\x1a\n"


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return wk.build("digits", out=tmp_path_factory.mktemp("check") / "site", dtypes=("fp16", "q8")).path


@pytest.fixture(scope="module")
def report(site: Path) -> CheckReport:
    return check_site(site)


@pytest.fixture
def copy(site: Path, tmp_path: Path) -> Path:
    """A copy of the good site to break one thing in. The large runtime is linked, not copied."""
    target = tmp_path / "site"
    shutil.copytree(site, target, ignore=shutil.ignore_patterns("runtime", "*.br", "*.gz"))
    shutil.copytree(site / "runtime", target / "runtime", copy_function=_link)
    return target


def _link(source: str, target: str) -> None:
    try:
        Path(target).hardlink_to(source)
    except OSError:
        shutil.copy2(source, target)


def check_one(site: Path, stall_s: float = 20) -> PairEntry:
    """Check q8 on wasm only."""
    patience = Patience(stall_s=stall_s)
    report = check_site(site, backends=("wasm",), variants=("q8",), worlds=False, patience=patience)
    assert report.ok is (report.pairs[0].verdict == "passed")
    return report.pairs[0]


def prepend(path: Path, code: str) -> None:
    path.write_text(code + "\n" + path.read_text(encoding="utf-8"), encoding="utf-8")


def kinds(pair: PairEntry) -> set[str]:
    assert pair.page
    return {problem.kind for problem in pair.page.problems}


# A good site


def test_a_good_site_passes_on_both_backends(report: CheckReport) -> None:
    assert report.ok, report.verdict
    verdicts = {(pair.variant, pair.backend): pair.verdict for pair in report.pairs}
    assert verdicts["q8", "webgpu"] == verdicts["q8", "wasm"] == verdicts["fp16", "wasm"] == "passed"
    for pair in report.pairs:
        if pair.verdict == "passed":
            assert pair.samples_run == pair.samples_total >= 8
            assert pair.parity
            assert 0 < pair.parity.value <= pair.parity.threshold
            assert len(pair.parity.by_sample) == pair.samples_run


def test_the_backend_is_proved_by_what_the_gpu_was_asked(report: CheckReport) -> None:
    pages = {pair.page.backend: pair.page for pair in report.pairs if pair.page}
    assert pages["webgpu"].gpu.dispatches > 0
    assert pages["webgpu"].adapter.software is (report.browser.webgpu == "software")
    assert pages["wasm"].gpu.dispatches == 0


def test_what_the_adapter_lacks_is_not_verified(report: CheckReport) -> None:
    pair = next(pair for pair in report.pairs if (pair.variant, pair.backend) == ("fp16", "webgpu"))
    if "shader-f16" in report.browser.adapter.features:
        assert pair.verdict == "passed"
        return
    assert pair.verdict == "not-verified"
    assert "lacks shader-f16" in pair.reason
    assert report.ok
    assert not report.model_copy(update={"strict": True}).ok


def test_pages_are_measured_and_pictured(report: CheckReport) -> None:
    for page in report.pages:
        assert page.problems == []
        assert page.load_ms > 0
        assert page.first_run_ms > 0
        assert 1_000_000 < page.downloaded_bytes < 20_000_000
        assert page.long_tasks_ms is not None
        assert page.screenshot_png.startswith(PNG_SIGNATURE)
        assert page.status == "done"
    assert len({page.screenshot for page in report.pages}) == len(report.pages)


def test_degraded_worlds_fall_back_and_say_so(report: CheckReport) -> None:
    worlds = {world.name: world for world in report.worlds}
    assert {world.verdict for world in report.worlds} == {"passed"}
    assert worlds["no-webgpu"].page.backend == "wasm"
    assert worlds["no-webgpu"].page.reason
    assert worlds["not-isolated"].page.isolated is False
    assert worlds["not-isolated"].page.threads == 1
    assert worlds["no-webgpu"].page.isolated is True


# Sites with one thing broken


def test_a_wrong_answer_fails_with_its_number(copy: Path) -> None:
    manifest_path = copy / "model" / "manifest.json"
    manifest = json.loads(manifest_path.read_text(encoding="utf-8"))
    old = copy / "model" / manifest["golden"]["path"]
    golden = json.loads(old.read_text(encoding="utf-8"))
    tensor = golden["samples"][3]["outputs"]["probabilities"]
    values = decode_tensor(tensor)[:, ::-1].copy()
    tensor["data"] = base64.b64encode(values.tobytes()).decode()
    content = json.dumps(golden).encode()
    digest = hashlib.sha256(content).hexdigest()
    (old.parent / f"golden.{digest[:16]}.json").write_bytes(content)
    manifest["golden"].update(path=f"golden.{digest[:16]}.json", sha256=digest)
    manifest_path.write_text(json.dumps(manifest), encoding="utf-8")
    pair = check_one(copy)
    assert pair.verdict == "failed"
    assert re.search(r"probability_error (0\.\d+|1) on golden sample 3, allowed is 0\.05", pair.reason)
    assert pair.parity.value > 0.5
    assert [index for index, value in enumerate(pair.parity.by_sample) if value > 0.05] == [3]


def test_a_console_error_fails(copy: Path) -> None:
    prepend(copy / "main.js", 'console.error("something is off"); console.warn("only a warning");')
    pair = check_one(copy)
    assert pair.verdict == "failed"
    assert pair.reason == "1 console error: something is off"
    assert "only a warning" in pair.page.warnings


def test_an_uncaught_error_and_a_missing_file_fail(copy: Path) -> None:
    prepend(copy / "main.js", 'setTimeout(() => missingFunction()); fetch("./nothing.json");')
    pair = check_one(copy)
    assert pair.verdict == "failed"
    assert kinds(pair) == {"page-error", "request"}
    assert "missingFunction is not defined" in pair.reason
    assert "GET /nothing.json: 404" in pair.reason


def test_a_policy_violation_fails(copy: Path) -> None:
    prepend(copy / "main.js", 'fetch("https://example.com/spy").catch(() => {});')
    pair = check_one(copy)
    assert pair.verdict == "failed"
    assert kinds(pair) == {"csp"}
    assert "connect-src blocked https://example.com/spy" in pair.reason


def test_a_request_to_another_origin_fails_and_goes_nowhere(copy: Path) -> None:
    page = copy / "index.html"
    text = page.read_text(encoding="utf-8")
    without, removed = re.subn(r'<meta http-equiv="Content-Security-Policy"[^>]*>', "", text)
    assert removed == 1
    page.write_text(without, encoding="utf-8")
    prepend(copy / "main.js", 'window.spy = fetch("http://localhost:9/spy").catch((error) => error.message);')
    pair = check_one(copy)
    assert pair.verdict == "failed"
    assert pair.reason == "1 request to another origin: GET http://localhost:9/spy"


def test_a_corrupted_chunk_fails_by_name(copy: Path) -> None:
    variant = next(variant for variant in read_manifest(copy).variants if variant.name == "q8")
    chunk = next(file for file in variant.files if file.name == "weights.bin").chunks[0]
    path = copy / "model" / chunk.path
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 0xFF
    path.write_bytes(content)
    pair = check_one(copy)
    assert pair.verdict == "failed"
    assert path.name in pair.reason
    assert pair.page.status == "failed"


def test_a_page_that_never_gets_ready_is_given_up(copy: Path) -> None:
    (copy / "main.js").write_text("await new Promise(() => {});", encoding="utf-8")
    pair = check_one(copy, stall_s=4)
    assert pair.verdict == "failed"
    assert re.search(r"never got ready: no progress for \d+ s, data-kit-status is 'loading'", pair.reason)


def test_a_page_that_computes_in_silence_is_waited_for(copy: Path) -> None:
    busy = """for (const end = performance.now() + 8000; performance.now() < end; ) {
        for (const until = performance.now() + 50; performance.now() < until; );
        await new Promise((resolve) => setTimeout(resolve));
    }"""
    prepend(copy / "main.js", busy)
    pair = check_one(copy, stall_s=5)
    assert pair.verdict == "passed", pair.reason
    assert pair.page.load_ms > 8000


def test_a_frozen_page_is_given_up(copy: Path) -> None:
    (copy / "main.js").write_text("for (;;) {}", encoding="utf-8")
    pair = check_one(copy, stall_s=4)
    assert pair.verdict == "failed"
    assert "the page is frozen for 4 s" in pair.reason


def test_a_page_on_the_wrong_backend_fails() -> None:
    demand = Demand("/?backend=webgpu&variant=q8", "webgpu", 8, variant="q8")
    honest = PageEntry(url="/", backend="webgpu", variant="q8", isolated=True, gpu=GpuWork(dispatches=9))
    honest.adapter = Adapter(vendor="nvidia", software=False)
    assert explain_contradictions(honest, demand) == []
    for change, words in (
        ({"gpu": GpuWork(dispatches=0)}, "not proved to run on WebGPU: 0 dispatches"),
        ({"adapter": None}, "not proved to run on WebGPU"),
        ({"backend": "wasm"}, "asked for backend webgpu, the page says wasm"),
        ({"variant": "fp32"}, "asked for variant q8, the page says fp32"),
        ({"isolated": False}, "crossOriginIsolated is False"),
    ):
        assert words in "; ".join(explain_contradictions(honest.model_copy(update=change), demand))
    silent = Demand("/", "wasm", 3, threads=1, wants_reason=True)
    faults = "; ".join(explain_contradictions(honest.model_copy(update={"backend": "wasm", "threads": 4}), silent))
    assert "says wasm, but dispatched 9 times" in faults
    assert "runs 4 threads, expected 1" in faults
    assert "without saying why" in faults


# What cannot be checked


def test_what_is_not_there_is_a_clear_error(site: Path, tmp_path: Path) -> None:
    with pytest.raises(BundleError, match="not a site"):
        check_site(tmp_path)
    with pytest.raises(CheckError, match="no variant 'q3'") as caught:
        check_site(site, variants=("q3",))
    assert caught.value.fix == "one of fp16, q8"
    with pytest.raises(BrowserError, match="netscape"):
        check_site(site, browser="netscape")


def test_pairs_are_chosen_best_first(site: Path) -> None:
    manifest = read_manifest(site)
    chosen = [(variant.name, backend) for variant, backend in choose_pairs(manifest, (), ())]
    assert chosen == [("fp16", "webgpu"), ("fp16", "wasm"), ("q8", "webgpu"), ("q8", "wasm")]
    only_wasm = manifest.variants[0].model_copy(update={"backends": ["wasm"]})
    with pytest.raises(CheckError, match=r"nothing to check\. This site has fp16 on wasm"):
        choose_pairs(manifest.model_copy(update={"variants": [only_wasm]}), ("webgpu",), ())


def test_an_unfit_adapter_is_explained(site: Path) -> None:
    variant = read_manifest(site).variants[0].model_copy(update={"requires": ["shader-f16"], "max_buffer_bytes": 500})
    adapter = Adapter(vendor="small", software=False, features=["shader-f16"], limits={"maxBufferSize": 1000})
    assert explain_unfit(variant, adapter) == ""
    assert "no WebGPU adapter" in explain_unfit(variant, None)
    assert "lacks shader-f16" in explain_unfit(variant, adapter.model_copy(update={"features": []}))
    assert "allows maxBufferSize 400, needed are 500" in explain_unfit(
        variant, adapter.model_copy(update={"limits": {"maxBufferSize": 400}})
    )


def test_an_altered_golden_is_refused(copy: Path) -> None:
    manifest = read_manifest(copy)
    bundle = Bundle(copy / "model", manifest)
    path = copy / "model" / manifest.golden.path
    original = path.read_bytes()
    assert len(read_golden(bundle).samples) == manifest.golden.count
    path.write_bytes(original + b" ")
    with pytest.raises(CheckError, match="the manifest says"):
        read_golden(bundle)
    path.unlink()
    with pytest.raises(CheckError, match="cannot be read"):
        read_golden(bundle)


@pytest.mark.parametrize("dtype", ["float32", "float16", "int64", "int8", "uint8", "bool", "float64"])
def test_tensors_come_back_from_json(dtype: str) -> None:
    values = np.arange(6).reshape(2, 3).astype(dtype)
    tensor = {"dtype": dtype, "shape": [2, 3], "data": base64.b64encode(values.tobytes()).decode()}
    decoded = decode_tensor(tensor)
    assert decoded.dtype == values.dtype
    assert np.array_equal(decoded, values)
    for broken in ({"shape": [7]}, {"dtype": "float31"}, {"data": "?"}):
        with pytest.raises(ValueError, match=r".+"):
            decode_tensor({**tensor, **broken})


def test_screenshots_never_leave_the_folder() -> None:
    assert name_screenshot("../../etc", "wasm") == "_etc-wasm.png"
    assert name_screenshot("q4f16", "webgpu") == "q4f16-webgpu.png"


@pytest.mark.parametrize(("wait_s", "told"), [(-1, 12), (600, 1)])
def test_samples_are_told_where_they_take_long(
    site: Path, wait_s: float, told: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(proof, "TELL_S", wait_s)
    lines: list[str] = []
    check_site(site, backends=("wasm",), variants=("q8",), worlds=False, progress=lines.append)
    page = "/?backend=wasm&variant=q8: "
    samples = [f"{page}golden sample {number} of 12" for number in range(1, told + 1)]
    rest = [f"{page}using the page as a visitor would", f"{page}passed"]
    assert lines[lines.index("q8 on wasm: checking") + 1 :] == samples + rest


@pytest.mark.skipif(sys.platform != "linux", reason="finds the browser's processes in /proc")
def test_a_browser_that_dies_is_an_error_not_a_verdict(site: Path) -> None:
    def kill_browser(line: str) -> None:
        if line.endswith(": checking"):
            for pid in _list_browser_processes():
                os.kill(pid, signal.SIGKILL)

    with pytest.raises(BrowserError, match="The browser ended"):
        check_site(site, backends=("wasm",), variants=("q8",), worlds=False, progress=kill_browser)


def _list_browser_processes() -> list[int]:
    """Ours only: descendants of this process that carry a browser's profile folder."""
    parents, browsers = {}, []
    for folder in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):  # it ended while we looked
            parents[int(folder.name)] = int((folder / "stat").read_text().rpartition(")")[2].split()[1])
            if b"--user-data-dir=" in (folder / "cmdline").read_bytes():
                browsers.append(int(folder.name))
    return [pid for pid in browsers if _is_descendant(pid, parents)]


def _is_descendant(pid: int, parents: dict[int, int]) -> bool:
    while pid in parents:
        pid = parents[pid]
        if pid == os.getpid():
            return True
    return False
