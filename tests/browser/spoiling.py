"""Breaking one thing in a copy of a site, and keeping everything else consistent."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from webgpu_kit.manifest import MANIFEST_PATH


def edit_manifest(site: Path, edit: Callable[[dict[str, Any]], None]) -> None:
    """Change `model/manifest.json` in place."""
    path = site / MANIFEST_PATH
    manifest = json.loads(path.read_text(encoding="utf-8"))
    edit(manifest)
    path.write_text(json.dumps(manifest), encoding="utf-8")
    drop_siblings(path)


def drop_siblings(path: Path) -> None:
    """Remove the compressed siblings, which a server would prefer."""
    for ending in (".br", ".gz"):
        path.with_name(path.name + ending).unlink(missing_ok=True)


def corrupt(path: Path) -> None:
    """Turn some bits over in the middle. Not in place: the file may be linked to the one of another site."""
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 0xFF
    path.unlink()
    path.write_bytes(content)
    drop_siblings(path)


def find_file(site: Path, variant: str, name: str) -> dict[str, Any]:
    """A file of a variant, as the manifest has it."""
    manifest = json.loads((site / MANIFEST_PATH).read_text(encoding="utf-8"))
    entry = next(entry for entry in manifest["variants"] if entry["name"] == variant)
    return next(file for file in entry["files"] if file["name"] == name)


def change_weights(site: Path, variant: str) -> None:
    """Give a variant wrong weights whose checksums are right: only its answers can tell."""
    chunk = find_file(site, variant, "weights.bin")["chunks"][0]
    content = (site / "model" / chunk["path"]).read_bytes()[::-1]
    digest = hashlib.sha256(content).hexdigest()
    new = {**chunk, "path": f"chunks/{digest[:16]}.bin", "sha256": digest}
    (site / "model" / new["path"]).write_bytes(content)

    def edit(manifest: dict[str, Any]) -> None:
        entry = next(entry for entry in manifest["variants"] if entry["name"] == variant)
        for file in entry["files"]:
            file["chunks"] = [new if one == chunk else one for one in file["chunks"]]

    edit_manifest(site, edit)


def change_golden(site: Path, edit: Callable[[dict[str, Any]], None]) -> None:
    """Change the golden, under a new name with the right checksum."""

    def rewrite(manifest: dict[str, Any]) -> None:
        golden = json.loads((site / "model" / manifest["golden"]["path"]).read_text(encoding="utf-8"))
        edit(golden)
        content = json.dumps(golden).encode()
        digest = hashlib.sha256(content).hexdigest()
        manifest["golden"].update(path=f"golden.{digest[:16]}.json", sha256=digest)
        (site / "model" / manifest["golden"]["path"]).write_bytes(content)

    edit_manifest(site, rewrite)
