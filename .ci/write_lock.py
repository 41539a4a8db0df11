"""Print requirements.lock: the versions installed beside this Python. `make lock` writes it.

A version that is for newer Pythons only is marked so: an older Python takes what it can get.
"""

from __future__ import annotations

import re
from importlib.metadata import Distribution, distributions

LEFT_OUT = {"pip", "setuptools", "webgpu-kit"}
OLDEST_MINOR = 10  # as in pyproject.toml: Python 3.10


def format_pin(found: Distribution) -> str:
    """The line of one package. What follows a + names a build, not a version: another machine has another."""
    needed = str(found.metadata.json.get("requires_python", ""))
    minors = [int(minor) for minor in re.findall(r">=\s*3\.(\d+)", needed)]
    oldest = max(minors, default=OLDEST_MINOR)
    marker = f' ; python_version >= "3.{oldest}"' if oldest > OLDEST_MINOR else ""
    return f"{found.name}=={found.version.partition('+')[0]}{marker}"


if __name__ == "__main__":
    for line in sorted({format_pin(found) for found in distributions() if found.name not in LEFT_OUT}, key=str.lower):
        print(line)
