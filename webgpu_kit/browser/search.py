"""Finding a browser on this machine.

Chrome, Edge and Chromium on the system come before Playwright's own, because visitors have those.
"""

from __future__ import annotations

import os
import platform
import shutil
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from webgpu_kit.errors import BrowserError

BROWSER_NAMES = ("chromium", "chrome", "msedge", "firefox")
ENVIRONMENT_NAME = "WEBGPU_KIT_BROWSER"


@dataclass(frozen=True)
class BrowserChoice:
    """A browser to drive: `executable` on the system, or Playwright's own when that is None."""

    name: str
    executable: Path | None = None
    channel: str | None = None

    @property
    def title(self) -> str:
        """One line for people."""
        return f"{self.name} ({self.executable or 'installed by Playwright'})"


def find_browser(name: str | None = None, *, environment: Mapping[str, str] = os.environ) -> BrowserChoice:
    """The browser called `name`, else the one in WEBGPU_KIT_BROWSER (a name or a path), else the first one found.

    Raises: BrowserError, naming the command that installs one.
    """
    wanted = name or environment.get(ENVIRONMENT_NAME, "")
    if not wanted:
        names = BROWSER_NAMES[1:3] + BROWSER_NAMES[:1]
        found = next(filter(None, (_find_on_system(each, environment) for each in names)), None)
        found = found or _find_playwright_own("chromium", environment)
        if found:
            return found
        raise BrowserError("No Chrome, Edge or Chromium found on this machine.", fix=install_command("chromium"))
    if wanted in BROWSER_NAMES:
        found = _find_on_system(wanted, environment) or _find_playwright_own(wanted, environment)
        if found:
            return found
        raise BrowserError(f"Browser {wanted!r} was not found on this machine.", fix=install_command(wanted))
    path = shutil.which(Path(wanted).expanduser())
    if path is None:
        origin = "--browser" if name else ENVIRONMENT_NAME
        raise BrowserError(
            f"{origin}={wanted!r} is neither one of {', '.join(BROWSER_NAMES)} nor an executable file.",
            fix="name one of them, or set WEBGPU_KIT_BROWSER to the path of a browser",
        )
    return BrowserChoice(_kind_of(Path(path)), Path(path))


def install_command(name: str) -> str:
    """The command that installs browser `name` on this operating system."""
    playwright = f'"{sys.executable}" -m playwright install {name}'
    system = {
        "Windows": {"chrome": "winget install Google.Chrome", "msedge": "winget install Microsoft.Edge"},
        "Darwin": {"chrome": "brew install --cask google-chrome", "msedge": "brew install --cask microsoft-edge"},
        "Linux": {"chromium": "sudo apt install chromium"},
    }.get(platform.system(), {})
    return f"{system[name]}   or: {playwright}" if name in system else playwright


def _find_on_system(name: str, environment: Mapping[str, str]) -> BrowserChoice | None:
    places = {"Windows": _windows_places, "Darwin": _mac_places}.get(platform.system(), _linux_places)
    path = next(filter(None, (shutil.which(place) for place in places(name, environment))), None)
    return BrowserChoice(name, Path(path)) if path else None


def _linux_places(name: str, environment: Mapping[str, str]) -> list[str]:
    names = {
        "chrome": ["google-chrome", "google-chrome-stable", "/opt/google/chrome/chrome"],
        "msedge": ["microsoft-edge", "microsoft-edge-stable", "/opt/microsoft/msedge/msedge"],
        "chromium": ["chromium", "chromium-browser", "/snap/bin/chromium"],
    }
    return names.get(name, [])


def _mac_places(name: str, environment: Mapping[str, str]) -> list[str]:
    names = {"chrome": "Google Chrome", "msedge": "Microsoft Edge", "chromium": "Chromium"}
    if name not in names:
        return []
    inside = f"Applications/{names[name]}.app/Contents/MacOS/{names[name]}"
    return [f"/{inside}", str(Path.home() / inside)]


def _windows_places(name: str, environment: Mapping[str, str]) -> list[str]:
    names = {
        "chrome": r"Google\Chrome\Application\chrome.exe",
        "msedge": r"Microsoft\Edge\Application\msedge.exe",
        "chromium": r"Chromium\Application\chrome.exe",
    }
    roots = (environment.get(key) for key in ("PROGRAMFILES", "PROGRAMFILES(X86)", "LOCALAPPDATA"))
    return [str(Path(root) / names[name]) for root in roots if root and name in names]


def _find_playwright_own(name: str, environment: Mapping[str, str]) -> BrowserChoice | None:
    if name not in ("chromium", "firefox"):
        return None
    caches = {"Windows": "AppData/Local", "Darwin": "Library/Caches"}
    folder = environment.get("PLAYWRIGHT_BROWSERS_PATH") or Path.home() / caches.get(platform.system(), ".cache")
    if not environment.get("PLAYWRIGHT_BROWSERS_PATH"):
        folder = Path(folder) / "ms-playwright"
    installed = any(Path(folder).glob(f"{name}-*/INSTALLATION_COMPLETE"))
    # The channel is the whole Chromium: Playwright's default headless shell has another GPU stack than visitors have.
    return BrowserChoice(name, channel="chromium" if name == "chromium" else None) if installed else None


def _kind_of(path: Path) -> str:
    file_name = path.name.lower()
    kinds = {"firefox": "firefox", "edge": "msedge", "chromium": "chromium", "chrome": "chrome"}
    return next((kind for word, kind in kinds.items() if word in file_name), "chromium")
