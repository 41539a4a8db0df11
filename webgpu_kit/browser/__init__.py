"""Starting a browser with the right kind of WebGPU, and ending it whatever happens."""

from __future__ import annotations

import asyncio
import os
import platform
import sys
from collections.abc import AsyncIterator, Coroutine, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any, Literal, TypeVar

from webgpu_kit.browser.search import ENVIRONMENT_NAME, BrowserChoice, find_browser
from webgpu_kit.errors import BrowserError
from webgpu_kit.report import Adapter, BrowserEntry

if TYPE_CHECKING:
    from playwright import async_api, sync_api

__all__ = [
    "BrowserChoice",
    "OpenBrowser",
    "find_browser",
    "launch",
    "open_browser",
    "open_profile",
    "probe_adapter",
    "run_to_end",
]

T = TypeVar("T")
WebgpuMode = Literal["auto", "hardware", "software", "none"]

START_TIMEOUT_S = 120
ADAPTER_TIMEOUT_S = 120
ENDED_FIX = "run the command again; if it ends again, close other programs to free memory"

# Without these Chromium talks to its vendor while it is being measured.
QUIET_FLAGS = (
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
    "--disable-quic",
)
SOFTWARE_FLAGS = ("--enable-unsafe-webgpu", "--use-webgpu-adapter=swiftshader")
# Chromium on Linux keeps WebGPU behind flags on most GPUs, and headless it needs Vulkan without a surface.
LINUX_HARDWARE_FLAGS = (
    "--enable-unsafe-webgpu",
    "--enable-features=Vulkan",
    "--use-angle=vulkan",
    "--disable-vulkan-surface",
)
SOFTWARE_ADAPTERS = ("swiftshader", "llvmpipe", "lavapipe", "softpipe", "basic render", "warp")

PROBE_ADAPTER = """async () => {
    const adapter = await navigator.gpu?.requestAdapter({ powerPreference: "high-performance" });
    if (!adapter) return null;
    const { vendor, architecture, device, description, isFallbackAdapter } = adapter.info;
    const limits = {};
    for (const name in adapter.limits) limits[name] = adapter.limits[name];
    const fallback = isFallbackAdapter ?? adapter.isFallbackAdapter ?? false;
    return { vendor, architecture, device, description, fallback, limits, features: [...adapter.features].sort() };
}"""


@dataclass(frozen=True)
class OpenBrowser:
    """A running browser, with the adapter that its pages get and the options it was started with."""

    browser: async_api.Browser
    choice: BrowserChoice
    adapter: Adapter | None
    options: Mapping[str, Any]

    def describe(self) -> BrowserEntry:
        """As it stands in a report."""
        webgpu: Literal["hardware", "software", "none"] = "none"
        if self.adapter:
            webgpu = "software" if self.adapter.software else "hardware"
        return BrowserEntry(
            name=self.choice.name,
            version=self.browser.version,
            executable=str(self.choice.executable or ""),
            headed=not self.options["headless"],
            flags=list(self.options["args"]),
            webgpu=webgpu,
            adapter=self.adapter,
        )


def run_to_end(main: Coroutine[Any, Any, T]) -> T:
    """Run `main` to its end, also where an event loop is running already (a notebook)."""

    async def work() -> T:
        asyncio.get_running_loop().set_exception_handler(_forget_lost_driver)
        return await main

    if not _is_loop_running():
        return asyncio.run(work())
    with ThreadPoolExecutor(max_workers=1) as pool:
        return pool.submit(asyncio.run, work()).result()


def _is_loop_running() -> bool:
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return False
    return True


