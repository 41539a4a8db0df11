"""Which variant runs where: in the worlds that a visitor may live in, and as the page's address asks."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, BrowserContext

from browser.conftest import OpenPage, launch_beside
from browser.watched_page import WatchedPage, prepend_to_worker
from webgpu_kit.artifacts import Bundle
from webgpu_kit.golden_file import read_golden
from webgpu_kit.manifest import read_manifest
from webgpu_kit.parity import measure_parity


@pytest.fixture(scope="module")
def browser_without_webgpu(browser: Browser) -> Iterator[Browser]:
    with launch_beside(browser, "none") as other:
        yield other


def check_golden(page: WatchedPage, site: Path) -> None:
    """Every golden sample, against the variant's own threshold."""
    manifest = read_manifest(site)
    parity = next(entry for entry in manifest.variants if entry.name == page.facts()["variant"]).parity
    expected = [sample.outputs for sample in read_golden(Bundle(site / "model", manifest)).samples]
    assert len(expected) >= 8
    measured = measure_parity(parity.metric, expected, page.run_golden(), parity.threshold)
    assert measured.value <= parity.threshold


def loaded_builds(page: WatchedPage) -> set[str]:
    """The builds of ONNX Runtime whose code the page has asked for."""
    glue = {"jspi": "simd-threaded.jspi.mjs", "asyncify": "simd-threaded.asyncify.mjs", "wasm": "simd-threaded.mjs"}
    return {name for name, ending in glue.items() if any(path.endswith(ending) for path in page.requests)}


def remove_jspi(context: BrowserContext) -> None:
    """Play a browser without JSPI."""
    prepend_to_worker(context, "delete WebAssembly.Suspending;")


class TestWorlds:
    def test_isolated_wasm_runs_with_threads(self, built_digits: Path, open_page: OpenPage) -> None:
        page = open_page(built_digits, "?backend=wasm")
        page.wait_until_ready()
        facts = page.facts()
        cores = page.js("navigator.hardwareConcurrency")
        assert page.js("crossOriginIsolated") and facts["device"]["isolated"]
        assert facts["threads"] == min(cores, 4)
        assert facts["build"] == "wasm" and loaded_builds(page) == {"wasm"}
        assert facts["stats"] == {"dispatches": 0, "submits": 0, "maps": 0, "bytesRead": 0}
        check_golden(page, built_digits)
        assert page.facts()["stats"]["dispatches"] == 0

    def test_wasm_that_is_not_isolated_runs_with_one(self, built_digits: Path, open_page: OpenPage) -> None:
        page = open_page(built_digits, "?backend=wasm", isolated=False)
        page.wait_until_ready()
        assert page.js("crossOriginIsolated") is False
        assert page.facts()["threads"] == 1
        check_golden(page, built_digits)

    @pytest.mark.parametrize("build", ["jspi", "asyncify"])
    def test_webgpu_takes_the_build_that_the_browser_can_run(
        self, built_digits: Path, open_page: OpenPage, build: str
    ) -> None:
        prepare: Callable[[BrowserContext], None] | None = remove_jspi if build == "asyncify" else None
        page = open_page(built_digits, "?backend=webgpu", prepare=prepare)
        assert page.wait_until_ready()["backend"] == "webgpu"
        before = page.facts()
        assert before["build"] == build and loaded_builds(page) == {build}
        assert before["adapter"]["software"] is True
        check_golden(page, built_digits)
        after = page.facts()["stats"]
        assert after["dispatches"] > before["stats"]["dispatches"] > 0
        assert after["bytesRead"] > before["stats"]["bytesRead"] > 0

    def test_a_software_adapter_is_passed_over_with_a_reason(self, built_digits: Path, open_page: OpenPage) -> None:
        page = open_page(built_digits)
        status = page.wait_until_ready()
        assert status["backend"] == "wasm" and status["variant"] == read_manifest(built_digits).variants[0].name
        assert "software" in status["reason"] and "CPU (wasm)" in status["reason"]
        facts = page.facts()
        assert facts["reason"] == status["reason"]
        passed_over = [attempt for attempt in facts["attempts"] if attempt["backend"] == "webgpu"]
        assert passed_over and all(not attempt["ok"] and attempt["reason"] for attempt in passed_over)
        assert page.text(".strip-note") == status["reason"], "visible, not only in an attribute"

    def test_without_an_adapter_wasm_runs_and_says_why(
        self, built_digits: Path, open_page: OpenPage, browser_without_webgpu: Browser
    ) -> None:
        page = open_page(built_digits, browser=browser_without_webgpu)
        status = page.wait_until_ready()
        assert status["backend"] == "wasm"
        assert "has no WebGPU" in status["reason"] and "CPU (wasm)" in status["reason"]
        assert page.facts()["adapter"] is None
        check_golden(page, built_digits)

    def test_without_an_adapter_forced_webgpu_fails(
        self, built_digits: Path, open_page: OpenPage, browser_without_webgpu: Browser
    ) -> None:
        page = open_page(built_digits, "?backend=webgpu", browser=browser_without_webgpu)
        status = page.wait_for("failed")
        assert "cannot run here as webgpu" in status["reason"] and "has no WebGPU" in status["reason"]
        assert page.text(".failure-reason") == status["reason"]
        assert page.js("window.kit === undefined")
        # The way out that the page offers does work.
        page.page.get_by_role("link", name="Let the page choose").first.click()
        assert page.wait_until_ready()["backend"] == "wasm"


class TestForcedChoices:
    """Forced choices that work are in test_weights.py: every variant on every backend."""

    @pytest.mark.parametrize(
        ("query", "words"),
        [
            ("backend=cuda", 'There is no backend "cuda". There are: webgpu, wasm.'),
            ("variant=q3", 'This model has no variant "q3". It has: q8, fp16, fp32.'),
            ("backend=%3Cimg%20src=x%20onerror=alert(1)%3E", 'There is no backend "<img src=x onerror=alert(1)>".'),
        ],
    )
    def test_a_choice_that_does_not_exist(
        self, built_digits: Path, open_page: OpenPage, query: str, words: str
    ) -> None:
        page = open_page(built_digits, "?" + query)
        reason = page.wait_for("failed")["reason"]
        assert words in reason
        assert page.text(".failure-reason") == reason
        assert page.page.locator(".failure img, .failure script").count() == 0
        assert not [path for path in page.requests if "/chunks/" in path or path.endswith(".wasm")]

    def test_a_choice_that_cannot_work_here_is_not_downloaded(self, built_digits: Path, open_page: OpenPage) -> None:
        page = open_page(built_digits, "?backend=webgpu&variant=fp16")
        status = page.wait_for("failed", "ready", "done")
        if "shader-f16" in page.js("async () => [...(await navigator.gpu.requestAdapter()).features]"):
            pytest.skip("this adapter has shader-f16, so here the choice works")
        assert status["status"] == "failed"
        assert "cannot run here as fp16 on webgpu" in status["reason"] and "needs shader-f16" in status["reason"]
        assert not [path for path in page.requests if "/chunks/" in path or path.endswith(".wasm")]
