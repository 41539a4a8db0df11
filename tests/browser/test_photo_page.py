"""The photo page, with a classifier of three colours whose labels try to break out of their places."""

from __future__ import annotations

import io
from collections.abc import Iterator
from pathlib import Path

import pytest
from PIL import Image
from playwright.sync_api import Browser, BrowserContext, expect

from browser.conftest import OpenPage, Serve
from browser.models import NASTY_LABELS
from browser.watched_page import WatchedPage, watch_page

COLOURS = {"red": (230, 20, 30), "green": (10, 200, 40), "blue": (30, 40, 220)}
LABELS = dict(zip(COLOURS, NASTY_LABELS, strict=True))

# Two of the three ways in that bring a file; the third is the file chooser.
HAND_OVER = """async ({ way, name, type, bytes }) => {
    const transfer = new DataTransfer();
    transfer.items.add(new File([Uint8Array.from(bytes)], name, { type }));
    if (way === "drop") {
        const drag = { bubbles: true, cancelable: true, dataTransfer: transfer };
        document.body.dispatchEvent(new DragEvent("dragover", drag));
        document.body.dispatchEvent(new DragEvent("drop", drag));
    } else {
        document.body.dispatchEvent(new ClipboardEvent("paste", { bubbles: true, clipboardData: transfer }));
    }
}"""
FAKE_CAMERA = """
    navigator.mediaDevices.getUserMedia = async () => {
        const canvas = Object.assign(document.createElement("canvas"), { width: 64, height: 48 });
        const context = canvas.getContext("2d");
        window.cameraTimer = setInterval(() => {
            context.fillStyle = window.cameraColour ?? "rgb(10, 200, 40)";
            context.fillRect(0, 0, 64, 48);
        }, 30);
        return canvas.captureStream(30);
    };
"""


@pytest.fixture(scope="module")
def page(browser: Browser, serve: Serve, colours_site: Path) -> Iterator[WatchedPage]:
    with watch_page(browser, serve(colours_site) + "/?backend=wasm") as page:
        page.wait_until_ready()
        yield page


def make_png(colour: str, size: tuple[int, int] = (60, 40)) -> bytes:
    content = io.BytesIO()
    Image.new("RGB", size, COLOURS[colour]).save(content, "PNG")
    return content.getvalue()


def give(page: WatchedPage, way: str, name: str, kind: str, content: bytes) -> None:
    if way == "choose":
        page.page.set_input_files("#file", {"name": name, "mimeType": kind, "buffer": content})
    else:
        page.js(HAND_OVER, {"way": way, "name": name, "type": kind, "bytes": list(content)})


def wait_for_answer(page: WatchedPage, colour: str) -> None:
    expect(page.page.locator("#verdict-label")).to_have_text(LABELS[colour], timeout=30_000)


def test_every_label_is_text_and_nothing_else(page: WatchedPage) -> None:
    assert page.js("[...document.querySelectorAll('#bars .bar-name')].map((e) => e.textContent)") == list(NASTY_LABELS)
    give(page, "choose", "blue.png", "image/png", make_png("blue"))
    wait_for_answer(page, "blue")
    # Character for character, also those that end a line in JavaScript.
    assert page.js("document.querySelector('#verdict-label').textContent") == NASTY_LABELS[2]
    expect(page.page.locator("#spoken")).to_contain_text("onerror", timeout=10_000)
    title = "</title><script>window.harmed = 1</script>"
    assert page.page.title() == page.text("h1") == title
    assert page.js("[window.harmed, document.querySelectorAll('main img[src=x], main b, main script').length]") == [
        None,
        0,
    ]
    assert page.js("document.scripts.length") == 2, "the settings and main.js"


@pytest.mark.parametrize("way", ["choose", "drop", "paste"])
@pytest.mark.parametrize("colour", COLOURS)
def test_a_picture_is_classified_however_it_comes(page: WatchedPage, way: str, colour: str) -> None:
    give(page, way, f"{colour}.png", "image/png", make_png(colour))
    wait_for_answer(page, colour)
    expect(page.page.get_by_role("img", name=f"Picture {colour}.png")).to_be_visible()
    assert page.text("#problem") == ""


