"""One bundle that is checked, and one page of it in a context of its own."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from webgpu_kit.artifacts import Progress
from webgpu_kit.browser.page import open_context
from webgpu_kit.browser.patience import Patience, Stopwatch
from webgpu_kit.check.drive import Drive
from webgpu_kit.check.proof import AskOutcome, Demand, Outcome, SearchOutcome
from webgpu_kit.golden_file import RecordedGolden
from webgpu_kit.manifest import Backend, Manifest, VariantEntry
from webgpu_kit.questions import RecordedQuestions
from webgpu_kit.report import Adapter

if TYPE_CHECKING:
    from playwright import async_api

NO_ADAPTER = "this browser gives pages no WebGPU adapter on this machine"


@dataclass(frozen=True)
class Job:
    """Which bundle is checked, and how.

    `ask` is what the page's address says to load that one alone; `drive` is what a visitor does on the site's page.
    `questions` are those that the whole page is asked, which searches with this bundle.
    """

    model: str
    ask: str
    manifest: Manifest
    golden: RecordedGolden
    pairs: tuple[tuple[VariantEntry, Backend], ...]
    patience: Patience
    progress: Progress
    drive: Drive
    questions: RecordedQuestions | None = None
    origin: str = ""
    bare_origin: str = ""


def explain_unfit(variant: VariantEntry, adapter: Adapter | None) -> str:
    """Why `variant` cannot run on WebGPU with this adapter; empty if it can."""
    if adapter is None:
        return NO_ADAPTER
    lacking = [feature for feature in variant.requires if feature not in adapter.features]
    if lacking:
        return f"the adapter {adapter.title} lacks {', '.join(lacking)}"
    for limit in ("maxBufferSize", "maxStorageBufferBindingSize"):
        allowed = adapter.limits.get(limit)
        if allowed is not None and variant.max_buffer_bytes > allowed:
            return f"the adapter {adapter.title} allows {limit} {allowed}, needed are {variant.max_buffer_bytes} bytes"
    return ""


def make_path(*asked: str) -> str:
    """The page's address with what is asked of it."""
    query = "&".join(filter(None, asked))
    return f"/?{query}" if query else "/"


async def prove_in_context(
    browser: async_api.Browser,
    job: Job,
    origin: str,
    demand: Demand,
    screenshot: str,
    prove: Callable[[async_api.BrowserContext], Awaitable[Outcome | SearchOutcome | AskOutcome]],
) -> dict[str, object]:
    """The fields of a result, from one page in a fresh context."""
    clock = Stopwatch()
    async with open_context(browser, origin) as context:
        outcome = await prove(context)
    if outcome.page.screenshot_png:
        outcome.page.screenshot = screenshot
    if outcome.page.phone_screenshot_png:
        outcome.page.phone_screenshot = screenshot.removesuffix(".png") + "-phone.png"
    for number, picture in enumerate(outcome.page.pictures, 1):
        picture.file = screenshot.removesuffix(".png") + f"-{number}.png"
    job.progress(f"{demand.path}: {outcome.verdict}" + (f": {outcome.reason}" if outcome.reason else ""))
    return {**vars(outcome), "duration_ms": round(clock.seconds() * 1000)}


def name_screenshot(*words: str) -> str:
    """A file name from words that a stranger's manifest may have chosen."""
    return re.sub(r"[^A-Za-z0-9_-]+", "_", "-".join(words))[:80] + ".png"
