"""A loaded model at work: many callers, cancelled calls, wrong inputs, a GPU that goes away."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, BrowserContext

import webgpu_kit
from browser.conftest import OpenPage, Serve, launch_beside
from browser.watched_page import WatchedPage, prepend_to_worker, watch_page

# What every script below starts with: an input whose answer is x * scale, and errors as plain objects.
PREPARE = """
    const { load } = await import("./kit/kit.js");
    const tensor = (dtype, shape, data) => ({ dtype, shape, data });
    const makeInput = (scale) => ({ inputs: {
        x: tensor("float32", [1, 3], Float32Array.of(1, 2, 3)),
        scale: tensor("float32", [], Float32Array.of(scale)),
        add: tensor("bool", [], Uint8Array.of(1)),
        h: tensor("float32", [1, 4], new Float32Array(4)),
    } });
    const status = () => document.documentElement.dataset.kitStatus;
    const tell = (error) => ({ name: error.name, code: error.code ?? "", message: error.message });
    const outcome = async (promise) => {
        try { return [...(await promise).outputs.scaled.data]; } catch (error) { return tell(error); }
    };
"""


def script(body: str) -> str:
    return "async (argument) => {" + PREPARE + body + "}"


@pytest.fixture(scope="module")
def shared(browser: Browser, serve: Serve, varied_site: Path) -> Iterator[WatchedPage]:
    """One page with one model that the tests of this module run, whatever the others did to it."""
    with watch_page(browser, serve(varied_site) + "/?backend=wasm") as page:
        page.wait_until_ready()
        yield page


class TestCalls:
    def test_runs_at_once_each_get_their_own_answer(self, shared: WatchedPage) -> None:
        seen = shared.js(
            script("""
            const calls = [1, 2, 3, 4, 5].map((scale) => outcome(kit.run(makeInput(scale))));
            const during = status();
            return { answers: await Promise.all(calls), during, after: status() };""")
        )
        assert seen["answers"] == [[scale, 2 * scale, 3 * scale] for scale in (1, 2, 3, 4, 5)]
        assert (seen["during"], seen["after"]) == ("running", "done")

    def test_an_input_can_be_given_again(self, shared: WatchedPage) -> None:
        answers = shared.js(
            script("""
            const input = makeInput(7);
            return [await outcome(kit.run(input)), await outcome(kit.run(input)), [...input.inputs.x.data]];""")
        )
        assert answers == [[7, 14, 21], [7, 14, 21], [1, 2, 3]]

    def test_a_cancelled_call_is_cancelled_alone(self, shared: WatchedPage) -> None:
        seen = shared.js(
            script("""
            const control = new AbortController();
            const calls = [
                kit.run(makeInput(1)),
                kit.run(makeInput(2), { signal: control.signal }),
                kit.run(makeInput(3)),
            ].map(outcome);
            control.abort();
            const late = outcome(kit.run(makeInput(4), { signal: control.signal }));
            return { answers: await Promise.all([...calls, late]), after: status() };""")
        )
        first, second, third, late = seen["answers"]
        assert first == [1, 2, 3] and third == [3, 6, 9]
        assert second["name"] == late["name"] == "AbortError"
        assert seen["after"] == "done"

    def test_a_call_cancelled_in_its_work_leaves_the_model_usable(self, shared: WatchedPage) -> None:
        seen = shared.js(
            script("""
            const control = new AbortController();
            const call = outcome(kit.run(makeInput(1), { signal: control.signal }));
            await 0; // it is with the worker now
            control.abort();
            const first = await call;
            const between = status();
            return { answers: [first, await outcome(kit.run(makeInput(2)))], between, after: status() };""")
        )
        assert seen["answers"][0]["name"] == "AbortError" and seen["answers"][1] == [2, 4, 6]
        assert (seen["between"], seen["after"]) == ("ready", "done")

    @pytest.mark.parametrize(
        ("input_", "words"),
        [
            ("null", 'The input "x" (float32 [n, 3]) is missing.'),
            ("{ inputs: { ...good, z: good.x } }", "The model has no input z. It has: x, scale, add, h."),
            ("{ inputs: { ...good, x: good.scale } }", 'The input "x" must have the shape [n, 3], not [].'),
            ("{ inputs: { ...good, add: good.scale } }", 'The input "add" must be bool, not float32.'),
            (
                '{ inputs: { ...good, x: tensor("float32", [2, 3], new Float32Array(5)) } }',
                'The input "x" has 5 numbers, but its shape [2,3] takes 6.',
            ),
            (
                '{ inputs: { ...good, x: tensor("float32", [1, 3], new Float64Array(3)) } }',
                "its data must be a Float32Array, not a Float64Array",
            ),
            ("{ inputs: { ...good, x: { toString() { return 'x'; } } } }", "cannot be sent to the worker"),
        ],
    )
    def test_a_wrong_input_is_explained_and_harms_nothing(self, shared: WatchedPage, input_: str, words: str) -> None:
        seen = shared.js(
            script(f"""
            const good = makeInput(1).inputs;
            const failure = await outcome(kit.run({input_}));
            const after = status();
            return {{ failure, after, next: await outcome(kit.run(makeInput(2))) }};""")
        )
        assert seen["failure"]["code"] == "bad-input" and words in seen["failure"]["message"]
        assert seen["after"] == "failed" and seen["next"] == [2, 4, 6]
        assert shared.status["status"] == "done" and words not in shared.status["reason"]


class TestLoading:
    def test_loading_can_be_cancelled_at_every_stage(self, varied_site: Path, open_page: OpenPage) -> None:
        page = open_page(varied_site, "bare.html")
        seen = page.js(
            script("""
            const tried = [];
            for (const stage of ["before", "probe", "download", "session", "self-test"]) {
                const control = new AbortController();
                if (stage === "before") control.abort();
                const onProgress = (progress) => progress.stage === stage && control.abort();
                try {
                    await load("./model/manifest.json", { backend: "wasm", signal: control.signal, onProgress });
                    tried.push([stage, "loaded", status()]);
                } catch (error) {
                    tried.push([stage, error.name, status(), document.documentElement.dataset.kitReason]);
                }
            }
            window.kit = await load("./model/manifest.json", { backend: "wasm" });
            return { tried, answer: await outcome(kit.run(makeInput(5))) };""")
        )
        stages = ("before", "probe", "download", "session", "self-test")
        assert seen["tried"] == [[stage, "AbortError", "failed", "Loading was cancelled."] for stage in stages]
        assert seen["answer"] == [5, 10, 15], "a cancelled load stands in the way of none"
        page.wait_for_workers(1)  # those of the cancelled loads are gone

    def test_progress_tells_stages_and_bytes_in_order(self, varied_site: Path, open_page: OpenPage) -> None:
        page = open_page(varied_site, "bare.html")
        progress = page.js(
            script("""
            const told = [];
            const onProgress = (progress) => told.push(progress);
            window.kit = await load("./model/manifest.json", { backend: "wasm", onProgress });
            return told;""")
        )
        stages = list(dict.fromkeys(each["stage"] for each in progress))
        assert stages == ["probe", "download", "session", "self-test", "ready"]
        loaded = [each["loadedBytes"] for each in progress if each["stage"] == "download"]
        assert loaded == sorted(loaded)
        assert loaded[-1] == progress[-1]["totalBytes"] == page.facts()["timings"]["downloadedBytes"] > 10_000_000

    def test_a_disposed_model_ends_its_worker_and_says_so(self, varied_site: Path, open_page: OpenPage) -> None:
        page = open_page(varied_site, "bare.html")
        codes = page.js(
            script("""
            const model = await load("./model/manifest.json", { backend: "wasm" });
            const waiting = outcome(model.run(makeInput(1)));
            await model.dispose();
            const golden = model.golden().catch(tell);
            return (await Promise.all([waiting, outcome(model.run(makeInput(1))), golden])).map(({ code }) => code);""")
        )
        assert codes == ["disposed"] * 3
        page.wait_for_workers(0)


class TestLostDevice:
    """The browser's GPU process is killed for real, in a browser of its own."""

    RUN_UNTIL_REFUSED = """async () => {
        const x = { dtype: "float32", shape: [1, 4], data: Float32Array.of(-1, 2, -3, 4) };
        window.runOnce = async () => [...(await kit.run({ inputs: { x } })).outputs.y.data];
        window.refusal = null;
        void (async () => {
            try {
                for (;;) await runOnce();
            } catch (error) {
                const { code, message } = error;
                const status = { ...document.documentElement.dataset };
                const next = runOnce.isEager ? await runOnce().catch(String) : null;
                window.refusal = { code, message, status, next };
            }
        })();
    }"""
    # What a page would see of a GPU that is no software.
    PLAY_HARDWARE = """
        const info = { vendor: "acme", architecture: "one", device: "", description: "", isFallbackAdapter: false };
        for (const [name, value] of Object.entries(info))
            Object.defineProperty(GPUAdapterInfo.prototype, name, { get: () => value });
    """
    HAS_ADAPTER = "async () => Boolean(await navigator.gpu.requestAdapter())"

    @pytest.fixture
    def browser_to_crash(self, browser: Browser) -> Iterator[Browser]:
        with launch_beside(browser, "software") as other:
            yield other

    @pytest.fixture
    def site(self, write_onnx: Any, tmp_path: Path) -> Path:
        path = write_onnx("(float[n, 4] x) => (float[n, 4] y) { y = Relu(x) }")
        return webgpu_kit.build(path, out=tmp_path / "site").path

    def lose_device(self, page: WatchedPage, browser: Browser) -> dict[str, Any]:
        """Kill the GPU process under a running model; what the run was refused with."""
        page.js(self.RUN_UNTIL_REFUSED)
        browser.new_browser_cdp_session().send("Browser.crashGpuProcess")
        refusal: dict[str, Any] = page.until("window.refusal", why="a run to be refused")
        assert refusal["code"] == "device-lost" and "took the GPU away" in refusal["message"]
        assert refusal["status"]["kitStatus"] == "failed"
        assert "took the GPU away" in refusal["status"]["kitReason"]
        return refusal

    def test_the_run_after_a_loss_works(self, site: Path, browser_to_crash: Browser, open_page: OpenPage) -> None:
        def play_hardware(context: BrowserContext) -> None:
            prepend_to_worker(context, self.PLAY_HARDWARE)

        page = open_page(site, browser=browser_to_crash, prepare=play_hardware)
        assert page.wait_until_ready()["backend"] == "webgpu"
        self.lose_device(page, browser_to_crash)
        page.until(self.HAS_ADAPTER)
        assert page.js("runOnce()") == [0, 2, 0, 4]
        facts = page.facts()
        assert facts["backend"] == "webgpu" and facts["stats"]["dispatches"] > 0
        assert sum("took the GPU away" in attempt["reason"] for attempt in facts["attempts"]) == 1
        assert page.status["status"] == "done" and page.status["reason"] == ""

        # Chromium gives a page that lost its GPU twice no adapter any more, then wasm has to do.
        self.lose_device(page, browser_to_crash)
        assert page.js("runOnce()") == [0, 2, 0, 4]
        status = page.status
        assert status["status"] == "done" and status["backend"] == page.facts()["backend"]
        assert status["backend"] == "webgpu" or "CPU (wasm)" in status["reason"]

    def test_the_run_right_after_a_loss_works_on_the_gpu_too(
        self, site: Path, browser_to_crash: Browser, open_page: OpenPage
    ) -> None:
        # For a moment, while the browser starts its GPU process again, there is no adapter.
        page = open_page(site, "?backend=webgpu", browser=browser_to_crash)
        page.wait_until_ready()
        page.js(self.RUN_UNTIL_REFUSED.replace("void (async", "runOnce.isEager = true; void (async"))
        browser_to_crash.new_browser_cdp_session().send("Browser.crashGpuProcess")
        assert page.until("window.refusal")["next"] == [0, 2, 0, 4]
        assert page.facts()["backend"] == "webgpu"
