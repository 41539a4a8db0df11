"""Driving one page of a site in a real browser: load it, run its golden, see what it says and shows."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from webgpu_kit.artifacts import Tensors
from webgpu_kit.browser import read_adapter
from webgpu_kit.browser.page_watch import PageWatch
from webgpu_kit.browser.patience import CpuWatch, Patience, Stopwatch
from webgpu_kit.errors import BrowserError, CheckError
from webgpu_kit.golden_file import decode_tensors
from webgpu_kit.report import GpuWork, PageEntry

if TYPE_CHECKING:
    from playwright import async_api

WATCH_SCRIPT = Path(__file__).with_name("page_watch.js")
VIEWPORT_SIZE = (1280, 800)
PHONE_SIZE = (390, 844)
MAX_HEIGHT = 4000
POLL_S = 0.1
IDLE_S = 2.0
# A page that has already done something wrong is not waited for as long as one that is only slow.
FAULTY_STALL_S = 15.0
SCREENSHOT_LIMIT_S = 20.0

READ_STATE = """() => {
    const { kitStatus, kitBackend, kitVariant, kitReason } = document.documentElement.dataset;
    return { status: kitStatus ?? "", backend: kitBackend ?? "", variant: kitVariant ?? "", reason: kitReason ?? "",
             loaded: Boolean(window.kit) };
}"""
READ_HEIGHT = "() => document.documentElement.scrollHeight"
READ_FACTS = """() => {
    const { threads, adapter, attempts } = window.kit ?? {};
    const text = (object, name) => [name, String(object[name] ?? "")];
    const pick = (object, names) => Object.fromEntries(names.split(" ").map((name) => text(object, name)));
    return {
        isolated: crossOriginIsolated,
        threads: Number.isInteger(threads) ? threads : null,
        adapter: adapter && { ...pick(adapter, "vendor architecture description"), software: !!adapter.software },
        attempts: Array.from(attempts ?? [], (each) => ({ ...pick(each, "variant backend reason"), ok: !!each.ok })),
        watch: __webgpuKitWatch,
    };
}"""
RUN_SAMPLE = """async ({ golden, index }) => {
    const { encodeTensor } = await import(new URL("kit/tensors.js", document.baseURI).href);
    const before = await kit.stats();
    const startedAt = performance.now();
    const answer = await kit.run(golden.samples[index].input);
    const endedAt = performance.now();
    __webgpuKitWatch.runs.push({ startedAt, endedAt });
    const after = await kit.stats();
    const outputs = {};
    for (const name in answer.outputs) outputs[name] = encodeTensor(answer.outputs[name]);
    const gpu = {};
    for (const name in after) gpu[name] = after[name] - before[name];
    return { outputs, gpu, time_ms: endedAt - startedAt };
}"""


@dataclass(frozen=True)
class PageState:
    """What the page says of itself on its root element; `loaded` means that it offers `window.kit`."""

    status: str
    backend: str
    variant: str
    reason: str
    loaded: bool


@dataclass(frozen=True)
class SampleRun:
    """One golden sample run by the page."""

    outputs: Tensors
    time_ms: float
    gpu: GpuWork


class Visit:
    """One page in one browser context. Everything that can hang is bounded by `patience`.

    Raises CheckError where the page is at fault and BrowserError where the browser is gone.
    """

    def __init__(self, page: async_api.Page, watch: PageWatch, path: str, patience: Patience) -> None:
        self.page = page
        self.watch = watch
        self.path = path
        self.patience = patience
        self.entry = PageEntry(url=path)
        self._golden: async_api.JSHandle | None = None

    async def load(self) -> PageState:
        """Open the page and wait until it is ready or has failed, as long as it gets somewhere."""
        going = self.page.goto(self.watch.origin + self.path, wait_until="commit", timeout=0)
        await self.guard("the page did not open", going)
        last: tuple[PageState, int] | None = None
        idle, busy, cpu = Stopwatch(), Stopwatch(), CpuWatch(self.page.context.browser)
        while True:
            state = PageState(**await self.guard("the page is frozen", self.page.evaluate(READ_STATE)))
            if state.status == "failed" or (state.loaded and state.status in ("ready", "running", "done")):
                return state
            if (state, self.watch.activity) != last:
                last = (state, self.watch.activity)
                idle.restart()
                busy.restart()
            elif idle.seconds() > IDLE_S and await cpu.is_working():
                idle.restart()
            limit_s = min(self.patience.stall_s, FAULTY_STALL_S) if self.watch.problems else self.patience.stall_s
            if idle.seconds() > limit_s or busy.seconds() > self.patience.busy_s:
                said = f"data-kit-status is {state.status!r}" if state.status else "it has no data-kit-status"
                raise CheckError(f"the page never got ready: no progress for {busy.seconds():.0f} s, {said}")
            await asyncio.sleep(POLL_S)

    async def count_golden(self) -> int:
        """How many golden samples the page itself knows."""
        self._golden = await self.guard("golden() gave nothing", self.page.evaluate_handle("() => kit.golden()"))
        return int(await self.page.evaluate("golden => golden.samples.length", self._golden))

    async def run_sample(self, index: int) -> SampleRun:
        """Run golden sample `index` in the page, through `window.kit`."""
        if self._golden is None:
            await self.count_golden()
        argument = {"golden": self._golden, "index": index}
        what = f"run() of golden sample {index} gave nothing"
        found = await self.guard(what, self.page.evaluate(RUN_SAMPLE, argument), self.patience.busy_s)
        try:
            gpu = GpuWork.model_validate({**found["gpu"], "bytes_read": found["gpu"]["bytesRead"]})
            return SampleRun(decode_tensors(found["outputs"]), float(found["time_ms"]), gpu)
        except (ValueError, KeyError, TypeError) as error:
            raise CheckError(f"golden sample {index}: the page's answer cannot be read: {error}") from error

    async def describe(self) -> PageEntry:
        """Everything noted about the page until now."""
        state = await self.guard("the page is frozen", self.page.evaluate(READ_STATE))
        facts = await self.guard("the page is frozen", self.page.evaluate(READ_FACTS))
        watch = facts["watch"]
        self.entry = self.entry.model_copy(
            update={
                **{key: state[key] for key in ("status", "backend", "variant", "reason")},
                "isolated": facts["isolated"],
                "threads": facts["threads"],
                "adapter": read_adapter(facts["adapter"]) if facts["adapter"] else None,
                "attempts": facts["attempts"],
                "load_ms": watch["readyAt"],
                "downloaded_bytes": await self.watch.count_bytes(),
                "request_count": self.watch.request_count,
                "long_tasks_ms": _choose_long_tasks(watch),
                "problems": self.watch.report_problems(watch["violations"]),
                "warnings": list(dict.fromkeys(self.watch.warnings)),
            }
        )
        return self.entry

    async def describe_fault(self) -> PageEntry:
        """As much of `describe` as a page at fault still gives."""
        try:
            return await self.describe()
        except CheckError:
            update = {"problems": self.watch.report_problems([]), "warnings": self.watch.warnings}
            return self.entry.model_copy(update=update)

    async def take_screenshot(self, size: tuple[int, int] = VIEWPORT_SIZE) -> bytes:
        """The full page in a window of `size` (CSS pixels) as PNG; empty if it cannot be drawn.

        After `describe`: drawing may trip the page's CSP.
        """
        from playwright.async_api import Error

        try:
            # A taller window instead of Playwright's full_page: what a page fixes to its bottom edge stays there.
            width, least = size
            resizing = self.page.set_viewport_size({"width": width, "height": least})
            await self.guard("the page is frozen", resizing)
            height = await self.guard("the page is frozen", self.page.evaluate(READ_HEIGHT))
            await self.page.set_viewport_size({"width": width, "height": max(least, min(int(height), MAX_HEIGHT))})
            await asyncio.sleep(POLL_S)
            limit_s = min(SCREENSHOT_LIMIT_S, self.patience.stall_s)
            return await self.page.screenshot(timeout=limit_s * 1000, caret="initial")
        except (Error, CheckError):
            return b""

    async def guard(self, what: str, action: Any, limit_s: float = 0) -> Any:
        """Await `action` for at most `limit_s` (that of a stall, if 0); a fault is told as `what` and the reason."""
        from playwright.async_api import Error

        try:
            return await asyncio.wait_for(action, limit_s or self.patience.stall_s)
        except asyncio.TimeoutError as error:
            raise CheckError(f"{what} for {limit_s or self.patience.stall_s:g} s") from error
        except Error as error:
            browser = self.page.context.browser
            if browser is not None and not browser.is_connected():
                raise BrowserError(
                    "The browser ended in the middle of its work.", fix="run the command again"
                ) from error
            said = error.message.splitlines()[0].removeprefix("Page.evaluate: ").removeprefix("Error: ")
            raise CheckError(f"{what}: {said}") from error


@asynccontextmanager
async def open_context(browser: async_api.Browser, origin: str) -> AsyncIterator[async_api.BrowserContext]:
    """A fresh context, as of a first-time visitor. Requests to any other origin than `origin` are cut off."""
    width, height = VIEWPORT_SIZE
    context = await browser.new_context(viewport={"width": width, "height": height})
    try:
        own = (f"{origin}/", "data:", "blob:")
        await context.route(lambda url: not url.startswith(own), _cut_off)
        yield context
    finally:
        await context.close()


@asynccontextmanager
async def open_visit(
    context: async_api.BrowserContext, origin: str, path: str, patience: Patience
) -> AsyncIterator[Visit]:
    """A new page in `context`, watched before it goes anywhere."""
    page = await context.new_page()
    try:
        await page.add_init_script(path=WATCH_SCRIPT)
        yield Visit(page, PageWatch(page, origin), path, patience)
    finally:
        await page.close()


async def _cut_off(route: async_api.Route) -> None:
    await route.abort("blockedbyclient")


def _choose_long_tasks(watch: dict[str, Any]) -> list[float] | None:
    """Durations of the long tasks while loading or running; those of the check's own questions are left out."""
    if watch["longTasks"] is None:
        return None
    ready_at = watch["readyAt"] if watch["readyAt"] is not None else float("inf")
    spans = [(0.0, ready_at), *((run["startedAt"], run["endedAt"]) for run in watch["runs"])]
    return [
        round(task["duration"], 1)
        for task in watch["longTasks"]
        if any(start <= task["startTime"] < end for start, end in spans)
    ]
