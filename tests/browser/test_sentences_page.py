"""The sentence page with the real MiniLM: type, and see what is alike in meaning."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, expect

from browser.conftest import Serve
from browser.watched_page import WatchedPage, watch_page
from webgpu_kit.artifacts import Bundle
from webgpu_kit.golden_file import read_golden
from webgpu_kit.manifest import read_manifest
from webgpu_kit.parity import measure_parity

CAT, KITTEN, STOCKS, SHARES, PASSWORD, LOGIN = range(1, 7)

ODD_TEXTS = (
    "<img src=x onerror=alert(1)>\u2028</script>",
    "\U0001f600 emoji, \u4e2d\u6587, \u0627\u0644\u0639\u0631\u0628\u064a\u0629, e\u0301",
    "longer than the model takes " * 200,
    "\ufffd \u200b.",
)


@pytest.fixture(scope="module")
def loaded(browser: Browser, serve: Serve, minilm_site: Path) -> Iterator[WatchedPage]:
    with watch_page(browser, serve(minilm_site) + "/?backend=wasm") as page:
        page.wait_until_ready()
        yield page


@pytest.fixture
def page(loaded: WatchedPage) -> WatchedPage:
    """The page as it is when it is opened. The tests that take it leave its sentences as they are."""
    wait_for_numbers(loaded)
    return loaded


@pytest.fixture
def page_to_edit(loaded: WatchedPage) -> Iterator[WatchedPage]:
    """The same page, opened anew afterwards."""
    wait_for_numbers(loaded)
    yield loaded
    loaded.page.reload()
    loaded.wait_until_ready()


def wait_for_numbers(page: WatchedPage) -> None:
    page.until("""() => {
        const cells = [...document.querySelectorAll("#heat td.number")];
        return cells.length > 0 && cells.every(({ textContent }) => /\\d/.test(textContent));
    }""", why="the heat map")  # fmt: skip


def read_matrix(page: WatchedPage) -> list[list[float]]:
    rows = page.js(
        "[...document.querySelectorAll('#heat tbody tr')].map((row) =>"
        " [...row.querySelectorAll('td')].map((cell) => cell.textContent))"
    )
    return [[float(cell.replace("\u2212", "-")) for cell in row] for row in rows]


def read_ranking(page: WatchedPage) -> list[tuple[int, float]]:
    numbers = page.page.locator("#ranks .badge").all_text_contents()
    values = page.page.locator("#ranks .rank-value").all_text_contents()
    return [(int(n), float(value.replace("\u2212", "-"))) for n, value in zip(numbers, values, strict=True)]


def type_into(page: WatchedPage, number: int, text: str) -> None:
    page.page.locator("#sentences textarea").nth(number - 1).fill(text)


def test_pairs_of_one_meaning_are_the_closest(page: WatchedPage) -> None:
    matrix = read_matrix(page)
    assert len(matrix) == 6
    for row in range(6):
        assert matrix[row][row] == 1
        assert [matrix[column][row] for column in range(6)] == matrix[row]
    for one, other in ((CAT, KITTEN), (STOCKS, SHARES), (PASSWORD, LOGIN)):
        others = [value for column, value in enumerate(matrix[one - 1], 1) if column not in (one, other)]
        assert matrix[one - 1][other - 1] > max(others) + 0.1


def test_the_ranking_follows_the_selected_sentence(page: WatchedPage) -> None:
    for chosen, closest in ((CAT, KITTEN), (SHARES, STOCKS), (LOGIN, PASSWORD)):
        page.page.locator("#sentences textarea").nth(chosen - 1).focus()
        subject = page.page.locator("#sentences textarea").nth(chosen - 1).input_value()
        expect(page.page.locator("#subject")).to_have_text(subject)
        ranking = read_ranking(page)
        assert ranking[0][0] == closest and len(ranking) == 5
        values = [value for _, value in ranking]
        assert values == sorted(values, reverse=True)
        assert dict(ranking)[closest] == read_matrix(page)[chosen - 1][closest - 1]
    page.page.locator("#heat tbody button").nth(STOCKS - 1).click()
    expect(page.page.locator("#ranks .badge").first).to_have_text(str(SHARES))


def test_an_edit_changes_its_row_and_no_other(page_to_edit: WatchedPage) -> None:
    page = page_to_edit
    before = read_matrix(page)
    type_into(page, STOCKS, "A small cat dozes by the window.")
    page.until("(old) => !document.querySelectorAll('#heat tbody tr')[2].textContent.includes(old)",
               f"{before[STOCKS - 1][SHARES - 1]:.2f}")  # fmt: skip
    wait_for_numbers(page)
    after = read_matrix(page)
    assert after[STOCKS - 1][CAT - 1] > 0.5 > before[STOCKS - 1][CAT - 1]
    assert after[PASSWORD - 1][LOGIN - 1] == before[PASSWORD - 1][LOGIN - 1]
    page.page.locator("#sentences textarea").nth(STOCKS - 1).focus()
    assert read_ranking(page)[0][0] == CAT


def test_sentences_are_added_and_taken_away_by_keyboard(page_to_edit: WatchedPage) -> None:
    page = page_to_edit
    fields = page.page.locator("#sentences textarea")
    fields.nth(5).focus()
    page.page.keyboard.press("Enter")
    expect(fields).to_have_count(7)
    page.page.keyboard.type("Kittens love sunshine.")
    page.until("document.querySelectorAll('#heat tbody tr').length === 7")
    wait_for_numbers(page)
    assert read_ranking(page)[0][0] in (CAT, KITTEN)
    fields.nth(6).fill("")
    page.page.keyboard.press("Backspace")
    expect(fields).to_have_count(6)
    page.until("document.querySelectorAll('#heat tbody tr').length === 6")


def test_many_pasted_lines_become_many_sentences(page_to_edit: WatchedPage) -> None:
    page = page_to_edit
    page.page.locator("#add").click()
    page.js("""() => {
        const clipboardData = new DataTransfer();
        clipboardData.setData("text/plain", "one line\\n\\n  another line \\r\\nlast line");
        const paste = new ClipboardEvent("paste", { bubbles: true, cancelable: true, clipboardData });
        document.activeElement.dispatchEvent(paste);
    }""")
    written = page.page.locator("#sentences textarea").evaluate_all("(fields) => fields.map(({ value }) => value)")
    assert written[6:] == ["one line", "another line", "last line"]
    page.until("document.querySelectorAll('#heat tbody tr').length === 9")
    wait_for_numbers(page)


def test_any_text_gets_an_answer(page_to_edit: WatchedPage) -> None:
    page = page_to_edit
    page.page.locator("#sentences textarea").nth(CAT - 1).focus()
    for text in ODD_TEXTS:
        type_into(page, CAT, text)
        expect(page.page.locator("#subject")).to_have_text(text.strip())
        wait_for_numbers(page)
        assert all(-1 <= value <= 1 for row in read_matrix(page) for value in row), text
        assert page.page.locator("#heat img, #ranks img, #subject img").count() == 0
    page.wait_for("done")


def test_the_embeddings_are_those_of_the_original_model(page: WatchedPage, minilm_site: Path) -> None:
    manifest = read_manifest(minilm_site)
    parity = manifest.variants[0].parity
    golden = read_golden(Bundle(minilm_site / "model", manifest))
    assert len(golden.samples) >= 8 and "torch" in golden.origin.lower()
    expected = [sample.outputs for sample in golden.samples]
    assert measure_parity(parity.metric, expected, page.run_golden(), parity.threshold).value <= parity.threshold


def test_an_edit_costs_one_sentence_not_all(page_to_edit: WatchedPage) -> None:
    page = page_to_edit
    page.js("""() => {
        window.asked = [];
        const run = kit.run.bind(kit);
        kit.run = (input, options) => { asked.push(input.text); return run(input, options); };
    }""")
    type_into(page, LOGIN, "I forgot my password.")
    page.until("asked.length > 0")
    wait_for_numbers(page)
    assert json.loads(page.js("JSON.stringify(asked)")) == [["I forgot my password."]]
