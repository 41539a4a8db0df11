"""Build hook: the wheel carries the pages, the browser runtime with onnxruntime-web, and the models.

The runtime is not in git. It is made here from npm's packages, as `package-lock.json` fixes them, so the wheel
needs no node to use. An sdist carries the finished runtime, so that building from it needs no node either.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import types
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

CARRIED = ("site_templates", "models")
LEFT_OUT = {"node_modules", "__pycache__"}


class CarryBrowserFiles(BuildHookInterface[Any]):
    """Makes `site_templates/runtime` where it is missing and adds the carried folders to the wheel."""

    PLUGIN_NAME = "custom"

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Run before each target is built; `version` is "editable" for `pip install -e`."""
        root = Path(self.root)
        self._prepare_runtime(root / "site_templates")
        if self.target_name == "wheel" and version != "editable":
            for path in _list_carried(root):
                name = path.relative_to(root).as_posix()
                build_data["force_include"][str(path)] = f"webgpu_kit/{name}"

    def _prepare_runtime(self, templates: Path) -> None:
        locked = _read_locked(templates)
        if _read_vendored(templates) == locked:
            return
        vendor = _import_vendor(templates.parent)
        if _read_installed(templates, locked) != locked:
            self._install_packages(templates)
        try:
            vendor.vendor_runtime(templates / "node_modules", templates / "runtime")
        except Exception as error:
            self.app.abort(str(error))

    def _install_packages(self, templates: Path) -> None:
        npm = shutil.which("npm")
        if npm is None:
            self.app.abort(
                f"{templates / 'node_modules'}: the browser packages are missing, and so is npm, which fetches them.\n"
                "  Fix: install Node.js 20 or newer (it brings npm), then build again."
            )
        done = subprocess.run([str(npm), "ci", "--ignore-scripts"], cwd=templates, capture_output=True, text=True)
        if done.returncode:
            self.app.abort(f"{templates}: `npm ci --ignore-scripts` failed:\n{done.stderr.strip()}\n  Fix: see above.")


def _list_carried(root: Path) -> Iterator[Path]:
    for folder in CARRIED:
        for path in sorted((root / folder).rglob("*")):
            parts = path.relative_to(root).parts
            if path.is_file() and not any(part in LEFT_OUT or part.startswith(".") for part in parts):
                yield path


def _read_locked(templates: Path) -> dict[str, str]:
    """The browser packages that the lock file fixes, with their versions; the tools of development left out."""
    packages = json.loads((templates / "package-lock.json").read_bytes())["packages"]
    return {name: packages[f"node_modules/{name}"]["version"] for name in packages[""]["dependencies"]}


def _read_vendored(templates: Path) -> dict[str, str]:
    try:
        sources = dict(json.loads((templates / "runtime" / "runtime.json").read_bytes())["sources"])
    except (OSError, ValueError, KeyError):
        return {}
    sources.pop("format", None)
    return sources


def _read_installed(templates: Path, names: dict[str, str]) -> dict[str, str]:
    paths = {name: templates / "node_modules" / name / "package.json" for name in names}
    return {name: json.loads(path.read_bytes())["version"] for name, path in paths.items() if path.is_file()}


def _import_vendor(root: Path) -> types.ModuleType:
    # A bare package in front: webgpu_kit/__init__.py may need what a build environment does not have.
    package = types.ModuleType("webgpu_kit")
    package.__path__ = [str(root / "webgpu_kit")]
    sys.modules["webgpu_kit"] = package
    from webgpu_kit import vendor

    return vendor
