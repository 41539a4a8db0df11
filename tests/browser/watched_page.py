"""A page of a site in a real browser, watched: whatever it does wrong fails the test that opened it."""

from __future__ import annotations

import base64
import re
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any
from urllib.parse import urlsplit

import numpy as np
from playwright.sync_api import Browser, BrowserContext, ConsoleMessage, Error, Page, Request, Response, Route

from webgpu_kit.artifacts import Tensors
from webgpu_kit.golden_file import decode_tensors

# Nothing here asserts a time: this only ends a wait for what will never come.
PATIENCE_S = 120
POLL_MS = 40

# The console tells of violations in its own words; this tells them in ours, also those that a page catches.
TELL_VIOLATIONS = """addEventListener("securitypolicyviolation", ({ effectiveDirective, blockedURI }) =>
    console.error(`policy violation: ${effectiveDirective} blocked ${blockedURI}`));"""

RUN = """async (inputs) => {
    const { decodeTensor, encodeTensor } = await import("./kit/tensors.js");
    const mapTensors = (tensors, change) =>
        Object.fromEntries(Object.entries(tensors).map(([name, tensor]) => [name, change(tensor)]));
    const { outputs } = await window.kit.run({ inputs: mapTensors(inputs, decodeTensor) });
    return mapTensors(outputs, encodeTensor);
}"""

RUN_GOLDEN = """async (count) => {
    const { encodeTensor } = await import("./kit/tensors.js");
    const answers = [];
    for (const { input } of (await window.kit.golden()).samples.slice(0, count ?? undefined)) {
        const { outputs } = await window.kit.run(input);
        answers.push(Object.fromEntries(Object.entries(outputs).map(([name, one]) => [name, encodeTensor(one)])));
    }
    return answers;
}"""

FACTS = """async () => {
    const { backend, variant, threads, build, adapter, reason, attempts, timings, device } = window.kit;
    const stats = await window.kit.stats();
    return { backend, variant, threads, build, adapter, reason, attempts, timings, device, stats };
}"""


DATASET = """(wanted) => {
    const { dataset } = document.documentElement;
    return !wanted || wanted.includes(dataset.kitStatus) ? { ...dataset } : null;
}"""


def _name_attributes(dataset: Mapping[str, str]) -> dict[str, str]:
    return {name.removeprefix("kit").lower(): value for name, value in dataset.items() if name.startswith("kit")}


