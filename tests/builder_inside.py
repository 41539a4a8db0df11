"""onnxruntime-genai's builder in this process: importing torch anew takes longer than a tiny model's build."""

from __future__ import annotations

import io
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from typing import Any

import pytest

from webgpu_kit.export import builder_process

run = subprocess.run


def _build(command: list[str], **settings: Any) -> Any:
    if builder_process.__name__ not in command:
        return run(command, **settings)
    with pytest.MonkeyPatch.context() as patch, redirect_stdout(io.StringIO()), redirect_stderr(io.StringIO()):
        patch.chdir(settings["cwd"])
        patch.setattr(sys, "argv", ["builder", *command[3:]])
        builder_process.main()
    return subprocess.CompletedProcess(command, 0, "", "")


@contextmanager
def builder_inside() -> Iterator[None]:
    """While it lasts, exports run the builder here, with the arguments that its own process would get."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(subprocess, "run", _build)
        yield
