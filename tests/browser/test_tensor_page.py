"""The page of any ONNX graph: fill the inputs, run, look at what comes back."""

from __future__ import annotations

import io
import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from playwright.sync_api import Browser, FilePayload, Locator, expect

from browser.conftest import Serve
from browser.watched_page import WatchedPage, watch_page

TIMES = "\u00d7"


@pytest.fixture(scope="module")
def page(browser: Browser, serve: Serve, varied_site: Path) -> Iterator[WatchedPage]:
    with watch_page(browser, serve(varied_site) + "/?backend=wasm", accept_downloads=True) as page:
        page.wait_until_ready()
        yield page


def find_input(page: WatchedPage, name: str) -> Locator:
    return page.page.get_by_role("region", name=f"Input {name}")


def find_output(page: WatchedPage, name: str) -> Locator:
    return page.page.get_by_role("region", name=f"Output {name}")


def fill_with(page: WatchedPage, name: str, fill: str) -> None:
    find_input(page, name).locator(".choice", has_text=fill).click()


def paste(page: WatchedPage, name: str, text: str) -> None:
    fill_with(page, name, "Array")
    find_input(page, name).get_by_label("Array as JSON").fill(text)


def run(page: WatchedPage) -> None:
    """Press Run, and wait for outputs that were not there before."""
    page.js("document.querySelector('#outputs').replaceChildren()")
    page.page.get_by_role("button", name="Run", exact=True).click()
    page.until("document.querySelectorAll('#outputs .output').length === 4", why="the outputs")
    expect(page.page.get_by_role("button", name="Run", exact=True)).to_be_enabled()


def read_output(page: WatchedPage, name: str) -> dict[str, object]:
    with page.page.expect_download() as download:
        find_output(page, name).get_by_role("button", name="Download JSON").click()
    assert download.value.suggested_filename == f"{name}.json"
    content: dict[str, object] = json.loads(Path(download.value.path()).read_text(encoding="utf-8"))
    return content


def test_the_interface_is_a_table(page: WatchedPage) -> None:
    rows = page.page.locator("#interface tbody tr").all()
    cells = [row.locator("th, td").all_text_contents() for row in rows]
    assert cells[:4] == [
        ["x", "float32", f"n {TIMES} 3"],
        ["scale", "float32", "scalar"],
        ["add", "bool", "scalar"],
        ["h", "float32", f"1 {TIMES} 4"],
    ]
    assert [row[0] for row in cells[4:]] == ["scaled", "total", "chosen", "hn"]


def test_given_arrays_come_back_computed(page: WatchedPage) -> None:
    paste(page, "x", "[[1, 2, 3], [4, 5, -6]]")
    paste(page, "scale", "2")
    paste(page, "add", "false")
    fill_with(page, "h", "Zeros")
    run(page)
    assert read_output(page, "scaled") == {
        "name": "scaled",
        "dtype": "float32",
        "shape": [2, 3],
        "data": [2, 4, 6, 8, 10, -12],
    }
    assert read_output(page, "chosen")["data"] == [-1, 0, 1, 2, 3, -8]
    assert read_output(page, "total") == {"name": "total", "dtype": "float32", "shape": [], "data": [9]}
    expect(find_output(page, "total")).to_contain_text("scalar")
    scaled = find_output(page, "scaled")
    expect(scaled).to_contain_text(f"2 {TIMES} 3")
    facts = dict(zip(scaled.locator("dt").all_text_contents(), scaled.locator("dd").all_text_contents(), strict=True))
    assert facts["min"] == "-12" and facts["max"] == "10" and facts["mean"] == "3" and facts["NaN"] == "0"
    expect(page.page.locator("#timing")).to_contain_text("ms")


def test_the_same_seed_gives_the_same_numbers(page: WatchedPage) -> None:
    fill_with(page, "x", "Random")
    seed, preview = find_input(page, "x").get_by_label("Seed"), find_input(page, "x").locator(".preview")
    seed.fill("1")
    first = preview.text_content()
    seed.fill("2")
    assert preview.text_content() != first
    seed.fill("1")
    assert preview.text_content() == first


