"""Live reload: a page of the dev server loads again when its site is built again, and breaks no rule by it."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from playwright.sync_api import Browser

import webgpu_kit
from browser.watched_page import watch_page


@pytest.fixture
def site(write_onnx: Any, tmp_path: Path) -> Path:
    write_onnx("(float[n, 4] x) => (float[n, 4] y) { y = Relu(x) }", "first.onnx")
    write_onnx("(float[n, 4] x) => (float[n, 4] y) { y = Neg(x) }", "second.onnx")
    return webgpu_kit.build(tmp_path / "first.onnx", out=tmp_path / "site", title="First").path


@pytest.fixture
def url(site: Path) -> Iterator[str]:
    command = [sys.executable, "-m", "webgpu_kit.cli", "serve", str(site), "--port", "0"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout
        url = process.stdout.readline().strip()
        assert url.startswith("http://localhost:")
        yield url
    finally:
        process.terminate()
        process.communicate(timeout=30)


def test_a_page_loads_again_when_its_site_is_built_again(browser: Browser, site: Path, url: str) -> None:
    with watch_page(browser, url + "/?backend=wasm") as page:
        page.wait_until_ready()
        assert page.page.title() == "First" and page.js("crossOriginIsolated")
        page.js("window.isOld = true")
        webgpu_kit.build(site.parent / "second.onnx", out=site, title="Second")
        page.until("window.isOld === undefined && document.title === 'Second'", why="the page to load again")
        page.wait_until_ready()
        answer = page.run({"x": np.array([[1, 2, 3, 4]], np.float32)})["y"].tolist()
        assert answer == [[-1, -2, -3, -4]], "the new model, not the old one from the cache"
        page.js("window.isOld = true")
        webgpu_kit.build(site.parent / "first.onnx", out=site, title="Third")
        page.until("window.isOld === undefined && document.title === 'Third'", why="the page to load once more")
        page.wait_until_ready()


def test_a_site_that_does_not_change_is_left_alone(browser: Browser, site: Path, url: str) -> None:
    with watch_page(browser, url + "/?backend=wasm") as page:
        page.wait_until_ready()
        page.js("window.isOld = true")
        page.page.wait_for_timeout(1500)  # the server looks four times a second
        assert page.js("window.isOld") is True


def test_the_script_is_the_servers_and_not_the_sites(browser: Browser, site: Path, url: str) -> None:
    with watch_page(browser, url + "/?backend=wasm") as page:
        page.wait_until_ready()
        assert page.js("document.querySelectorAll('script[src^=\"/__kit/\"]').length") == 1
    assert "__kit" not in (site / "index.html").read_text(encoding="utf-8")
