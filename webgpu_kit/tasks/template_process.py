"""The process in which a model's chat template is rendered: standard library and jinja2 only, little memory.

Reads {"template", "chats", "variables"} as JSON on stdin, writes the rendered texts as JSON on stdout, or one line on
stderr and exit status 1. Started by chat_template.py.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from typing import Any

MEMORY_LIMIT_BYTES = 1 << 30
TEXT_LIMIT = 1 << 20  # characters of one rendered chat
TODAY = "01 Jan 2026"  # for templates that write the date: the same source must build the same bytes


def render_here(request: Mapping[str, Any]) -> list[str]:
    """Render every chat of the request. Raises whatever the template provokes."""
    from jinja2.sandbox import ImmutableSandboxedEnvironment

    def refuse(message: str) -> None:
        raise ValueError(message)

    # The settings that templates are written for: those of transformers.
    environment = ImmutableSandboxedEnvironment(
        trim_blocks=True, lstrip_blocks=True, extensions=["jinja2.ext.loopcontrols"]
    )
    environment.globals |= {"raise_exception": refuse, "strftime_now": lambda form: TODAY}
    environment.filters["tojson"] = lambda value, indent=None: json.dumps(value, ensure_ascii=False, indent=indent)
    template = environment.from_string(request["template"])
    texts = []
    for chat in request["chats"]:
        text = template.render(messages=chat, add_generation_prompt=True, **request["variables"])
        if len(text) > TEXT_LIMIT:
            raise ValueError(f"it makes {len(text):,} characters of a short chat")
        texts.append(text)
    return texts


def _limit_memory() -> None:
    if sys.platform == "win32":
        return  # there is no such limit there; time and length are limited everywhere
    import resource

    resource.setrlimit(resource.RLIMIT_AS, (MEMORY_LIMIT_BYTES, MEMORY_LIMIT_BYTES))


if __name__ == "__main__":
    _limit_memory()
    try:
        json.dump(render_here(json.load(sys.stdin)), sys.stdout)
    except Exception as problem:
        words = str(problem).strip().splitlines() or [""]
        print(f"{type(problem).__name__}: {words[0][:300]}", file=sys.stderr)
        sys.exit(1)