def test_sizes_can_be_edited_down_to_zero(page: WatchedPage) -> None:
    fill_with(page, "x", "Ones")
    paste(page, "scale", "3")
    rows = find_input(page, "x").get_by_label("n", exact=True)
    for size, total in ((5, [15]), (0, [0])):
        rows.fill(str(size))
        run(page)
        assert read_output(page, "total")["data"] == total
        assert read_output(page, "scaled")["shape"] == [size, 3]
    rows.fill("2")


@pytest.mark.parametrize(
    ("name", "text", "words"),
    [
        ("x", "[[1, 2, 3], [4", "This is not JSON: "),
        ("x", "[[1, 2, 3], [4, 5]]", "The rows differ: item [1] is 2, the first one is 3."),
        ("x", '[[1, 2, "three"]]', 'Item [0,2] is "three", which is not a number.'),
        ("x", "[[1, 2], [3, 4]]", f"2 {TIMES} 3 takes 6 numbers; there are 4 numbers."),
        ("scale", "[]", "scalar takes 1 number; there are 0 numbers."),
        ("add", "7", "bool goes from 0 to 1; number 1 is 7."),
        ("x", "", "Paste numbers, or load a file."),
    ],
)
def test_an_array_that_does_not_fit_is_explained(page: WatchedPage, name: str, text: str, words: str) -> None:
    fill_with(page, "x", "Zeros")
    find_input(page, "x").get_by_label("n", exact=True).fill("2")
    paste(page, name, "0")
    paste(page, name, text)
    problem = find_input(page, name).locator(".problem")
    expect(problem).to_contain_text(words)
    page.page.get_by_role("button", name="Run", exact=True).click()
    expect(page.page.locator("#run-problem")).to_contain_text(f"Input {name}: ")
    expect(page.page.locator("#run-problem")).to_contain_text(words.split(":")[0])
    fill_with(page, name, "Ones")
    expect(problem).to_be_empty()
    run(page)
    expect(page.page.locator("#run-problem")).to_be_empty()


def test_an_npy_file_is_read(page: WatchedPage) -> None:
    content = io.BytesIO()
    np.save(content, np.arange(12, dtype=np.float64).reshape(4, 3))
    fill_with(page, "x", "Array")
    file: FilePayload = {"name": "x.npy", "mimeType": "application/octet-stream", "buffer": content.getvalue()}
    find_input(page, "x").locator("input[type=file]").set_input_files(file)
    expect(find_input(page, "x").get_by_label("n", exact=True)).to_have_value("4")
    paste(page, "scale", "0.5")
    run(page)
    assert read_output(page, "scaled")["data"] == [value / 2 for value in range(12)]


def test_a_golden_sample_is_compared_with_the_original(page: WatchedPage) -> None:
    choice = page.page.get_by_label("Use")
    options = choice.locator("option").all_text_contents()
    assert options[0] == "my own values" and len(options) == 9
    choice.select_option("golden sample 3")
    run(page)
    for name in ("scaled", "total", "chosen", "hn"):
        proof = find_output(page, name).locator(".proof").text_content() or ""
        words, number = proof.rsplit(" ", 1)
        assert words == "Largest difference from the original model:" and float(number) < 1e-5
    choice.select_option("my own values")
    run(page)
    assert page.page.locator(".proof").count() == 0


def test_ten_runs_are_timed(page: WatchedPage) -> None:
    page.page.get_by_role("button", name="Run 10 times").click()
    expect(page.page.locator("#run-note")).to_have_text("10 runs done", timeout=30_000)
    facts = dict(
        zip(
            page.page.locator("#timing dt").all_text_contents(),
            page.page.locator("#timing dd").all_text_contents(),
            strict=True,
        )
    )
    assert set(facts) == {"first", "median", "min"} and all(value.endswith("ms") for value in facts.values())
    assert page.page.locator("#timing .chart-bar").count() == 10


def test_control_enter_runs(page: WatchedPage) -> None:
    page.js("document.querySelector('#outputs').replaceChildren()")
    page.page.keyboard.press("Control+Enter")
    page.until("document.querySelectorAll('#outputs .output').length === 4")
