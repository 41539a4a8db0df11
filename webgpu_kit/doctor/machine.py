"""This machine in one line, as it stands in reports."""

from __future__ import annotations

import os
import platform
from importlib.metadata import PackageNotFoundError, version


def describe_machine() -> str:
    """Operating system, processor cores and Python."""
    system = platform.system()
    if system == "Darwin":
        name = f"macOS {platform.mac_ver()[0]}"
    elif system == "Linux":
        name = _linux_name()
    else:
        name = f"{system} {platform.release()}"
    return f"{name}, {platform.machine()}, {os.cpu_count() or 1} cores, Python {platform.python_version()}"


def read_version(package: str) -> str:
    """The installed version of a Python package, empty if it is not installed."""
    try:
        return version(package)
    except PackageNotFoundError:
        return ""


def read_own_version() -> str:
    """The version of webgpu-kit; a checkout that was never installed has none."""
    return read_version("webgpu-kit") or "not installed"


def _linux_name() -> str:
    try:
        return platform.freedesktop_os_release()["PRETTY_NAME"]
    except (OSError, KeyError):
        return f"Linux {platform.release()}"
