"""The site that the tests of the server ask, with its secrets beside it."""

from __future__ import annotations

import contextlib
import gzip
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from serve.served_site import SECRET, write_site
from webgpu_kit.serve import serve_in_background


@pytest.fixture(scope="package")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("serve")
    (root / "secret.txt").write_bytes(SECRET)
    (root / "site-secret").mkdir()
    (root / "site-secret" / "secret.txt").write_bytes(SECRET)
    site = write_site(root / "site")
    (site / "app.wasm").write_bytes(b"\0asm" * 1000)
    (site / "app.wasm.br").write_bytes(b"brotli bytes")
    (site / "app.wasm.gz").write_bytes(gzip.compress(b"\0asm" * 1000))
    (site / "stale.js").write_text("new")
    (site / "stale.js.br").write_text("old")
    os.utime(site / "stale.js.br", (1, 1))
    with contextlib.suppress(OSError):  # Windows may not let us make links
        (site / "leak.txt").symlink_to(root / "secret.txt")
        (site / "leak").symlink_to(root, target_is_directory=True)
        (site / "data.json.gz").symlink_to(root / "secret.txt")
        (site / "hidden.txt").symlink_to(site / ".env")
        (site / "loop").symlink_to(site / "loop")
        (site / "alias.json").symlink_to(site / "data.json")
    return site


@pytest.fixture(scope="package")
def url(site: Path) -> Iterator[str]:
    with serve_in_background(site) as url:
        yield url
