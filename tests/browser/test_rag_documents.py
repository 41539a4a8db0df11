"""Files of every kind on the search page: PDFs, what cannot be read, and what the browser will not keep."""

from __future__ import annotations

import json
import shutil
import time
from collections.abc import Iterator
from pathlib import Path

import pdf_files
import pytest
from playwright.sync_api import Browser, BrowserContext, Route

from browser.conftest import OpenPage, Serve
from browser.rag_sites import SHOWN, add_files, open_library, open_passage, read_problems
from browser.watched_page import WatchedPage, watch_page
from webgpu_kit.vendor import models_folder, templates_folder

PAGES = (
    "The first page is about cats. They sleep in the sun-\nshine and dream of fish.",
    "Ships sail on the sea, and the sentence\ngoes",
    "on with the third page. A dog barks at the\nlighthouse.",
)
LEFT, RIGHT = ["The bakers begin at four and", "the dough is kept in a"], ["cold room un-", "til the ovens are hot."]


@pytest.fixture
def page(browser: Browser, serve: Serve, rag_site: Path) -> Iterator[WatchedPage]:
    with watch_page(browser, f"{serve(rag_site)}/?backend=wasm") as page:
        open_library(page)
        yield page


def search(page: WatchedPage, words: str) -> None:
    page.page.fill("#question", words)
    page.until("document.querySelectorAll('.passage').length > 0")


def list_pdf_requests(page: WatchedPage) -> list[str]:
    return sorted({path.rpartition("/")[2] for path in page.requests if "/pdfjs/" in path})


def test_a_pdf_is_read_found_and_opened_at_its_page(page: WatchedPage) -> None:
    add_files(page, ("plain.txt", b"No PDF yet."), expect=1)
    assert list_pdf_requests(page) == []
    add_files(page, ("book.pdf", pdf_files.write_pages(*PAGES)), expect=2)
    search(page, "a dog barks at the lighthouse")
    page.until("document.querySelector('.passage-place').textContent.startsWith('book.pdf, page ')")
    open_passage(page, "book.pdf")
    assert page.page.locator("#reader .page-number").all_text_contents() == ["Page 1", "Page 2", "Page 3"]
    body = page.text("#reader-body")
    assert "in the sunshine and dream of fish." in body and "A dog barks at the\nlighthouse." in body
    assert page.page.locator("#reader mark").count() > 0
    assert list_pdf_requests(page) == ["pdf.min.mjs", "pdf.worker.min.mjs"]


def test_columns_are_read_one_after_the_other_and_chinese_by_its_tables(page: WatchedPage) -> None:
    columns = pdf_files.write_columns("From the bakery", LEFT, RIGHT)
    # It opens without a password; only what may be done with it is limited.
    limited = pdf_files.write_pages("A limited file", owner="o")
    chinese = pdf_files.write_chinese("猫在阳光下睡觉。")
    add_files(page, ("columns.pdf", columns), ("limited.pdf", limited), ("chinese.pdf", chinese), expect=3)
    search(page, "bakers begin at four")
    open_passage(page, "columns.pdf")
    paragraphs = page.page.locator("#reader-body p:not(.page-number)").all_text_contents()
    assert paragraphs == ["From the bakery", "\n".join([*LEFT, "cold room until the ovens are hot."])]
    page.page.keyboard.press("Escape")
    search(page, "猫在阳光下睡觉")
    page.page.locator(".passage", has_text="猫在阳光下睡觉。").first.wait_for()
    tables = [name for name in list_pdf_requests(page) if name.endswith(".bcmap")]
    assert 0 < len(tables) < 5


def test_files_that_come_before_a_collection_is_open_wait_for_it(
    browser: Browser, serve: Serve, rag_site: Path
) -> None:
    def slow(context: BrowserContext) -> None:
        def answer(route: Route) -> None:
            time.sleep(0.7)
            route.continue_()

        context.route("**/kit/search/worker.js", answer)

    with watch_page(browser, f"{serve(rag_site)}/?backend=wasm", prepare=slow) as page:
        page.wait_until_ready()
        add_files(page, ("early.txt", b"Ships sail on the sea."), expect=1)
        search(page, "ships on the sea")


