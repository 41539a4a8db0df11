"""How long the command line makes its user wait: --help, and `build digits`."""

from __future__ import annotations

import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROUNDS = 5
LIMITS = {"help_s": ("<=", 0.3), "build_digits_s": ("<=", 5.0)}


def measure() -> dict[str, float]:
    """Medians in seconds, of whole processes, with a bare interpreter's start beside them."""
    with tempfile.TemporaryDirectory() as folder:
        site = str(Path(folder) / "site")
        return {
            "bare_python_s": _time([sys.executable, "-c", "pass"]),
            "help_s": _time([sys.executable, "-m", "webgpu_kit.cli", "--help"]),
            "build_digits_s": _time([sys.executable, "-m", "webgpu_kit.cli", "build", "digits", "--out", site]),
        }


def _time(command: list[str]) -> float:
    times_s = []
    for _ in range(ROUNDS):
        started = time.perf_counter()
        subprocess.run(command, check=True, capture_output=True)
        times_s.append(time.perf_counter() - started)
    return statistics.median(times_s)
