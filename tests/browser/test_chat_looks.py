"""The chat page as people hold it: on a phone, with keys, while an answer comes, and with what went wrong."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser

from browser.conftest import Serve
from browser.looks import STICKS_OUT, TAB_STOP, TOO_FAINT, TOO_SMALL
from browser.watched_page import WatchedPage, watch_page

ANSWER = """# A heading

Words, `code`, **bold** and https://example.com/averyverylongaddress{long}

1. one
   - two
     - three

```python
print("{long}")
```

| a | b | c | d |
|---|---|---|---|
| {long} | 1 | 2 | 3 |
""".replace("{long}", "long" * 40)
FIGURES = {
    "promptTokens": 120,
    "cachedTokens": 20,
    "completionTokens": 1234,
    "firstTokenMs": 412.3,
    "tokensPerSecond": 66.1,
    "contextLength": 2048,
}
NAMES = ["full", "failed", "stopped"]
PHONE = {"is_mobile": True, "has_touch": True}

KEEP = """([name, chats]) => {
    const prefix = `webgpu-kit/chat/${name}/`;
    const entries = chats.map(({ id, name, updatedMs }) => ({ id, name, updatedMs }));
    localStorage.setItem(`${prefix}chats`, JSON.stringify(entries));
    for (const chat of chats) localStorage.setItem(`${prefix}chats/${chat.id}`, JSON.stringify(chat));
}"""


def make_chat(name: str) -> dict[str, Any]:
    question = {"role": "user", "content": "Which of these is the one to take, if only one can be taken?"}
    answer = {"role": "assistant", "content": ANSWER, "ending": "stop", "figures": FIGURES}
    ending = {"role": "assistant", "content": "", "ending": name, "problem": "It went wrong: " + "very" * 30}
    messages = [question, answer, question, ending | {"content": "So" if name == "stopped" else ""}]
    return {"id": name, "name": name, "updatedMs": 1, "system": "", "leftOut": 2, "messages": messages}


def open_kept(page: WatchedPage) -> None:
    """Put chats into the browser's storage, as an earlier visit would have left them, and come back."""
    name = page.js("JSON.parse(document.querySelector('#kit-settings').textContent).name")
    page.page.evaluate(KEEP, [name, [make_chat(each) for each in NAMES]])
    page.page.reload()
    page.wait_until_ready()


def open_chat(page: WatchedPage, name: str) -> None:
    if page.page.locator("#chats-open").is_visible():
        page.page.click("#chats-open")
    page.page.locator(".chat-open", has_text=name).click()
    page.until("(name) => document.querySelector('#chat-name').value === name", name)


@pytest.fixture(params=[("320 px", "dark"), ("390 px", "light")], ids=lambda each: each[0])
def phone(request: pytest.FixtureRequest, browser: Browser, serve: Serve, talking_site: Path) -> Iterator[WatchedPage]:
    size, scheme = request.param
    options = {"viewport": {"width": int(size.split()[0]), "height": 700}, "color_scheme": scheme, **PHONE}
    with watch_page(browser, f"{serve(talking_site)}/?backend=wasm", **options, reduced_motion="reduce") as page:
        page.wait_until_ready()
        open_kept(page)
        yield page


@pytest.fixture
def desk(browser: Browser, serve: Serve, talking_site: Path) -> Iterator[WatchedPage]:
    with watch_page(browser, f"{serve(talking_site)}/?backend=wasm", reduced_motion="reduce") as page:
        page.wait_until_ready()
        open_kept(page)
        yield page


def check_looks(page: WatchedPage, why: str, *, touched: bool = True) -> None:
    assert page.js(STICKS_OUT) == [], why
    assert page.js(TOO_FAINT) == [], why
    if touched:
        assert page.js(TOO_SMALL) == [], why


def test_every_state_fits_a_phone(phone: WatchedPage) -> None:
    check_looks(phone, "empty")
    for name in NAMES:
        open_chat(phone, name)
        check_looks(phone, name)
    phone.js("document.querySelector('#log').scrollTop = 0")
    phone.until("!document.querySelector('#jump').hidden")
    check_looks(phone, "far from the newest")
    phone.page.locator(".edit").last.click()
    check_looks(phone, "editing")
    phone.page.get_by_role("button", name="Cancel").click()
    for opener, closer in (("#export-open", "Escape"), ("#settings-open", "Escape"), ("#chats-open", "")):
        phone.page.click(opener)
        check_looks(phone, opener)
        if closer:
            phone.page.keyboard.press(closer)
    phone.page.get_by_role("button", name="Delete failed").click()
    check_looks(phone, "deleted, in the drawer")
    phone.page.click("#chats-close")
    phone.page.click(".strip-bar")
    check_looks(phone, "details")


