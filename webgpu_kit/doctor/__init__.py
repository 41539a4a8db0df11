"""What this machine has and lacks for webgpu-kit, each lack with the command that mends it."""

from __future__ import annotations

import platform
import shutil
import subprocess
import sys
from pathlib import Path

from webgpu_kit.browser import BrowserChoice, OpenBrowser, open_browser, run_to_end
from webgpu_kit.browser.search import find_browser, install_command
from webgpu_kit.doctor.machine import describe_machine, read_version
from webgpu_kit.errors import KitError
from webgpu_kit.report import Adapter, DoctorItem, DoctorReport

MIN_PYTHON = (3, 10)
# A site carries about 90 MB of runtime; exporting a small model needs several times that.
MIN_FREE_BYTES = 1_000_000_000
EXPORTERS = ("torch", "transformers", "optimum", "onnxruntime-genai")
NODE_COMMANDS = {"Windows": "winget install OpenJS.NodeJS.LTS", "Darwin": "brew install node"}
GPU_FIX = "not needed: check uses a software adapter. With a GPU: "
GPU_COMMANDS = {"Linux": "sudo apt install mesa-vulkan-drivers, or NVIDIA's driver"}

PROBE_PAGE = """async () => ({
    isolated: crossOriginIsolated,
    jspi: typeof WebAssembly.Suspending === "function",
    cores: navigator.hardwareConcurrency,
})"""
ISOLATION_HEADERS = {
    "content-type": "text/html",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-embedder-policy": "require-corp",
}


def inspect_machine(browser: str | None = None) -> DoctorReport:
    """Look at everything; never raises for what is missing."""
    adapters: list[Adapter] = []
    items = [_check_python(), *_check_browser(browser, adapters), *_check_node(), _check_runtime()]
    items += [_check_exporter(name) for name in EXPORTERS]
    items.append(_check_disk())
    return DoctorReport(machine=describe_machine(), items=items, adapters=adapters)


def _item(name: str, good: bool, found: str, fix: str = "", *, optional: bool = False) -> DoctorItem:
    if good:
        return DoctorItem(name=name, state="ok", found=found)
    return DoctorItem(name=name, state="optional" if optional else "missing", found=found, fix=fix)


def _check_python() -> DoctorItem:
    wanted = ".".join(map(str, MIN_PYTHON))
    found = f"{platform.python_version()} ({sys.executable})"
    return _item("Python", sys.version_info >= MIN_PYTHON, found, f"install Python {wanted} or newer")


def _check_browser(name: str | None, adapters: list[Adapter]) -> list[DoctorItem]:
    """The browser, and what its pages get. What cannot be seen without one is left out."""
    try:
        choice = find_browser(name)
        return run_to_end(_inspect_browser(choice, adapters))
    except KitError as error:
        return [_item("Browser", False, error.message, error.fix)]
    except ImportError as error:
        return [_item("Browser", False, f"playwright cannot be imported: {error}", f"{_pip()} playwright")]
    except Exception as error:  # a doctor is called to broken machines: whatever broke is the finding
        found = f"{type(error).__name__}: {str(error).splitlines()[0] if str(error) else 'no message'}"
        return [_item("Browser", False, found, install_command("chromium"))]


async def _inspect_browser(choice: BrowserChoice, adapters: list[Adapter]) -> list[DoctorItem]:
    newer = f"a newer browser: {install_command('chromium')}"
    async with open_browser(choice, webgpu="hardware") as opened:
        hardware = opened.adapter if opened.adapter and not opened.adapter.software else None
        gpu_fix = GPU_FIX + GPU_COMMANDS.get(platform.system(), "update its driver")
        page = await _probe_page(opened)
        items = [
            _item("Browser", True, f"{choice.name} {opened.browser.version} ({choice.executable or 'by Playwright'})"),
            _item("WebGPU on the GPU", hardware is not None, _describe(hardware), gpu_fix, optional=True),
        ]
    adapters += [hardware] if hardware else []
    if choice.name != "firefox":
        async with open_browser(choice, webgpu="software") as opened:
            software = opened.adapter
        adapters += [software] if software else []
        items.append(_item("WebGPU in software", software is not None, _describe(software), newer, optional=True))
    isolated, jspi = bool(page["isolated"]), bool(page["jspi"])
    suspending = "WebAssembly stack switching, for the smaller WebGPU runtime"
    items.append(_item("Cross-origin isolation", isolated, "works" if isolated else "does not work", newer))
    items.append(_item("JSPI", jspi, suspending if jspi else "none", newer, optional=True))
    return items


async def _probe_page(opened: OpenBrowser) -> dict[str, object]:
    from playwright.async_api import Route

    async def answer(route: Route) -> None:
        await route.fulfill(headers=ISOLATION_HEADERS, body="<!doctype html><title>probe</title>")

    context = await opened.browser.new_context()
    await context.route("**/*", answer)
    page = await context.new_page()
    await page.goto("http://localhost/")
    found: dict[str, object] = await page.evaluate(PROBE_PAGE)
    await context.close()
    return found


def _describe(adapter: Adapter | None) -> str:
    if adapter is None:
        return "no adapter"
    half = "shader-f16" if "shader-f16" in adapter.features else "no shader-f16"
    megabytes = adapter.limits.get("maxStorageBufferBindingSize", 0) // 2**20
    return f"{adapter.title}, {half}, {megabytes} MiB bindings, {len(adapter.features)} features"


def _check_node() -> list[DoctorItem]:
    """Needed only in a checkout, to fetch the browser runtime: a wheel carries it."""
    fix = NODE_COMMANDS.get(platform.system(), "sudo apt install nodejs npm")
    versions = {name: _ask_version(name) for name in ("node", "npm")}
    return [_item(name, bool(found), found or "not found", fix, optional=True) for name, found in versions.items()]


def _ask_version(program: str) -> str:
    path = shutil.which(program)
    if path is None:
        return ""
    try:
        answer = subprocess.run([path, "--version"], capture_output=True, text=True, timeout=20, check=True)
    except (OSError, subprocess.SubprocessError):
        return ""
    return answer.stdout.strip()


def _check_runtime() -> DoctorItem:
    name = "Browser runtime"
    try:
        from webgpu_kit.vendor import find_runtime

        return _item(name, True, f"ONNX Runtime Web in {find_runtime()}")
    except (KitError, ImportError, OSError) as error:
        fix = error.fix if isinstance(error, KitError) and error.fix else "make setup"
        return _item(name, False, error.message if isinstance(error, KitError) else str(error), fix)


def _check_exporter(package: str) -> DoctorItem:
    found = read_version(package)
    wanted = "onnxruntime-genai" if package == "onnxruntime-genai" else "'webgpu-kit[export]'"
    torch_first = platform.system() == "Linux" and package == "torch"
    fix = f"{_pip()} {wanted}" + ("  (without a GPU: torch==2.13.0 first, the CPU build)" if torch_first else "")
    return _item(package, bool(found), found or "not installed", fix, optional=True)


def _check_disk() -> DoctorItem:
    try:
        here = Path.cwd()
        free = shutil.disk_usage(here).free
    except OSError as error:
        return _item("Disk", False, f"the current folder: {error.strerror}", "change to a folder that exists")
    found = f"{free / 1e9:.1f} GB free in {here}"
    return _item(
        "Disk", free >= MIN_FREE_BYTES, found, f"free at least {MIN_FREE_BYTES / 1e9:.0f} GB, or work elsewhere"
    )


def _pip() -> str:
    return f'"{sys.executable}" -m pip install'
