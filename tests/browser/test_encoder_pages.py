"""The pages of the text tasks with small real models: what they show is what `kit.run` gives, as it is typed."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, expect

from browser.conftest import FindSite, OpenPage, Serve
from browser.looks import STICKS_OUT, TOO_FAINT, TOO_SMALL
from browser.test_fluidity import check
from browser.test_layout import WIDTH
from browser.watched_page import WatchedPage
from webgpu_kit.recipe import TaskName

pytest.importorskip("torch")

from browser.encoder_sites import MODELS

NASTY = "<img src=x onerror=alert(1)> Anna\u2028 in \U0001f600 Paris </script>\n\nand e\u0301 so on "
OpenTask = Callable[[TaskName], WatchedPage]


@pytest.fixture
def open_task(open_page: OpenPage, find_encoder_site: FindSite) -> OpenTask:
    def open_task(task: TaskName) -> WatchedPage:
        page = open_page(find_encoder_site(task), "?backend=wasm")
        page.wait_until_ready()
        return page

    return open_task


def ask(page: WatchedPage, given: dict[str, Any]) -> dict[str, Any]:
    answer: dict[str, Any] = page.js(
        "async (given) => { const { outputs, ...answer } = await kit.run(given);"
        " return JSON.parse(JSON.stringify(answer, (_, value) => ArrayBuffer.isView(value) ? [...value] : value)); }",
        given,
    )
    return answer


COUNT_ANSWERS = """() => {
    if (window.answered) return;
    window.answered = [];
    const run = kit.run.bind(kit);
    kit.run = async (given, options) => {
        const answer = await run(given, options);
        answered.push(JSON.stringify(given));
        return answer;
    };
}"""


def write(page: WatchedPage, selector: str, text: str) -> None:
    """Type what the page does not start with, and wait until its answer is shown."""
    page.js(COUNT_ANSWERS)
    page.page.locator(selector).fill(text)
    page.until("(text) => answered.some((given) => given.includes(JSON.stringify(text)))", text, why=f"{text!r}")
    page.page.wait_for_timeout(50)  # the page draws it in the same task, the browser a frame later


def read_ranks(page: WatchedPage, root: str = "#ranks") -> list[tuple[str, str]]:
    found: list[list[str]] = page.js(
        "(root) => [...document.querySelectorAll(`${root} .rank`)].map((row) =>"
        " [row.querySelector('.rank-text').textContent, row.querySelector('.rank-value').textContent])",
        root,
    )
    return [(text, value) for text, value in found]


def read_number(text: str) -> float:
    return float(text.replace("\u2212", "-").strip("<> %"))


def check_shares(shown: list[tuple[str, str]], expected: list[tuple[str, float]]) -> None:
    assert [text for text, _ in shown] == [text for text, _ in expected]
    for (_, value), (_, score) in zip(shown, expected, strict=True):
        assert abs(read_number(value) - 100 * score) < 0.11


@pytest.mark.parametrize("text", ["Nobody loves it!", NASTY])
def test_every_label_has_its_bar(open_task: OpenTask, text: str) -> None:
    page = open_task("text-classification")
    write(page, "#text", text)
    results = ask(page, {"text": [text]})["results"][0]
    scores = {each["label"]: each["score"] for each in results}
    labels = ["negative", "<b>neutral", "positive"]
    check_shares(read_ranks(page), [(label, scores[label]) for label in labels])
    assert page.text("#headline") == results[0]["label"]
    page.page.locator("#text").fill("  ")
    expect(page.page.locator("#headline")).to_have_attribute("data-empty", "true")


TABLE = (
    '\ufeffid;review;stars\r\n1;"He said ""no""; and left.";3\r\n2;"two\nlines, one cell";1\r\n'
    '3;=HYPERLINK("x");2\r\n4;   ;5\r\n5;\u00e9t\u00e9 \U0001f600;-1.5\r\n6;I love it!;4'
)


def open_table(page: WatchedPage, name: str, content: bytes) -> None:
    page.page.set_input_files("#batch-file", {"name": name, "mimeType": "text/csv", "buffer": content})


def download(page: WatchedPage) -> list[list[str]]:
    with page.page.expect_download() as waiting:
        page.page.locator("#batch-save").click()
    content = Path(waiting.value.path()).read_bytes()
    assert content.startswith(b"\xef\xbb\xbf") and b"\r\n" in content
    return list(csv.reader(io.StringIO(content.decode("utf-8-sig"), newline="")))


def test_a_table_comes_back_with_its_labels(open_task: OpenTask) -> None:
    page = open_task("text-classification")
    open_table(page, "reviews.csv", TABLE.encode())
    expect(page.page.locator("#batch-column option:checked")).to_have_text("review")
    expect(page.page.locator("#batch-header")).to_be_checked()
    expect(page.page.locator("#batch-state")).to_have_text("1 row without text will get no label.")
    page.page.locator("#batch-start").click()
    expect(page.page.locator("#batch-state")).to_contain_text("5 rows in ")
    texts = [
        'He said "no"; and left.',
        "two\nlines, one cell",
        '=HYPERLINK("x")',
        "\u00e9t\u00e9 \U0001f600",
        "I love it!",
    ]
    answers = [ask(page, {"text": [text]})["results"][0][0] for text in texts]
    rows = download(page)
    assert rows[0] == ["id", "review", "stars", "label", "score"]
    assert [row[1] for row in rows[1:]] == [*texts[:2], "'" + texts[2], "   ", *texts[3:]]
    assert [row[2] for row in rows[1:]] == ["3", "1", "2", "5", "-1.5", "4"]
    assert rows.pop(4)[3:] == ["", ""]
    assert [row[3] for row in rows[1:]] == [answer["label"] for answer in answers]
    for row, answer in zip(rows[1:], answers, strict=True):
        assert abs(float(row[4]) - answer["score"]) < 1e-4
    shown = page.page.locator("#batch-table .row-label").all_text_contents()
    assert [label for label in shown if label] == [answer["label"] for answer in answers]


def test_thousands_of_rows_can_be_stopped_and_gone_on_with(open_task: OpenTask) -> None:
    page = open_task("text-classification")
    open_table(page, "lines.txt", "\n".join(f'Line {n}, "quoted", number {n}' for n in range(3000)).encode("utf-16"))
    assert page.page.locator("#batch-table tr").count() < 60
    page.page.locator("#batch-start").click()
    page.until("Number(document.querySelector('#batch-bar').getAttribute('aria-valuenow')) > 0")
    page.page.locator("#batch-cancel").click()
    expect(page.page.locator("#batch-state")).to_contain_text("Stopped after")
    expect(page.page.locator("#batch-start")).to_contain_text("Go on with")
    rows = download(page)
    done = [row for row in rows[1:] if row[1]]
    assert rows[0] == ["text", "label", "score"] and len(rows) == 3001 and 0 < len(done) < 3000
    page.js("document.querySelector('#batch-scroll').scrollTop = 1e9")
    expect(page.page.locator("#batch-table .row-number").last).to_have_text("3000")
    page.page.locator("#batch-start").click()
    page.until("(done) => Number(document.querySelector('#batch-bar').getAttribute('aria-valuenow')) > done",
               100 * len(done) // 3000)  # fmt: skip
    page.page.locator("#batch-cancel").click()
    expect(page.page.locator("#batch-state")).to_contain_text("Stopped after")


def test_a_row_is_chosen_with_the_keys_and_shown_whole(open_task: OpenTask) -> None:
    page = open_task("text-classification")
    long = "A text that the table cuts off. " * 20
    open_table(page, "rows.csv", "\n".join(["text", *(f"{n} {long}" for n in range(1, 101))]).encode())
    page.until("document.querySelectorAll('#batch-table .row-text').length > 3")
    page.page.locator("#batch-scroll").focus()
    for _ in range(3):
        page.page.keyboard.press("ArrowDown")
    expect(page.page.locator("tr[aria-current]")).to_have_attribute("aria-rowindex", "4")
    expect(page.page.locator("#batch-row-name")).to_have_text("Row 3: no label yet")
    expect(page.page.locator("#batch-row-text")).to_have_text(f"3 {long}".strip())
    page.page.keyboard.press("End")
    expect(page.page.locator("tr[aria-current] .row-number")).to_have_text("100")
    page.page.locator("#batch-start").click()
    page.until("document.querySelector('#batch-state').textContent.includes('100 rows in ')")
    label = page.page.locator("tr[aria-current] .row-label").text_content() or "no label"
    expect(page.page.locator("#batch-row-name")).to_contain_text(f"Row 100: {label}, ")
    assert page.page.locator("#batch-start").is_hidden()
    page.page.locator("#batch-row-try").click()
    expect(page.page.locator("#text")).to_have_value(f"100 {long}")
    page.until("(label) => document.querySelector('#headline').textContent === label", label)


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "has no text in it"),
        (b"\n \r\n", "has no text in it"),
        (b"PK\x03\x04\x00\x00", "is not a text file"),
        (b'a,b\n1,"never closed\n2,c', "has a quote that is never closed"),
    ],
)
def test_a_table_that_cannot_be_taken_says_why(
    open_page: OpenPage, find_encoder_site: FindSite, content: bytes, reason: str
) -> None:
    page = open_page(find_encoder_site("text-classification"), "?backend=wasm")
    open_table(page, "bad.csv", content)
    expect(page.page.locator("#batch-problem")).to_contain_text(f"bad.csv {reason}")
    assert page.page.locator("#batch-work").is_hidden()
    open_table(page, "old.csv", "text\nd\u00e9j\u00e0 vu\n".encode("cp1252"))
    expect(page.page.locator("#batch-table .row-text")).to_have_text("d\u00e9j\u00e0 vu")
    expect(page.page.locator("#batch-problem")).to_have_text("")


READ_MARKS = """() => [...document.querySelectorAll("#under mark")].map((mark) => {
    const range = document.createRange();
    range.setStart(document.querySelector("#under"), 0);
    range.setEndBefore(mark);
    return [range.toString().length, mark.textContent, mark.dataset.group];
})"""


@pytest.mark.parametrize("text", ["Marie Curie never saw Lisbon in March.", NASTY])
def test_entities_are_marked_where_they_are(open_task: OpenTask, text: str) -> None:
    page = open_task("token-classification")
    write(page, "#text", text)
    entities = ask(page, {"text": [text]})["entities"][0]
    found = page.js("(text) => document.querySelector('#text').value === text", text)
    assert found and page.text("#under") == text + "\u200b"
    expected = [
        [each["start"], page.js("([t, a, b]) => t.slice(a, b)", [text, each["start"], each["end"]])]
        for each in entities
    ]
    assert entities, "this model marks something"
    marks = page.js(READ_MARKS)
    assert [mark[:2] for mark in marks] == expected
    assert [mark[2] for mark in marks] == [each["entity_group"] for each in entities]
    chips = page.page.locator(".entity")
    assert chips.count() == len(entities)
    chips.first.click()
    words = page.page.locator(".entity-words").first.text_content()
    assert (
        page.js(
            "(field => field.value.slice(field.selectionStart, field.selectionEnd))(document.querySelector('#text'))"
        )
        == words
    )
    boxes = page.js("['#text', '#under'].map((one) => document.querySelector(one).getBoundingClientRect().toJSON())")
    assert boxes[0] == boxes[1], "the marks lie where the words are"


def test_marks_move_with_their_words(open_task: OpenTask) -> None:
    page = open_task("token-classification")
    write(page, "#text", "Marie Curie never saw Lisbon in March.")
    before = page.js(READ_MARKS)
    page.js("() => { kit.run = () => new Promise(() => {}); }")  # nothing but the typing moves them
    page.page.locator("#text").press("Control+Home")
    page.page.keyboard.type("So ")
    after = page.js(READ_MARKS)
    assert [mark for mark in after if mark[0] > 3] == [[start + 3, *rest] for start, *rest in before if start > 0]


def test_words_for_every_gap(open_task: OpenTask) -> None:
    page = open_task("fill-mask")
    text = "The [MASK] is reading, and Anna [MASK] in the sun."
    write(page, "#text", text)
    fills = ask(page, {"text": [text], "top_k": 8})["fills"][0]
    assert page.page.locator("#gaps .result-part").count() == 2
    for place, fill in enumerate(fills, 1):
        shown = read_ranks(page, f"#gaps .result-part:nth-child({place})")
        check_shares(shown, [(each["token_str"].strip(), each["score"]) for each in fill])
    assert page.page.locator("#under mark").all_text_contents() == ["[MASK]", "[MASK]"]

    word = fills[1][2]["token_str"].strip()
    page.page.locator("#gaps .result-part").nth(1).locator(".rank-text").nth(2).click()
    field = page.page.locator("#text")
    expect(field).to_have_value(text[::-1].replace("[MASK]"[::-1], word.removeprefix("##")[::-1], 1)[::-1])
    expect(page.page.locator("#gaps .result-part")).to_have_count(1)
    page.page.locator("#back").click()
    expect(field).to_have_value(text)


def test_a_gap_is_put_in_and_taken_out_whole(open_task: OpenTask) -> None:
    page = open_task("fill-mask")
    field = page.page.locator("#text")
    field.fill("A cat")
    expect(page.page.locator("#no-gap")).to_be_visible()
    page.page.locator("#insert").click()
    expect(field).to_have_value("A cat [MASK]")
    expect(page.page.locator("#gaps .rank")).to_have_count(8)
    field.press("Backspace")
    expect(field).to_have_value("A cat ")
    expect(page.page.locator("#gaps .rank")).to_have_count(0)


def test_labels_of_the_visitors_own(open_task: OpenTask) -> None:
    page = open_task("zero-shot-classification")
    chips = page.page.locator(".label-chip")
    for _ in range(chips.count()):
        page.page.locator(".label-remove").first.click()
    expect(page.page.locator("#headline")).to_have_attribute("data-empty", "true")
    page.page.locator("#text").fill("Stock markets fell.")
    field = page.page.locator("#label-new")
    field.press_sequentially("money, the <b>sun")
    field.press("Enter")
    field.press_sequentially("money,")  # is there already
    assert page.page.locator(".label-edit").all_text_contents() == ["money", "the <b>sun"]
    given = {"text": "Stock markets fell.", "candidate_labels": ["money", "the <b>sun"]}
    for multi in (False, True):
        page.page.locator("#multi").set_checked(multi, force=True)
        template = "It is about {}, is it not?"
        write(page, "#template", template if multi else "About {}")
        asked = {**given, "hypothesis_template": template if multi else "About {}", "multi_label": multi}
        answer = ask(page, asked)
        check_shares(read_ranks(page), list(zip(answer["labels"], answer["scores"], strict=True)))
    page.page.locator("#template").fill("no place")
    expect(page.page.locator("#template-problem")).to_contain_text("{}")
    field.press("Backspace")
    expect(field).to_have_value("the <b>sun")
    expect(chips).to_have_count(1)


LISTS: dict[TaskName, Callable[[str, list[str]], dict[str, Any]]] = {
    "sentence-similarity": lambda subject, texts: {"source_sentence": subject, "sentences": texts},
    "text-ranking": lambda subject, texts: {"query": subject, "documents": texts},
}


@pytest.mark.parametrize("task", list(LISTS))
def test_a_list_is_put_in_order(open_task: OpenTask, task: TaskName) -> None:
    page = open_task(task)
    page.page.emulate_media(reduced_motion="reduce")
    rows = page.page.locator("#sentences textarea")
    while rows.count() > 1:
        page.page.locator(".remove").last.click()
    rows.first.fill("A cat sleeps on the windowsill.")
    for text in ("Stock markets fell.", NASTY.strip().replace("\n", " ")):
        rows.last.press("Enter")
        rows.last.fill(text)
    write(page, "#subject", "Where does the cat sleep?")
    texts = rows.evaluate_all("(fields) => fields.map(({ value }) => value.trim())")
    answer = ask(page, LISTS[task]("Where does the cat sleep?", texts))
    results = answer.get("results") or [{"index": i, "score": score} for i, score in enumerate(answer["scores"])]
    scores = {texts[each["index"]]: each["score"] for each in results}
    shown = read_ranks(page)
    assert [text for text, _ in shown] == sorted(scores, key=lambda text: -scores[text])
    for text, value in shown:
        assert abs(read_number(value) - scores[text]) < 0.0051
    assert page.js("document.querySelector('#ranks').getAnimations({ subtree: true }).length") == 0
    page.page.locator("#subject").fill("")
    expect(page.page.locator("#ranks .rank")).to_have_count(0)


@pytest.mark.parametrize("task", list(MODELS))
def test_no_page_scrolls_to_the_side(open_page: OpenPage, find_encoder_site: FindSite, task: TaskName) -> None:
    narrow = {"viewport": {"width": WIDTH, "height": 640}, "is_mobile": True, "has_touch": True}
    page = open_page(find_encoder_site(task), "?backend=wasm", **narrow)
    page.wait_until_ready()
    page.wait_for("done")
    assert page.js(STICKS_OUT) == [], "with an answer"
    if task == "text-classification":
        open_table(page, "a_long_name_" * 8 + ".csv", ("text,b\n" + "word" * 200 + ",1\n").encode())
        expect(page.page.locator("#batch-table .row-text")).to_be_visible()
        page.page.locator("#batch-table .row-text").click()
        assert page.js(STICKS_OUT) == [], "with a table"
    for scheme in ("light", "dark"):
        page.page.emulate_media(color_scheme=scheme)
        assert page.js(STICKS_OUT) == [] and page.js(TOO_FAINT) == [] and page.js(TOO_SMALL) == [], scheme


OPEN_LARGE_TABLE = """async () => {
    while (!window.kit) await new Promise((resume) => setTimeout(resume, 50));
    const lines = '1,"A text of a usual length for a review, or a little more",x\\n'.repeat(20000);
    await new Promise((resume) => setTimeout(resume, 100));
    const files = new DataTransfer();
    files.items.add(new File(["id,text,other\\n", lines], "large.csv"));
    const input = document.querySelector("#batch-file");
    input.files = files.files;
    input.dispatchEvent(new Event("change"));
    while (document.querySelectorAll("#batch-table .row-text").length === 0) await new Promise(requestAnimationFrame);
    document.querySelector("#batch-start").click();
    await new Promise((resume) => setTimeout(resume, 700));
    document.querySelector("#batch-cancel").click();
}"""


def test_a_large_table_never_holds_the_page_up(browser: Browser, serve: Serve, find_encoder_site: FindSite) -> None:
    check(browser, serve(find_encoder_site("text-classification")) + "/?backend=wasm", OPEN_LARGE_TABLE)