def test_a_long_pdf_tells_its_page_and_can_be_stopped(page: WatchedPage) -> None:
    long = pdf_files.write_pages(*(f"Page {number} speaks of the number {number}." for number in range(1, 1001)))
    payload = {"name": "long.pdf", "mimeType": "", "buffer": long}
    page.page.set_input_files("#files", payload)  # type: ignore[arg-type]
    page.until("/page [0-9]+ of 1,000/.test(document.querySelector('#indexing-words').textContent)")
    page.page.click("#indexing-stop")
    page.until("document.querySelector('#indexing').hidden")
    assert page.js(SHOWN) == 0 and not page.page.locator(".problem").count()
    add_files(page, ("short.pdf", pdf_files.write_pages("It goes on.")), expect=1)


BAD_FILES = [
    ("empty.txt", b"", "is empty"),
    ("blank.txt", b" \n ", "has no text in it"),
    ("paper.pdf", b"%PDF-1.7 and so on", "is broken: it cannot be read as a PDF"),
    ("other.pdf", b"no PDF at all", "is broken: it cannot be read as a PDF"),
    ("empty.pdf", b"", "is empty"),
    ("photo.md", b"\x89PNG\r\n\x1a\n\0\0\0", "is a binary file"),
    ("windows.txt", "naïve café".encode("cp1252"), "is not written in UTF-8. Save it as UTF-8 and add it again"),
    ("invalid.txt", b"good \xc3\x28 bad", "is not written in UTF-8. Save it as UTF-8 and add it again"),
    ("half.txt", b"\xff\xfeH\x00\x00\xd8", "is not written in UTF-16LE. Save it as UTF-8 and add it again"),
    ("bare.txt", "no mark".encode("utf-16-be"), "is written in UTF-16 without a mark that says so. Save it as UTF-8"),
    ("odd.html", b"<meta charset=klingon><p>a</p>", 'is written in "klingon", which is not known'),
]


def test_files_that_cannot_be_read_are_named_and_the_others_are_taken(page: WatchedPage) -> None:
    scanned, locked = pdf_files.write_picture(), pdf_files.write_pages("A secret.", password="open sesame")
    bad = [
        *BAD_FILES,
        ("scan.pdf", scanned, "has no text in it: its one page is a picture, or empty. Run text recognition (OCR)"),
        ("locked.pdf", locked, "opens only with a password. Save it without one and add it again"),
        ("cut.pdf", pdf_files.write_pages("half of it")[:400], "is broken: it cannot be read as a PDF"),
    ]
    files = [(name, content) for name, content, _ in bad]
    good = [("good.txt", "the cat, the dog".encode("utf-16")), ("western.html", b"<meta charset=windows-1252>\x80 5")]
    add_files(page, *files, *good, expect=2)
    problems = page.page.locator(".problem").all_text_contents()
    assert len(problems) == len(bad), problems
    for (name, _, words), problem in zip(bad, problems, strict=True):
        assert problem.startswith(f"{name} ") and words in problem and problem.endswith(".")


def test_a_hundred_megabytes_are_refused(page: WatchedPage, tmp_path: Path) -> None:
    with (tmp_path / "large.txt").open("wb") as file:
        file.truncate(100_000_000)
    page.page.set_input_files("#files", tmp_path / "large.txt")
    assert "large.txt is 100 MB large; files of up to 20 MB can be read here" in read_problems(page)


def test_a_question_before_any_file_is_answered_with_what_to_do(page: WatchedPage) -> None:
    page.page.fill("#question", "where is the cat")
    page.page.keyboard.press("Enter")
    note = page.until("document.querySelector('#answer-note').textContent")
    assert note == "There are no files to answer from yet. Add some, or use the sample documents."


