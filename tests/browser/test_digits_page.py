"""The drawing page: samples, mouse, finger, keyboard, and an answer for everything that is drawn."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, expect

from browser.conftest import OpenPage, Serve
from browser.watched_page import WatchedPage, watch_page

ONE = [(0.5, 0.15), (0.5, 0.85)]
SEVEN = [(0.25, 0.2), (0.75, 0.2), (0.42, 0.85)]


@pytest.fixture(scope="module")
def shared(browser: Browser, serve: Serve, built_digits: Path) -> Iterator[WatchedPage]:
    # Reduced motion: a sample lies there at once instead of writing itself.
    with watch_page(browser, serve(built_digits) + "/?backend=wasm", reduced_motion="reduce") as page:
        page.wait_until_ready()
        yield page


@pytest.fixture
def page(shared: WatchedPage) -> WatchedPage:
    """The page with an empty pad."""
    shared.page.keyboard.press("Escape")
    wait_for_answer(shared, "?")
    return shared


def wait_for_answer(page: WatchedPage, label: str) -> None:
    expect(page.page.locator("#verdict-label")).to_have_text(label, timeout=30_000)


def place_on_pad(page: WatchedPage, points: list[tuple[float, float]]) -> list[tuple[float, float]]:
    box = page.page.locator("#pad").bounding_box()
    assert box
    return [(box["x"] + x * box["width"], box["y"] + y * box["height"]) for x, y in points]


def draw_with_mouse(page: WatchedPage, points: list[tuple[float, float]]) -> None:
    first, *rest = place_on_pad(page, points)
    page.page.mouse.move(*first)
    page.page.mouse.down()
    for point in rest:
        page.page.mouse.move(*point, steps=12)
    page.page.mouse.up()


def read_shares(page: WatchedPage) -> dict[str, float]:
    names = page.page.locator("#bars .bar-name").all_text_contents()
    shares = page.page.locator("#bars .bar-share").all_text_contents()
    return {name: float(share.removesuffix(" %")) for name, share in zip(names, shares, strict=True)}


def test_every_sample_is_recognized(page: WatchedPage) -> None:
    page.page.emulate_media(reduced_motion="reduce")  # a sample that writes itself is other digits on its way
    samples = page.page.get_by_role("button", name="Sample: ").all()
    assert len(samples) >= 10
    for sample in samples:
        label = (sample.get_attribute("aria-label") or "").removeprefix("Sample: ")[0]
        page.page.keyboard.press("Escape")  # the sample before may be the same digit
        wait_for_answer(page, "?")
        sample.click()
        wait_for_answer(page, label)
        shares = read_shares(page)
        assert list(shares) == list("0123456789")
        assert max(shares, key=shares.__getitem__) == label
        assert sum(shares.values()) == pytest.approx(100, abs=0.6)
    assert page.status["status"] == "done"


@pytest.mark.parametrize(("stroke", "label"), [(ONE, "1"), (SEVEN, "7")])
def test_a_stroke_of_the_mouse_is_read(page: WatchedPage, stroke: list[tuple[float, float]], label: str) -> None:
    draw_with_mouse(page, stroke)
    wait_for_answer(page, label)
    assert page.page.locator("#bars .is-best .bar-name").all_text_contents() == [label]
    expect(page.page.locator("#spoken")).to_contain_text(f"{label}, ", timeout=10_000)
    assert "%" in page.text("#verdict-share")


def test_the_answer_moves_while_the_stroke_does(page: WatchedPage) -> None:
    start, *_ = place_on_pad(page, ONE)
    page.page.mouse.move(*start)
    page.page.mouse.down()
    try:
        for point in place_on_pad(page, [(0.5, y / 20) for y in range(4, 18)]):
            page.page.mouse.move(*point)
        wait_for_answer(page, "1")  # the button is still down
    finally:
        page.page.mouse.up()


def test_clear_takes_ink_and_answer_away(page: WatchedPage) -> None:
    clear, undo = (page.page.get_by_role("button", name=name) for name in ("Clear", "Undo"))
    expect(clear).to_be_disabled()
    draw_with_mouse(page, ONE)
    wait_for_answer(page, "1")
    clear.click()
    wait_for_answer(page, "?")
    expect(clear).to_be_disabled()
    expect(page.page.get_by_role("img", name="Drawing pad, empty")).to_be_visible()
    assert set(read_shares(page).values()) == {0}
    undo.click()
    wait_for_answer(page, "1")


def test_undo_takes_one_stroke_back(page: WatchedPage) -> None:
    draw_with_mouse(page, SEVEN)
    wait_for_answer(page, "7")
    page.until("document.documentElement.dataset.kitStatus === 'done'")
    shares = page.page.locator("#bars .bar-share")
    before = shares.all_text_contents()
    draw_with_mouse(page, [(0.1, 0.9), (0.9, 0.9), (0.9, 0.5)])
    expect(shares).not_to_have_text(before)
    page.page.keyboard.press("Control+z")
    expect(shares).to_have_text(before)


def test_the_keyboard_is_enough(page: WatchedPage) -> None:
    sample = page.page.get_by_role("button", name="Sample: 3")
    page.js("document.activeElement?.blur()")
    for _ in range(30):
        page.page.keyboard.press("Tab")
        if sample.evaluate("(button) => button === document.activeElement"):
            break
    expect(sample).to_be_focused()
    page.page.keyboard.press("Enter")
    wait_for_answer(page, "3")
    page.page.keyboard.press("Delete")
    wait_for_answer(page, "?")


def test_a_right_click_draws_nothing(page: WatchedPage) -> None:
    page.page.locator("#pad").click(button="right")
    expect(page.page.get_by_role("button", name="Clear")).to_be_disabled()


def test_the_strip_tells_backend_variant_time_and_opens_details(page: WatchedPage) -> None:
    draw_with_mouse(page, ONE)
    wait_for_answer(page, "1")
    facts = page.facts()
    strip = page.page.locator("#kit-strip")
    expect(strip.locator(".strip-backend")).to_contain_text(f"wasm{facts['threads']} thread")
    expect(strip.locator(".strip-variant")).to_contain_text(facts["variant"])
    expect(strip.locator(".strip-time")).to_contain_text(" ms")
    bar, details = strip.get_by_role("button", name="Details"), page.page.locator("#kit-details")
    expect(details).to_be_hidden()
    bar.click()
    expect(details).to_be_visible()
    expect(bar).to_have_attribute("aria-expanded", "true")
    for words in ("ONNX Runtime Web", "Apache-2.0", "Downloaded", "probability error"):
        expect(details).to_contain_text(words)
    page.page.keyboard.press("Escape")
    expect(details).to_be_hidden()
    wait_for_answer(page, "1")  # that Escape was for the details, not for the drawing


def test_a_finger_draws_and_does_not_scroll(built_digits: Path, open_page: OpenPage) -> None:
    page = open_page(
        built_digits, "?backend=wasm", has_touch=True, is_mobile=True, viewport={"width": 390, "height": 700}
    )
    page.wait_until_ready()
    fingers = page.page.context.new_cdp_session(page.page)
    points = place_on_pad(page, [(0.5, y / 20) for y in range(3, 18)])

    def touch(kind: str, *places: tuple[float, float]) -> None:
        points = [{"x": x, "y": y, "id": index} for index, (x, y) in enumerate(places)]
        fingers.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": points})

    touch("touchStart", points[0])
    for point in points[1:]:
        touch("touchMove", point)
    touch("touchEnd")
    wait_for_answer(page, "1")
    assert page.js("[scrollX, scrollY]") == [0, 0]
    page.page.wait_for_timeout(500)  # a tap right after so swift a stroke only ends the fling, Chromium finds
    page.page.get_by_role("button", name="Clear").tap()
    wait_for_answer(page, "?")


def test_a_sample_writes_itself_where_motion_is_welcome(built_digits: Path, open_page: OpenPage) -> None:
    page = open_page(built_digits, "?backend=wasm", reduced_motion="no-preference")
    page.wait_until_ready()
    page.page.get_by_role("button", name="Sample: 8").click()
    wait_for_answer(page, "8")
    page.page.get_by_role("button", name="Sample: 0").click()
    page.page.get_by_role("button", name="Clear").click()  # in the middle of the writing
    wait_for_answer(page, "?")


def test_ink_from_before_the_model_was_there_is_read_once_it_is(built_digits: Path, open_page: OpenPage) -> None:
    page = open_page(built_digits, "?backend=wasm")
    page.until("document.querySelector('.sample') !== null")
    draw_with_mouse(page, ONE)
    page.wait_until_ready()
    wait_for_answer(page, "1")
