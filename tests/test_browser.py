"""Finding and starting browsers: the right one, with the right kind of WebGPU, and never left running."""

import asyncio
import contextlib
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from webgpu_kit.browser import find_browser, launch, open_browser, read_adapter, run_to_end
from webgpu_kit.browser import search as browser_search
from webgpu_kit.browser.search import BrowserChoice, install_command
from webgpu_kit.errors import BrowserError

linux_only = pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")

OPEN_AND_WAIT = """
import asyncio
from webgpu_kit.browser import find_browser, open_browser, run_to_end

async def work():
    async with open_browser(find_browser(), webgpu="none") as opened:
        page = await opened.browser.new_page()
        print("open", flush=True)
        await asyncio.sleep(60)

run_to_end(work())
"""


def make_executable(path: Path, text: str = "#!/bin/sh\nexit 3\n") -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    path.chmod(0o755)
    return path


@pytest.fixture
def bare_machine(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """A Linux machine without any browser; gives the one folder of its PATH."""
    monkeypatch.setattr(browser_search.platform, "system", lambda: "Linux")
    monkeypatch.setattr(browser_search, "_linux_places", _only_names(browser_search._linux_places))
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.delenv("PLAYWRIGHT_BROWSERS_PATH", raising=False)
    monkeypatch.delenv(browser_search.ENVIRONMENT_NAME, raising=False)
    return tmp_path / "bin"


def _only_names(places):
    return lambda name, environment: [place for place in places(name, environment) if "/" not in place]


def test_without_a_browser_the_error_names_the_command(bare_machine: Path) -> None:
    with pytest.raises(BrowserError, match="No Chrome, Edge or Chromium") as caught:
        find_browser()
    assert "playwright install chromium" in caught.value.fix
    with pytest.raises(BrowserError, match="'msedge' was not found") as caught:
        find_browser("msedge")
    assert "playwright install msedge" in caught.value.fix


@pytest.mark.skipif(os.name == "nt", reason="makes POSIX executables")
def test_chrome_comes_before_edge_before_chromium_before_playwrights_own(bare_machine: Path) -> None:
    own = bare_machine.parent / ".cache" / "ms-playwright" / "chromium-1234"
    own.mkdir(parents=True)
    (own / "INSTALLATION_COMPLETE").touch()
    assert find_browser() == BrowserChoice("chromium", channel="chromium")
    for file_name, kind in (
        ("chromium-browser", "chromium"),
        ("microsoft-edge", "msedge"),
        ("google-chrome-stable", "chrome"),
    ):
        path = make_executable(bare_machine / file_name)
        assert find_browser() == BrowserChoice(kind, path)
    assert find_browser("chromium").executable == bare_machine / "chromium-browser"


@pytest.mark.skipif(os.name == "nt", reason="makes POSIX executables")
def test_the_environment_names_a_browser_or_a_path(bare_machine: Path) -> None:
    make_executable(bare_machine / "google-chrome")
    edge = make_executable(bare_machine.parent / "My Browsers" / "microsoft-edge-dev")
    name = browser_search.ENVIRONMENT_NAME
    assert find_browser(environment={name: "chrome"}).name == "chrome"
    assert find_browser(environment={name: str(edge)}) == BrowserChoice("msedge", edge)
    assert find_browser("chrome", environment={name: str(edge)}).name == "chrome", "an option is stronger"
    with pytest.raises(BrowserError, match="WEBGPU_KIT_BROWSER='netscape'"):
        find_browser(environment={name: "netscape"})


@pytest.mark.parametrize("system", ["Windows", "Darwin", "Linux"])
def test_every_system_has_an_install_command(system: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(browser_search.platform, "system", lambda: system)
    for name in browser_search.BROWSER_NAMES:
        assert f"playwright install {name}" in install_command(name)
    assert {"Windows": "winget", "Darwin": "brew", "Linux": "playwright"}[system] in install_command("chrome")


def test_windows_and_mac_paths(tmp_path: Path) -> None:
    windows = browser_search._windows_places("msedge", {"PROGRAMFILES(X86)": "C:/Program Files (x86)"})
    assert len(windows) == 1
    assert windows[0].endswith(r"Microsoft\Edge\Application\msedge.exe")
    assert "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome" in browser_search._mac_places("chrome", {})


@pytest.mark.parametrize(
    ("facts", "software"),
    [
        ({"vendor": "nvidia", "architecture": "hopper"}, False),
        ({"vendor": "google", "architecture": "swiftshader"}, True),
        ({"vendor": "mesa", "description": "llvmpipe (LLVM 15.0.6, 256 bits)"}, True),
        ({"vendor": "microsoft", "description": "Microsoft Basic Render Driver"}, True),
        ({"vendor": "intel", "fallback": True}, True),
    ],
)
def test_software_adapters_are_called_that(facts: dict[str, object], software: bool) -> None:
    adapter = read_adapter(facts)
    assert adapter.software is software
    assert adapter.title.endswith("(software)") is software


def test_auto_gives_an_adapter_and_none_gives_none() -> None:
    async def work() -> None:
        async with open_browser(find_browser()) as opened:
            entry = opened.describe()
            assert opened.adapter is not None
            assert entry.webgpu == ("software" if opened.adapter.software else "hardware")
            assert ("--use-webgpu-adapter=swiftshader" in entry.flags) is opened.adapter.software
            assert opened.adapter.limits["maxBufferSize"] > 0
        assert not opened.browser.is_connected()
        async with open_browser(find_browser(), webgpu="none") as opened:
            assert opened.adapter is None
            assert opened.describe().webgpu == "none"

    run_to_end(work())


@pytest.mark.skipif(not hasattr(os, "geteuid"), reason="POSIX only")
def test_the_sandbox_goes_only_for_root(monkeypatch: pytest.MonkeyPatch) -> None:
    from webgpu_kit.browser import _flags

    for user, expected in ((0, True), (1000, False)):
        monkeypatch.setattr(os, "geteuid", lambda user=user: user)
        assert ("--no-sandbox" in _flags(BrowserChoice("chrome"), "software")) is expected


@pytest.mark.skipif(os.name == "nt", reason="makes POSIX executables")
def test_a_browser_that_does_not_start_is_one_clear_error(tmp_path: Path) -> None:
    broken = make_executable(tmp_path / "chromium")

    async def work() -> None:
        async with open_browser(BrowserChoice("chromium", broken)):
            raise AssertionError("it started")

    with pytest.raises(BrowserError, match="did not start") as caught:
        run_to_end(work())
    assert str(broken) in caught.value.message
    assert "\n" not in caught.value.message


def test_works_inside_a_running_event_loop() -> None:
    async def notebook() -> int:
        async def cell() -> int:
            return 42

        return run_to_end(cell())

    assert asyncio.run(notebook()) == 42


def test_launch_gives_a_synchronous_browser() -> None:
    with launch(find_browser(), webgpu="software") as browser:
        page = browser.new_page()
        page.goto("data:text/html,<h1>hello</h1>")
        assert page.locator("h1").inner_text() == "hello"


@linux_only
@pytest.mark.parametrize("whole_group", [True, False], ids=["terminal", "kill"])
def test_an_interrupt_leaves_no_browser_behind(whole_group: bool) -> None:
    process = subprocess.Popen(
        [sys.executable, "-c", OPEN_AND_WAIT], stdout=subprocess.PIPE, stderr=subprocess.PIPE, start_new_session=True
    )
    assert process.stdout is not None
    assert process.stdout.readline() == b"open\n"
    started = _list_descendants(process.pid)
    assert len(started) > 3, "a driver and a browser of several processes"
    if whole_group:
        os.killpg(process.pid, signal.SIGINT)
    else:
        process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=30)
    assert errors.decode().rstrip().endswith("KeyboardInterrupt")
    until = time.monotonic() + 10
    while (left := [pid for pid in started if _is_alive(pid)]) and time.monotonic() < until:
        time.sleep(0.1)
    assert left == []


def _list_descendants(root: int) -> list[int]:
    parents = {}
    for path in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):  # it ended while we looked
            parents[int(path.parent.name)] = int(path.read_text().rpartition(")")[2].split()[1])
    found = [root]
    for pid in found:
        found += [child for child, parent in parents.items() if parent == pid]
    return found[1:]


def _is_alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False