def _forget_lost_driver(loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
    # Ctrl-C in a terminal ends Playwright's driver too; asyncio would complain about what the driver still owed us.
    if "Connection closed" not in str(context.get("exception")):
        loop.default_exception_handler(context)


@asynccontextmanager
async def open_browser(
    choice: BrowserChoice, *, webgpu: WebgpuMode = "auto", headed: bool = False
) -> AsyncIterator[OpenBrowser]:
    """Start `choice` and end it again, whatever happens.

    `auto` asks for the machine's GPU first, and starts again with a software adapter only if there is none.
    """
    from playwright.async_api import Error, async_playwright

    modes: tuple[WebgpuMode, ...] = ("hardware", "software") if webgpu == "auto" else (webgpu,)
    opened: OpenBrowser | None = None
    async with async_playwright() as playwright:
        try:
            for mode in modes:
                if opened:
                    await opened.browser.close()
                opened = await _start(playwright, choice, mode, headed)
                if (opened.adapter and not opened.adapter.software) or choice.name == "firefox":
                    break
            assert opened is not None
            yield opened
        except Error as error:
            said = error.message.splitlines()[0] if error.message else "no message"
            raise BrowserError(f"The browser ended in the middle of its work: {said}", fix=ENDED_FIX) from error
        finally:
            # A browser that has ended already (Ctrl-C reaches it too) has nothing left to close.
            with suppress(Error):
                await opened.browser.close() if opened else None


@asynccontextmanager
async def open_profile(opened: OpenBrowser) -> AsyncIterator[async_api.BrowserContext]:
    """A fresh profile on disk in a second process of the same browser.

    Other contexts keep their HTTP cache in memory, where large files do not fit: a warm load in them is none.
    """
    from playwright.async_api import Error

    with TemporaryDirectory(prefix="webgpu-kit-", ignore_cleanup_errors=True) as folder:
        context = await opened.browser.browser_type.launch_persistent_context(folder, **opened.options)
        try:
            yield context
        finally:
            with suppress(Error):
                await context.close()


@contextmanager
def launch(choice: BrowserChoice, *, webgpu: WebgpuMode = "auto", headed: bool = False) -> Iterator[sync_api.Browser]:
    """As `open_browser`, for scripts and tests that use Playwright's synchronous API."""
    from playwright.sync_api import sync_playwright

    mode = run_to_end(_find_mode(choice, headed)) if webgpu == "auto" else webgpu
    with sync_playwright() as playwright:
        browser = getattr(playwright, _engine(choice)).launch(**_launch_options(choice, mode, headed))
        try:
            yield browser
        finally:
            browser.close()


async def _find_mode(choice: BrowserChoice, headed: bool) -> WebgpuMode:
    async with open_browser(choice, headed=headed) as opened:
        return opened.describe().webgpu


async def _start(
    playwright: async_api.Playwright, choice: BrowserChoice, mode: WebgpuMode, headed: bool
) -> OpenBrowser:
    from playwright.async_api import Error

    options = _launch_options(choice, mode, headed)
    try:
        browser = await getattr(playwright, _engine(choice)).launch(**options)
    except Error as error:
        raise BrowserError(
            f"{choice.title} did not start: {_shorten(error.message)}", fix=_start_fix(choice)
        ) from error
    try:
        return OpenBrowser(browser, choice, await probe_adapter(browser), options)
    except BaseException:
        await browser.close()
        raise


async def probe_adapter(browser: async_api.Browser) -> Adapter | None:
    """The WebGPU adapter that a page gets, or None."""
    from playwright.async_api import Route

    async def answer(route: Route) -> None:
        await route.fulfill(content_type="text/html", body="<!doctype html><title>probe</title>")

    context = await browser.new_context()
    try:
        # navigator.gpu exists on secure origins only: localhost is one, about:blank is not.
        await context.route("**/*", answer)
        page = await context.new_page()
        await page.goto("http://localhost/", timeout=ADAPTER_TIMEOUT_S * 1000)
        found = await asyncio.wait_for(page.evaluate(PROBE_ADAPTER), ADAPTER_TIMEOUT_S)
    except asyncio.TimeoutError:
        return None
    finally:
        await context.close()
    return read_adapter(found) if found else None


def read_adapter(found: Mapping[str, Any]) -> Adapter:
    """An adapter as the page tells of it; it is software if it says so or bears a software renderer's name."""
    names = " ".join(str(found.get(key, "")) for key in ("vendor", "architecture", "device", "description")).lower()
    software = bool(found.get("fallback") or found.get("software")) or any(name in names for name in SOFTWARE_ADAPTERS)
    return Adapter.model_validate({**found, "software": software})


def _flags(choice: BrowserChoice, mode: WebgpuMode) -> list[str]:
    if choice.name == "firefox":
        return []
    # Chromium refuses to run as root with its sandbox; everyone else keeps it.
    root = ("--no-sandbox",) if hasattr(os, "geteuid") and os.geteuid() == 0 else ()
    by_mode = {
        "software": SOFTWARE_FLAGS,
        "none": ("--disable-gpu",),
        "hardware": LINUX_HARDWARE_FLAGS if platform.system() == "Linux" else (),
    }
    return [*root, *QUIET_FLAGS, *by_mode[mode]]


def _launch_options(choice: BrowserChoice, mode: WebgpuMode, headed: bool) -> dict[str, Any]:
    options: dict[str, Any] = {"headless": not headed, "args": _flags(choice, mode), "timeout": START_TIMEOUT_S * 1000}
    if choice.executable:
        options["executable_path"] = choice.executable
    if choice.channel:
        options["channel"] = choice.channel
    if choice.name == "firefox" and mode == "none":
        options["firefox_user_prefs"] = {"dom.webgpu.enabled": False}
    return options


def _engine(choice: BrowserChoice) -> str:
    return "firefox" if choice.name == "firefox" else "chromium"


def _shorten(message: str) -> str:
    lines = [line.strip() for line in message.splitlines() if line.strip()]
    telling = [line for line in lines if any(word in line.lower() for word in ("sandbox", "missing", "shared librar"))]
    return " ".join([lines[0] if lines else "no message", *telling[:1]])[:400]


def _start_fix(choice: BrowserChoice) -> str:
    if choice.executable is None and platform.system() == "Linux":
        return f'"{sys.executable}" -m playwright install --with-deps {choice.name}'
    return f"start it by hand to see why, or choose another with --browser or {ENVIRONMENT_NAME}"
