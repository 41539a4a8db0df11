"""Browsers, servers and sites for the browser tests. Everything dear is made once and shared.

Not for the whole session but for this package: Playwright keeps an event loop running in the main thread, where
other tests start their own.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser

import webgpu_kit
from browser import models
from browser.rag_sites import build_rag_site
from browser.watched_page import WatchedPage, watch_page
from webgpu_kit.browser import WebgpuMode, _launch_options, find_browser, launch
from webgpu_kit.errors import SourceError
from webgpu_kit.recipe import TaskName
from webgpu_kit.serve import serve_in_background

# The pages' own policy around nothing: for tests that load the model themselves.
BARE_PAGE = """<!doctype html>
<html lang="en"><head>
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; script-src 'self' 'wasm-unsafe-eval'; \
worker-src 'self'; connect-src 'self'; style-src 'self'; img-src 'self' blob: data:; base-uri 'none'">
<meta charset="utf-8"><title>bare</title><link rel="icon" href="./kit/ui/icon.svg">
</head><body></body></html>
"""

Serve = Callable[..., str]
OpenPage = Callable[..., WatchedPage]
FindSite = Callable[[TaskName], Path]
FindPage = Callable[[str], WatchedPage]


@pytest.fixture(scope="package")
def talking_site(built_speaker: Path) -> Path:
    """The chat page of a tiny seeded llama, with an empty page beside it; read only."""
    (built_speaker / "bare.html").write_text(BARE_PAGE, encoding="utf-8")
    return built_speaker


@pytest.fixture(scope="package")
def find_talking_page(browser: Browser, serve: Serve, talking_site: Path) -> Iterator[FindPage]:
    """The chat page on a backend, opened once: on a software adapter that takes many seconds.

    For tests of what is behind the page: they may leave chats in it, and each asks for all that it needs.
    """
    with ExitStack() as stack:

        @cache
        def find_page(backend: str) -> WatchedPage:
            page = stack.enter_context(watch_page(browser, f"{serve(talking_site)}/?backend={backend}"))
            page.wait_until_ready()
            return page

        yield find_page


@pytest.fixture(scope="session")
def rag_site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The search page of two tiny seeded models, built once; read only."""
    return build_rag_site(tmp_path_factory.mktemp("rag"))


@pytest.fixture(scope="package")
def browser() -> Iterator[Browser]:
    """Chromium with a software WebGPU adapter, the same on every machine."""
    with launch(find_browser(), webgpu="software") as browser:
        yield browser


@contextmanager
def launch_beside(browser: Browser, webgpu: WebgpuMode, *flags: str) -> Iterator[Browser]:
    """Another browser: one Playwright takes as many as it is asked for, but there can be only one Playwright."""
    options = _launch_options(find_browser(), webgpu, False)
    other = browser.browser_type.launch(**{**options, "args": [*options["args"], *flags]})
    try:
        yield other
    finally:
        other.close()


@pytest.fixture(scope="package")
def serve() -> Iterator[Serve]:
    """Serve a folder until the tests end; the same folder has the same address."""
    with ExitStack() as stack:

        @cache
        def serve(site: Path, isolated: bool = True) -> str:
            return stack.enter_context(serve_in_background(site, isolated=isolated))

        yield serve


@pytest.fixture
def open_page(browser: Browser, serve: Serve) -> Iterator[OpenPage]:
    """Open a page of a site; it is watched until the test ends."""
    with ExitStack() as stack:

        def open_page(site: Path, path: str = "", *, isolated: bool = True, **options: Any) -> WatchedPage:
            chosen = options.pop("browser", browser)
            return stack.enter_context(watch_page(chosen, f"{serve(site, isolated)}/{path}", **options))

        yield open_page


def _make_site(source: str | Path, out: Path, **settings: Any) -> Path:
    webgpu_kit.build(source, out=out, **settings)
    (out / "bare.html").write_text(BARE_PAGE, encoding="utf-8")
    return out


@pytest.fixture(scope="package")
def weights_onnx(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return models.write_weights_model(tmp_path_factory.mktemp("weights"))


@pytest.fixture(scope="package")
def weights_site(weights_onnx: Path) -> Path:
    """Every variant of a model with every kind of packed weight, best first; files in several chunks each."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("webgpu_kit.bundle.CHUNK_BYTES", 30_000)
        dtypes = ["q4f16", "q4", "q8", "fp16", "fp32"]
        limits = {"q4f16": 0.15, "q4": 0.15, "q8": 0.02}
        return _make_site(weights_onnx, weights_onnx.parent / "site", dtypes=dtypes, thresholds=limits)


@pytest.fixture(scope="package")
def dtypes_site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("dtypes")
    return _make_site(models.write_dtypes_model(folder), folder / "site")


@pytest.fixture(scope="package")
def varied_onnx(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return models.write_varied_model(tmp_path_factory.mktemp("varied"))


@pytest.fixture(scope="package")
def varied_site(varied_onnx: Path) -> Path:
    return _make_site(varied_onnx, varied_onnx.parent / "site", shapes={"x": [2, 3]})


@pytest.fixture(scope="package")
def colours_site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The photo page of a classifier whose labels and title try to break out."""
    folder = tmp_path_factory.mktemp("colours")
    labels = folder / "labels.txt"
    labels.write_text("\n".join(models.NASTY_LABELS) + "\n", encoding="utf-8")
    source = models.write_colours_model(folder)
    title = "</title><script>window.harmed = 1</script>"
    settings = {"task": "image-classification", "labels_file": str(labels), "dtypes": ["fp32"], "title": title}
    return _make_site(source, folder / "site", **settings)


@pytest.fixture(scope="package")
def minilm_site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The sentence page. Takes about 20 s to build, and the `export` extra."""
    for module in ("torch", "transformers", "optimum"):
        pytest.importorskip(module)
    try:
        return _make_site("minilm", tmp_path_factory.mktemp("minilm") / "site", dtypes=["q8"])
    except SourceError as error:
        pytest.skip(f"MiniLM cannot be had here: {error}")


@pytest.fixture(scope="package")
def find_encoder_site(tmp_path_factory: pytest.TempPathFactory) -> FindSite:
    """The site of each of the text tasks, built once; beside it lies its model, `<task>-model`."""
    pytest.importorskip("torch")
    from browser.encoder_sites import build_encoder_site

    folder = tmp_path_factory.mktemp("encoders")

    @cache
    def find_site(task: TaskName) -> Path:
        site = build_encoder_site(task, folder)
        (site / "bare.html").write_text(BARE_PAGE, encoding="utf-8")
        return site

    return find_site


@pytest.fixture
def spoil(tmp_path: Path) -> Callable[[Path], Path]:
    """A copy of a site that a test may spoil; the large runtime is linked, not copied."""

    def link(source: str, target: str) -> None:
        try:
            Path(target).hardlink_to(source)
        except OSError:
            shutil.copy2(source, target)

    def copy(site: Path) -> Path:
        target = tmp_path / "spoiled"
        shutil.copytree(site, target, ignore=lambda folder, names: ["runtime"] if Path(folder) == site else [])
        shutil.copytree(site / "runtime", target / "runtime", copy_function=link)
        (target / "bare.html").write_text(BARE_PAGE, encoding="utf-8")
        return target

    return copy
