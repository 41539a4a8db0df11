"""Every page on a narrow screen: nothing sticks out to the side, is too small to hit or too faint to read."""

from __future__ import annotations

from pathlib import Path

import pytest

from browser.conftest import OpenPage
from browser.looks import STICKS_OUT, TOO_FAINT, TOO_SMALL
from browser.watched_page import WatchedPage

WIDTH = 360
SITES = ["built_digits", "colours_site", "minilm_site", "varied_site", "dtypes_site"]


@pytest.fixture
def site(request: pytest.FixtureRequest) -> Path:
    found: Path = request.getfixturevalue(request.param)
    return found


def show_an_answer(page: WatchedPage) -> None:
    if page.page.locator(".sample").count():
        page.page.locator(".sample").first.click()
    elif page.page.locator("#run").count():
        page.page.locator("#run").click()
    page.wait_for("done")


@pytest.mark.parametrize("site", SITES, indirect=True)
def test_no_page_scrolls_to_the_side(site: Path, open_page: OpenPage) -> None:
    narrow = {"viewport": {"width": WIDTH, "height": 640}, "is_mobile": True, "has_touch": True}
    page = open_page(site, "?backend=wasm", **narrow)
    assert page.js(STICKS_OUT) == [], "while loading"
    page.wait_until_ready()
    show_an_answer(page)
    assert page.js(STICKS_OUT) == [], "with an answer"
    assert page.js(TOO_SMALL) == [], "with an answer"
    assert page.js(TOO_FAINT) == [], "with an answer"
    page.page.locator("#kit-strip .strip-bar").click()
    assert page.js(STICKS_OUT) == [], "with the details open"
    page.page.emulate_media(color_scheme="dark")
    assert page.js(STICKS_OUT) == [], "in the dark"
    assert page.js(TOO_FAINT) == [], "in the dark"
    assert page.js(TOO_SMALL) == [], "with the details open"
    assert page.js("innerWidth") == WIDTH, "a page that is too wide is zoomed out"


@pytest.mark.parametrize("site", SITES, indirect=True)
def test_a_failure_fits_too(site: Path, open_page: OpenPage) -> None:
    page = open_page(site, "?backend=" + "c" * 120, viewport={"width": WIDTH, "height": 640})
    page.wait_for("failed")
    assert page.page.locator(".failure").is_visible()
    assert page.js(STICKS_OUT) == []