def test_an_editor_is_as_wide_as_the_chat(desk: WatchedPage) -> None:
    open_chat(desk, "stopped")
    desk.page.locator(".turn-question").last.hover()
    desk.page.locator(".edit").last.click()
    desk.page.locator(".editor textarea").fill("a long sentence " * 40)
    check_looks(desk, "editing", touched=False)
    boxes = desk.js(
        "['.editor', '#messages'].map((each) => document.querySelector(each).getBoundingClientRect().width)"
    )
    assert boxes[0] == boxes[1]
    assert desk.page.get_by_role("button", name="Send").first.is_visible()


def test_tab_comes_to_everything_and_shows_where_it_is(desk: WatchedPage) -> None:
    open_chat(desk, "stopped")
    desk.page.focus("body .chats-new")
    desk.page.keyboard.press("Shift+Tab")
    seen = []
    for _ in range(80):
        desk.page.keyboard.press("Tab")
        stop = desk.js(TAB_STOP)
        if stop is None or stop["isKnown"]:
            break
        assert stop["isFine"], stop["name"]
        seen.append(stop["name"])
    whole = " ".join(seen)
    for part in (
        "New chat",
        "Export",
        "Settings",
        "#prompt",
        "Copy answer",
        "Answer again",
        "Edit message",
        "strip-bar",
    ):
        assert part in whole, seen


def test_on_a_phone_enter_starts_a_new_line(phone: WatchedPage) -> None:
    phone.page.tap("#prompt")
    phone.page.keyboard.type("one")
    phone.page.keyboard.press("Enter")
    phone.page.keyboard.type("two")
    assert phone.page.input_value("#prompt") == "one\ntwo" and not phone.page.locator(".turn").count()
    phone.page.tap("#send")
    phone.until("document.querySelector('.turn-answer')?.dataset.state === 'done'")
    # The keyboard on the screen must not come up again by itself.
    assert phone.js("document.activeElement.id") not in ("prompt", "send")


READ_PLACE = """() => {
    const { scrollTop, scrollHeight, clientHeight } = document.querySelector("#log");
    return { scrollTop, isAtEnd: scrollHeight - clientHeight - scrollTop < 3, canScroll: scrollHeight > clientHeight };
}"""
# An answer as it streams, without a model: the chat is given pieces through the API that it uses.
STREAM = """() => {
    const { completions } = window.kit.chat;
    window.pieces = [];
    completions.create = async () => {
        const chunks = (async function* () {
            for (let count = 0; count < 4000; count += 1) {
                await new Promise((resume) => setTimeout(resume, 15));
                if (window.enough) return;
                const content = `${count} words and words. ${count % 4 ? "" : "\\n\\n"}`;
                yield { choices: [{ delta: { content }, finish_reason: null }] };
            }
        })();
        return Object.assign(chunks, { timings: Promise.resolve(null) });
    };
}"""


def test_a_growing_answer_is_followed_only_by_a_reader_who_is_at_its_end(desk: WatchedPage) -> None:
    desk.js(STREAM)
    desk.page.fill("#prompt", "Go on for long")
    desk.page.keyboard.press("Enter")
    desk.until(f"({READ_PLACE})().canScroll")
    desk.until(f"({READ_PLACE})().scrollTop > 200")
    assert desk.js(READ_PLACE)["isAtEnd"], "it follows"
    desk.page.hover("#log")
    desk.page.mouse.wheel(0, -150)
    desk.until(f"!({READ_PLACE})().isAtEnd")
    place = settle(desk)
    desk.until("document.querySelector('.prose').textContent.length > 6000")
    assert desk.js(READ_PLACE)["scrollTop"] == place, "it stays where the reader is"
    desk.until("!document.querySelector('#jump').hidden")
    desk.page.click("#jump")
    desk.until(f"({READ_PLACE})().isAtEnd")
    before = desk.js(READ_PLACE)["scrollTop"]
    desk.until(f"({READ_PLACE})().scrollTop > {before} + 60")
    assert desk.js(READ_PLACE)["isAtEnd"] and desk.page.locator("#jump").is_hidden(), "and follows again"
    # What is read aloud are finished parts, not every piece.
    spoken = desk.js("document.querySelectorAll('#spoken p').length")
    pieces = desk.js("document.querySelector('.prose').textContent.split('.').length")
    assert 1 < spoken < pieces / 3
    desk.js("window.enough = true")
    desk.until("document.querySelector('.turn-answer').dataset.state === 'done'")


def settle(page: WatchedPage) -> float:
    """The place that scrolling has come to rest at."""
    last, end = -1.0, time.monotonic() + 10
    while (now := float(page.js(READ_PLACE)["scrollTop"])) != last and time.monotonic() < end:
        last = now
        page.page.wait_for_timeout(120)
    return now
