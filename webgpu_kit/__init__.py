"""webgpu-kit: from a model to a static web page that runs it, proved in a real browser.

>>> import webgpu_kit as wk
>>> site = wk.build("digits", out="site")
>>> report = wk.check(site)
"""

from __future__ import annotations

import sys
from types import ModuleType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from webgpu_kit.check import check_site as check
    from webgpu_kit.pipeline import build

__all__ = ["build", "check"]


class _Package(ModuleType):
    """`check` is our function and the name of a module too: importing the module must not hide the function."""

    def __setattr__(self, name: str, value: Any) -> None:
        if name not in __all__ or not isinstance(value, ModuleType):
            super().__setattr__(name, value)


sys.modules[__name__].__class__ = _Package


def __getattr__(name: str) -> Any:
    # Imported on first use, so that `webgpu-kit --help` need not wait for onnx and playwright.
    if name == "build":
        from webgpu_kit.pipeline import build

        return build
    if name == "check":
        from webgpu_kit.check import check_site

        return check_site
    raise AttributeError(f"module 'webgpu_kit' has no attribute {name!r}")