def test_a_large_picture_is_shrunk(page: WatchedPage) -> None:
    give(page, "choose", "large.png", "image/png", make_png("red", (3000, 1500)))
    wait_for_answer(page, "red")
    assert page.js("[preview.width, preview.height]") == [1024, 512]


def test_a_transparent_picture_lies_on_white(page: WatchedPage) -> None:
    content = io.BytesIO()
    Image.new("RGBA", (20, 20), (0, 0, 0, 0)).save(content, "PNG")
    give(page, "choose", "nothing.png", "image/png", content.getvalue())
    expect(page.page.get_by_role("img", name="Picture nothing.png")).to_be_visible()
    assert page.js("[...preview.getContext('2d').getImageData(3, 3, 1, 1).data]") == [255, 255, 255, 255]
    expect(page.page.locator("#verdict-words")).to_contain_text("unsure", timeout=30_000)


@pytest.mark.parametrize("way", ["choose", "drop", "paste"])
@pytest.mark.parametrize(
    ("name", "kind", "content"),
    [
        ("notes.txt", "text/plain", b"no picture"),
        ("cut short.png", "image/png", make_png("green")[:30]),
        ("<img onerror=alert(1)>.png", "image/png", b""),
    ],
)
def test_a_file_that_is_no_picture_is_told_plainly(
    page: WatchedPage, way: str, name: str, kind: str, content: bytes
) -> None:
    give(page, "choose", "red.png", "image/png", make_png("red"))
    wait_for_answer(page, "red")
    give(page, way, name, kind, content)
    expect(page.page.locator("#problem")).to_have_text(
        f"“{name}” is not a picture this browser can read. PNG, JPEG, WebP, GIF and AVIF work."
    )
    wait_for_answer(page, "red")  # what was there stays
    give(page, "choose", "blue.png", "image/png", make_png("blue"))
    wait_for_answer(page, "blue")
    assert page.text("#problem") == ""


def test_samples_can_be_pressed(page: WatchedPage) -> None:
    samples = page.page.get_by_role("button", name="Sample: ").all()
    assert len(samples) >= 8
    label = samples[0].get_attribute("aria-label")
    samples[0].click()
    expect(page.page.get_by_role("img", name=label)).to_be_visible()
    page.until("!['', '?'].includes(document.querySelector('#verdict-label').textContent)")
    assert page.status["status"] in ("done", "running")


def test_the_camera_is_looked_at_until_it_is_stopped(colours_site: Path, open_page: OpenPage) -> None:
    def play_camera(context: BrowserContext) -> None:
        context.add_init_script(FAKE_CAMERA)

    page = open_page(colours_site, "?backend=wasm", prepare=play_camera)
    page.wait_until_ready()
    page.page.get_by_role("button", name="Camera").click()
    wait_for_answer(page, "green")
    page.js("window.cameraColour = 'rgb(230, 20, 30)'")
    wait_for_answer(page, "red")
    page.page.get_by_role("button", name="Stop").click()
    expect(page.page.locator("#camera")).to_be_hidden()
    assert page.js("document.querySelector('#camera').srcObject") is None
    expect(page.page.get_by_role("button", name="Camera")).to_be_enabled()


@pytest.mark.parametrize(
    ("reason", "words"),
    [("NotAllowedError", "The camera is blocked for this page."), ("NotFoundError", "No camera was found")],
)
def test_a_camera_that_cannot_be_had_is_told_plainly(
    colours_site: Path, open_page: OpenPage, reason: str, words: str
) -> None:
    refuse = f'navigator.mediaDevices.getUserMedia = async () => {{ throw new DOMException("no", "{reason}"); }};'
    page = open_page(colours_site, "?backend=wasm", prepare=lambda context: context.add_init_script(refuse))
    page.page.get_by_role("button", name="Camera").click()
    expect(page.page.locator("#problem")).to_contain_text(words)