def test_a_language_that_the_model_does_not_know_is_said(page: WatchedPage) -> None:
    note = "document.querySelector('#asking-note').textContent"
    page.page.fill("#question", "что делает кошка")
    page.until(f"{note}.startsWith('The model hardly knows this language')")
    page.page.fill("#question", "the cat the dog the sea")
    page.until(f"{note} === ''")
    add_files(page, ("russian.txt", "Кошка спит весь день на солнце.".encode()), expect=1)
    assert page.text(".remark").startswith("russian.txt is in a language that the model hardly knows")


def test_minilm_knows_english_and_no_other_language(minilm_site: Path, open_page: OpenPage) -> None:
    shutil.copyfile(templates_folder() / "pages" / "rag" / "language.js", minilm_site / "language.js")
    page = open_page(minilm_site, "?backend=wasm")
    page.wait_until_ready()
    judge = """async (texts) => {
        const { isKnownLanguage } = await import("./language.js");
        return Promise.all(texts.map((text) => isKnownLanguage(text, (each) => window.kit.countTokens(each))));
    }"""
    folder = models_folder() / "rag"
    asked = json.loads((folder / "questions.json").read_text(encoding="utf-8"))
    english = [question for question, *_ in asked["questions"]] + asked["off_topic"]
    documents = [path.read_text(encoding="utf-8") for path in (folder / "samples").iterdir()]
    codes = ["what is splitmix64?", "how do I use Maratyszcza", "what is convert_hf_to_gguf.py?", "where is addSchema"]
    assert all(page.js(judge, english + documents + codes))
    for language, texts in json.loads((folder / "languages.json").read_text(encoding="utf-8")).items():
        assert page.js(judge, texts) == [False] * len(texts), language


def test_a_full_storage_is_told_and_what_is_there_can_be_searched(page: WatchedPage) -> None:
    cdp = page.page.context.new_cdp_session(page.page)
    cdp.send("Storage.overrideQuotaForOrigin", {"origin": page.origin, "quotaSize": 1000})
    add_files(page, ("sea.txt", b"The sea is wide. " * 2000), expect=1)
    assert "This browser's storage is full: what was just added is lost when you leave." in read_problems(page)
    search(page, "the wide sea")
    page.page.reload()
    open_library(page)
    assert page.js(SHOWN) == 0


CHANGE_MODEL = """async () => {
    const open = indexedDB.open("webgpu-kit-search");
    await new Promise((resolve) => (open.onsuccess = resolve));
    const store = open.result.transaction("collections", "readwrite").objectStore("collections");
    const all = store.getAll();
    await new Promise((resolve) => (all.onsuccess = resolve));
    const old = { name: "old", sha256: "0".repeat(64) };
    for (const each of all.result) store.put({ ...each, model: { ...each.model, ...old } });
    await new Promise((resolve) => (store.transaction.oncomplete = resolve));
    open.result.close();
}"""


def test_an_index_that_another_version_of_the_model_made_is_offered_anew(page: WatchedPage) -> None:
    add_files(page, ("cat.txt", b"The cat sleeps."), expect=1)
    page.js(CHANGE_MODEL)
    page.page.reload()
    open_library(page)
    problem = read_problems(page)
    assert '"My files" was made with the model old (00000000); this page has encoder (' in problem
    assert 'Add them here again, or delete "My files" to make room.' in problem
    assert page.js("document.querySelector('#collection').value") == "My files, anew" and page.js(SHOWN) == 0
    add_files(page, ("cat.txt", b"The cat sleeps."), expect=1)
    options = page.page.locator("#collection option").all_text_contents()
    assert options == ["My files, anew", "My files (of another model)"]


def test_only_the_search_page_carries_the_pdf_reader(rag_site: Path, built_digits: Path) -> None:
    carried = sum(path.stat().st_size for path in (rag_site / "runtime" / "pdfjs").rglob("*") if path.is_file())
    assert 3_000_000 < carried < 6_000_000
    assert not (built_digits / "runtime" / "pdfjs").exists()