class WatchedPage:
    """One open page. `problems` is everything it did wrong, as lines of text."""

    def __init__(self, page: Page, origin: str) -> None:
        self.page = page
        self.origin = origin
        self.problems: list[str] = []
        self.requests: list[str] = []
        page.on("console", self._on_console)
        page.on("pageerror", lambda error: self.problems.append(f"page error: {error}"))
        page.on("crash", lambda _: self.problems.append("the page crashed"))
        page.on("websocket", lambda socket: self._note_request(socket.url))
        page.context.on("request", lambda request: self._note_request(request.url))
        page.context.on("requestfailed", self._on_failed)
        page.context.on("response", self._on_response)

    def _on_console(self, message: ConsoleMessage) -> None:
        if message.type in ("error", "assert"):
            where = urlsplit(message.location.get("url", "")).path
            self.problems.append(f"console: {message.text} ({where})")

    def _on_failed(self, request: Request) -> None:
        if request.failure != "net::ERR_ABORTED":  # what the page itself gave up
            self.problems.append(f"request failed: {request.failure} ({urlsplit(request.url).path})")

    def _on_response(self, response: Response) -> None:
        # A worker's failed requests are not told on the console.
        if response.status >= 400:
            self.problems.append(f"response {response.status} ({urlsplit(response.url).path})")

    def _note_request(self, url: str) -> None:
        self.requests.append(urlsplit(url).path)
        parts = urlsplit(url)
        if parts.scheme in ("http", "https", "ws", "wss") and parts.netloc != urlsplit(self.origin).netloc:
            self.problems.append(f"off-origin request: {url}")

    def js(self, script: str, argument: Any = None) -> Any:
        """Evaluate `script`, a function or an expression, in the page."""
        return self.page.evaluate(script, argument)

    def until(self, script: str, argument: Any = None, *, why: str = "") -> Any:
        """Evaluate `script` again and again until it gives something true; that is the result.

        Not Playwright's wait_for_function: its polling is an eval, which the pages' policy forbids.
        """
        end = time.monotonic() + PATIENCE_S
        while True:
            try:
                found = self.page.evaluate(script, argument)
            except Error as error:
                if "context was destroyed" not in error.message and "navigat" not in error.message:
                    raise
                found = None
            if found:
                return found
            assert time.monotonic() < end, f"waited in vain for {why or script}; the page: {self.problems}"
            self.page.wait_for_timeout(POLL_MS)

    @property
    def status(self) -> dict[str, str]:
        """The data-kit-* attributes: status, backend, variant, reason."""
        return _name_attributes(self.js(DATASET, None))

    def wait_for(self, *wanted: str) -> dict[str, str]:
        """Wait until the page's status is one of `wanted`; the attributes of that moment.

        A failure ends the wait too, and so does readiness where a failure was wanted: as a failed test.
        """
        ends = {*wanted, "failed"} | ({"ready", "done"} if "failed" in wanted else set())
        status = _name_attributes(self.until(DATASET, sorted(ends), why=f"status {' or '.join(wanted)}"))
        assert status["status"] in wanted, status
        return status

    def wait_until_ready(self) -> dict[str, str]:
        """Wait until the model is loaded and `window.kit` is set."""
        status = self.wait_for("ready", "running", "done")
        self.until("window.kit !== undefined")
        return status

    def facts(self) -> dict[str, Any]:
        """What `window.kit` says about itself, with its GPU counters."""
        found: dict[str, Any] = self.js(FACTS)
        return found

    def run(self, inputs: Tensors) -> Tensors:
        """Run the page's tensor model."""
        return decode_tensors(self.js(RUN, encode_tensors(inputs)))

    def run_golden(self, count: int | None = None) -> list[Tensors]:
        """Run the first `count` golden samples, or every one."""
        return [decode_tensors(outputs) for outputs in self.js(RUN_GOLDEN, count)]

    def wait_for_workers(self, count: int) -> None:
        """Wait until the page has `count` workers of the kit (those of its threads not counted)."""
        end = time.monotonic() + PATIENCE_S
        while (found := sum(worker.url.endswith("/kit/worker.js") for worker in self.page.workers)) != count:
            assert time.monotonic() < end, f"{found} workers live, expected {count}"
            self.page.wait_for_timeout(POLL_MS)

    def text(self, selector: str) -> str:
        """The text of the one element at `selector`, exactly as it stands in the document."""
        return self.page.locator(selector).text_content() or ""


def prepend_to_worker(context: BrowserContext, code: str) -> None:
    """Let `code` run in the kit's worker before anything else does there: to play another kind of browser."""

    def answer(route: Route) -> None:
        response = route.fetch()
        route.fulfill(response=response, body=f"{code}\n{response.text()}")

    context.route("**/kit/worker.js", answer)


def encode_tensors(tensors: Mapping[str, Any]) -> dict[str, Any]:
    """Tensors as JSON, the way the golden has them."""
    return {
        name: {
            "dtype": str(value.dtype),
            "shape": list(value.shape),
            "data": base64.b64encode(np.ascontiguousarray(value).tobytes()).decode(),
        }
        for name, value in tensors.items()
    }


@contextmanager
def watch_page(
    browser: Browser,
    url: str,
    *,
    expected: Sequence[str] = (),
    prepare: Callable[[BrowserContext], object] | None = None,
    **options: Any,
) -> Iterator[WatchedPage]:
    """Open `url` in a fresh context and, at the end, fail if the page did anything wrong.

    `expected` are patterns: every problem must match one of them, and every one must be seen. `prepare` gets the
    context before the page is opened, for routes and scripts; `options` are those of a new context.
    """
    parts = urlsplit(url)
    context = browser.new_context(**options)
    try:
        context.add_init_script(TELL_VIOLATIONS)
        if prepare:
            prepare(context)
        watched = WatchedPage(context.new_page(), f"{parts.scheme}://{parts.netloc}")
        watched.page.goto(url)
        yield watched
        watched.page.wait_for_timeout(1)  # what the page has already said is delivered in here
    finally:
        context.close()
    explain = sort_problems(watched.problems, expected)
    assert not explain, "\n".join(explain)


def sort_problems(problems: Sequence[str], expected: Sequence[str]) -> list[str]:
    """What is wrong with these problems: those that nobody expected, and those that did not come."""
    surprises = [problem for problem in problems if not any(re.search(pattern, problem) for pattern in expected)]
    missing = [
        f"expected and not seen: {pattern}"
        for pattern in expected
        if not any(re.search(pattern, problem) for problem in problems)
    ]
    return surprises + missing
