"""Chat templates come with the model, so they are untrusted: they run in a sandbox, in a process, for a time."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from webgpu_kit.errors import ExportError

TIME_LIMIT_SECONDS = 20
Message = Mapping[str, str]


def render_chats(template: str, chats: Sequence[Sequence[Message]], variables: Mapping[str, Any]) -> list[str]:
    """Each chat as the prompt that the template makes of it, up to where the assistant begins to answer.

    `variables` are the names that templates use beside `messages`: `bos_token`, `eos_token`.
    Raises ExportError when the template does not parse, fails, or takes more than its time, memory or length.
    """
    request = {"template": template, "chats": [list(chat) for chat in chats], "variables": dict(variables)}
    try:
        done = subprocess.run(
            [sys.executable, str(Path(__file__).with_name("template_process.py"))],
            input=json.dumps(request),
            capture_output=True,
            text=True,
            encoding="utf-8",
            timeout=TIME_LIMIT_SECONDS,
        )
    except subprocess.TimeoutExpired as error:
        raise _refuse(f"it takes more than {TIME_LIMIT_SECONDS} seconds") from error
    if done.returncode != 0:
        lines = done.stderr.strip().splitlines()
        raise _refuse(lines[-1] if lines else f"its process ended with status {done.returncode}")
    return [str(text) for text in json.loads(done.stdout)]


def _refuse(reason: str) -> ExportError:
    return ExportError(
        f"The model's chat template cannot be used: {reason}.",
        fix="correct the template (tokenizer.chat_template in a GGUF file, chat_template.jinja in a folder)",
    )
