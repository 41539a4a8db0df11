"""The watch itself: a browser test can only be trusted if a page that misbehaves does fail it."""

from __future__ import annotations

from pathlib import Path

import pytest
from playwright.sync_api import Browser

from browser.conftest import BARE_PAGE, Serve
from browser.watched_page import watch_page

FAULTS = {
    "a console error": ('console.error("something is off")', "console: something is off"),
    "a failed assertion": ('console.assert(false, "not so")', "console: .*not so"),
    "an uncaught error": ("setTimeout(() => missingFunction())", "page error: missingFunction is not defined"),
    "an unhandled rejection": ('Promise.reject(new Error("left alone"))', "page error: left alone"),
    "a missing file": ('fetch("./nothing.json")', r"console: .*404.*\(/nothing.json\)"),
    "a blocked request": ('fetch("http://localhost:9/").catch(() => {})', "policy violation: connect-src"),
    "a blocked picture": ('new Image().src = "http://localhost:9/spy.png"', "policy violation: img-src"),
    "an inline script": (
        'document.body.append(Object.assign(document.createElement("script"), { textContent: "1" }))',
        "policy violation: script-src-elem",
    ),
    "an eval that the page catches": ('try { eval("1"); } catch {}', "policy violation: script-src"),
    "an inline style": ('document.body.setAttribute("style", "color: red")', "policy violation: style-src-attr"),
}
IN_WORKER = {
    "an uncaught error": ("setTimeout(() => missingFunction())", "missingFunction is not defined"),
    "a console error": ('console.error("something is off")', "console: something is off"),
    "a missing file": ('fetch("./nothing.json")', r"404"),
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("faulty")


@pytest.fixture
def url(folder: Path, serve: Serve) -> str:
    page = BARE_PAGE.replace("</head>", '<script type="module" src="./main.js"></script></head>')
    (folder / "index.html").write_text(page.replace("./kit/ui/icon.svg", "data:,"), encoding="utf-8")
    return serve(folder)


@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_of_the_page_is_seen(browser: Browser, url: str, folder: Path, fault: str) -> None:
    code, pattern = FAULTS[fault]
    (folder / "main.js").write_text("await 0;\n" + code + ";\nwindow.isDone = true;", encoding="utf-8")
    with pytest.raises(AssertionError, match=pattern), watch_page(browser, url) as page:
        page.until("window.isDone")
        page.page.wait_for_timeout(100)


@pytest.mark.parametrize("fault", IN_WORKER)
def test_a_fault_of_a_worker_is_seen(browser: Browser, url: str, folder: Path, fault: str) -> None:
    code, pattern = IN_WORKER[fault]
    (folder / "worker.js").write_text(code, encoding="utf-8")
    (folder / "main.js").write_text('new Worker("./worker.js", { type: "module" });', encoding="utf-8")
    with pytest.raises(AssertionError, match=pattern), watch_page(browser, url) as page:
        page.until("performance.getEntriesByType('resource').some(({ name }) => name.endsWith('worker.js'))")
        page.page.wait_for_timeout(200)


def test_a_request_to_another_origin_is_seen(browser: Browser, url: str, folder: Path) -> None:
    (folder / "index.html").write_text('<script type="module" src="./main.js"></script>', encoding="utf-8")
    (folder / "main.js").write_text('await fetch("http://localhost:9/spy").catch(() => {}); window.isDone = true')
    seen = pytest.raises(AssertionError, match="off-origin request: http://localhost:9/spy")
    with seen, watch_page(browser, url) as page:
        page.until("window.isDone")


def test_an_expected_problem_must_come(browser: Browser, url: str, folder: Path) -> None:
    (folder / "main.js").write_text('console.error("known"); window.isDone = true;', encoding="utf-8")
    with watch_page(browser, url, expected=["^console: known"]) as page:
        page.until("window.isDone")
    missed = pytest.raises(AssertionError, match="expected and not seen: unknown")
    with missed, watch_page(browser, url, expected=["^console: known", "unknown"]) as page:
        page.until("window.isDone")
