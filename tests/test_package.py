from __future__ import annotations

import importlib
from types import ModuleType

import pytest

import webgpu_kit


def test_importing_the_modules_does_not_hide_the_functions() -> None:
    for name in webgpu_kit.__all__:
        first = getattr(webgpu_kit, name)
        for module in ("webgpu_kit.check", "webgpu_kit.pipeline"):
            assert isinstance(importlib.import_module(module), ModuleType)
        assert callable(first) and getattr(webgpu_kit, name) is first


def test_an_unknown_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="has no attribute 'fly'"):
        _ = webgpu_kit.fly  # type: ignore[attr-defined]
