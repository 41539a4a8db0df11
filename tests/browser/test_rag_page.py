"""The search page: two models in one site, files of every kind, and an index that stays."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from playwright.sync_api import Browser

import webgpu_kit
from browser.conftest import Serve
from browser.looks import STICKS_OUT, TOO_FAINT, TOO_SMALL
from browser.rag_sites import QUESTIONS, SHOWN, STORY, add_files, open_library, read_problems, write_recipe
from browser.watched_page import WatchedPage, watch_page
from webgpu_kit.bench.native import read_sample
from webgpu_kit.browser import find_browser, open_browser, run_to_end
from webgpu_kit.browser.page import open_context
from webgpu_kit.browser.patience import Patience
from webgpu_kit.check import check_site
from webgpu_kit.check.asking import is_same_text
from webgpu_kit.check.proof import AskOutcome, Demand, prove_asking
from webgpu_kit.errors import RecipeError
from webgpu_kit.golden_file import read_golden
from webgpu_kit.index import index_documents
from webgpu_kit.manifest import read_site_manifest
from webgpu_kit.questions import read_recorded
from webgpu_kit.serve import serve_in_background
from webgpu_kit.site_file import read_site
from webgpu_kit.site_graph import open_session

ABOUT = [question for question, *_ in [*QUESTIONS["questions"], *QUESTIONS["held_out"]["questions"]]]
OTHERS = [*QUESTIONS["off_topic"], *QUESTIONS["held_out"]["off_topic"]]
EMBED = """async (options) => {
    try { return await window.kit.embeddings.create(options); }
    catch (error) { return { refused: error.message, code: error.code }; }
}"""


@pytest.fixture
def page(browser: Browser, serve: Serve, rag_site: Path) -> Iterator[WatchedPage]:
    with watch_page(browser, f"{serve(rag_site)}/?backend=wasm") as page:
        open_library(page)
        yield page


def test_the_bundles_share_one_folder_of_chunks_and_each_has_its_manifest(rag_site: Path) -> None:
    whole = read_site_manifest(rag_site)
    assert whole and [(entry.role, entry.name) for entry in whole.bundles] == [
        ("embed", "encoder"),
        ("chat", "speaker"),
    ]
    for bundle in read_site(rag_site).bundles:
        chunks = [chunk for file in bundle.manifest.assets for chunk in file.chunks]
        assert chunks and all(chunk.path.startswith("../chunks/") for chunk in chunks)
        assert all((bundle.path / chunk.path).is_file() for chunk in chunks)
    assert whole.questions and whole.questions.count == 6
    names = {path.name for path in (rag_site / "model").iterdir()}
    assert names - {f"{whole.questions.path}.gz"} == {
        *("chunks", "encoder", "manifest.json", "speaker"),
        whole.questions.path,
    }


def test_check_proves_models_search_and_answers_also_beside_an_index_that_came_with_the_page(
    rag_site: Path, spoil: Callable[[Path], Path]
) -> None:
    site = spoil(rag_site)
    index_documents(site / "samples", site, name="Manual", progress=lambda line: None)
    variants = ["fp32", read_site(rag_site).bundles[1].manifest.variants[0].name]
    report = check_site(site, backends=("wasm",), variants=variants, worlds=False)
    assert {(pair.model, pair.verdict) for pair in report.pairs} == {("encoder", "passed"), ("speaker", "passed")}
    assert all(f"model={pair.model}&" in pair.page.url for pair in report.pairs if pair.page)
    (search,) = report.searches
    assert search.verdict == "passed", search.reason
    found = search.retrieval
    assert found and (found.passages, found.asked, found.questions) == (3, 6, 6)
    assert [ranking.by for ranking in found.rankings] == ["meaning", "meaning and words"]
    for ranking in found.rankings:
        assert ranking.page == ranking.original and ranking.lost == 0
        assert ranking.page.recall_at_5 == 1 and 1 / 3 <= ranking.page.mrr <= 1
    halves = [(each.half, each.with_answer, each.off_topic) for each in found.relevance]
    assert halves == [("tuning", 3, 1), ("held-out", 1, 1)]
    assert search.page and search.page.screenshot_png and "model=" not in search.page.url
    (ask,) = report.asks
    assert ask.verdict == "passed", ask.reason
    # Everything is near to everything for a model of random weights, so the other question is answered as well.
    other, about = ask.answers
    assert (other.asked, about.asked) in {(one, two) for one in OTHERS for two in ABOUT}
    assert about.ending == "answered" and about.model.endswith(" on wasm") and about.drafts > 1
    assert about.marks and about.marks[0].document == about.passages[about.marks[0].number - 1]
    recorded = read_recorded(read_site(rag_site))
    assert recorded and any(is_same_text(about.marks[0].marked, text) for _, text in recorded.passages)
    assert (
        ask.page
        and ask.page.phone_screenshot_png
        and [each.title for each in ask.page.pictures] == ["the place in the document"]
    )


def test_check_fails_a_page_that_answers_what_it_should_not_or_leads_nowhere(
    rag_site: Path, spoil: Callable[[Path], Path]
) -> None:
    site = spoil(rag_site)
    path = site / "relevance.js"
    right = path.read_text(encoding="utf-8")
    replace_text(path, right.replace("leastScore = 0.27", "leastScore = 2"))
    outcome = ask_page(site)
    assert outcome.verdict == "failed" and "the page says 'Nothing in these files is about that" in outcome.reason
    replace_text(path, right)
    view = site / "answer-view.js"
    replace_text(view, view.read_text(encoding="utf-8").replace("this.#open(passages[place])", "this.#open"))
    outcome = ask_page(site, stall_s=2)
    assert outcome.verdict == "failed" and "the mark in the document '' is missing for 2 s" in outcome.reason


def replace_text(path: Path, text: str) -> None:
    """The site's own packed copies of it go."""
    for each in path.parent.glob(f"{path.name}*"):
        each.unlink()
    path.write_text(text, encoding="utf-8")


def ask_page(site: Path, stall_s: float = 20) -> AskOutcome:
    """What `check` does to see it answer, and nothing else."""
    questions = read_recorded(read_site(site))
    assert questions

    async def work(origin: str) -> AskOutcome:
        demand, patience = Demand("/?backend=wasm", "wasm", 2), Patience(stall_s=stall_s)
        async with (
            open_browser(find_browser(), webgpu="none") as opened,
            open_context(opened.browser, origin) as context,
        ):
            return await prove_asking(context, origin, demand, questions, patience, print)

    with serve_in_background(site) as origin:
        return run_to_end(work(origin))


def test_models_that_do_not_fit_the_task_are_refused(tmp_path: Path) -> None:
    with pytest.raises(RecipeError, match=r"\[models\] has `embed`, the task 'rag' takes `embed`, `chat`"):
        webgpu_kit.build(write_recipe(tmp_path, 'embed = "minilm"'), out=tmp_path / "site")


def test_embeddings_are_openais(page: WatchedPage) -> None:
    both = page.js(EMBED, {"input": ["the cat", "the sea and a much longer sentence about the dog"]})
    assert "refused" not in both, both
    assert [each["index"] for each in both["data"]] == [0, 1] and both["object"] == "list"
    alone = page.js(EMBED, {"input": "the cat"})
    assert both["data"][0]["embedding"] == pytest.approx(alone["data"][0]["embedding"], abs=1e-5)
    assert sum(value * value for value in alone["data"][0]["embedding"]) == pytest.approx(1, abs=1e-4)
    assert page.js(EMBED, {"input": "cat " * 200})["code"] == "context-full"


def test_wasm_multiplies_integers_as_native_onnxruntime_does(page: WatchedPage, rag_site: Path, tmp_path: Path) -> None:
    bundle = next(bundle for bundle in read_site(rag_site).bundles if bundle.manifest.name == "encoder")
    entry = bundle.manifest.variants[0]
    assert entry.dtype == "q8" and "8-bit integer products on wasm" in entry.parity.method
    assert {step.dtype for step in entry.graphs["wasm"].expand if step.row_scales} == {"uint8"}
    assert all(step.row_scales is None for step in entry.graphs["webgpu"].expand)
    session = open_session(bundle, entry, tmp_path, threads=1)
    samples = [read_sample(bundle, sample) for sample in read_golden(bundle).samples]
    for sample in samples:
        native = session.run(["embedding"], sample.feeds)[0]
        given = page.js(
            "async (text) => (await kit.run({ text })).embeddings.map((row) => [...row])", sample.input["text"]
        )
        cosines = (native * np.asarray(given)).sum(axis=1)
        assert cosines == pytest.approx(1, abs=2e-5)


def test_a_file_is_found_asked_about_and_opened_at_its_place(page: WatchedPage) -> None:
    page.page.fill("#question", "cat?")
    page.page.keyboard.press("Enter")
    assert page.until("document.querySelector('#answer-note').textContent").startswith("There are no files")
    page.page.click("#add-samples")
    page.until(f"{SHOWN} === 2")
    page.page.fill("#question", "the cat sleeps in the sun")
    page.until("document.querySelectorAll('.passage').length === 3")
    page.page.keyboard.press("Enter")
    # Two questions at once: the newer one is answered.
    page.page.fill("#question", "the wide sea")
    page.page.keyboard.press("Enter")
    page.until("/tokens a second|Stopped/.test(document.querySelector('#answer-note').textContent)")
    assert page.text("#answer-question") == "the wide sea" and page.text("#answer-text").strip()
    page.page.locator(".passage", has_text="sleeps").click()
    assert page.page.locator("#reader mark").all_text_contents()[0] == "The cat"


def test_a_question_takes_the_place_of_the_answer_before_it_whatever_comes_of_it(page: WatchedPage) -> None:
    note = "document.querySelector('#answer-note').textContent"
    assert not page.page.locator("#suggestions").count(), "this recipe has none"
    add_files(page, ("story.md", STORY.encode()), expect=1)
    page.page.fill("#question", "the cat sleeps in the sun")
    page.page.keyboard.press("Enter")
    page.until("document.querySelector('#answer-stop:not([hidden])')")
    page.page.click("#answer-stop")  # it may still be fetching the model
    assert page.until(f"/Stopped|tokens a second/.test({note}) && {note}")
    page.page.keyboard.press("Enter")
    # A document that goes while its answer comes: the number that led there says so.
    page.page.fill("#question", "the wide sea")
    page.page.locator("#question").press("Enter")
    page.until(f"/tokens a second/.test({note})")
    page.page.click(".document .remove")
    page.until(f"{SHOWN} === 0")
    page.page.locator("#answer-text .cite").first.click()
    page.until("/story.md is not in this collection any more/.test(document.querySelector('#asking-note').textContent)")
    # Without a file there is no answer, and nothing of the one before comes into its place.
    page.page.locator("#question").press("Enter")
    assert page.until(note).startswith("There are no files")
    add_files(page, ("sea.txt", b"The sea is wide."), expect=1)
    page.until("document.querySelector('#answer').hidden")


def test_a_collection_has_the_name_that_it_is_given(page: WatchedPage) -> None:
    is_open = "document.querySelector('#collection').value === "
    page.page.locator("details.collection summary").click()
    for shown in ("Letters", "Letters 2"):
        page.page.once("dialog", lambda dialog: dialog.accept("Letters"))
        page.page.click("#collection-new")
        page.until(f"{is_open}'{shown}'")
        add_files(page, ("a.txt", b"A dog barks."), expect=1)
    page.page.once("dialog", lambda dialog: dialog.dismiss())
    page.page.click("#collection-new")
    assert page.js(f"{is_open}'Letters 2'") and page.js(SHOWN) == 1


def test_the_keyboard_keeps_its_place_when_documents_go(page: WatchedPage) -> None:
    add_files(page, ("a.txt", b"A dog barks."), ("b.txt", b"The cat sleeps."), expect=2)
    focused = "document.activeElement.getAttribute('aria-label') ?? document.activeElement.id"
    page.page.focus(".document .remove")
    page.page.keyboard.press("Enter")
    page.until(f"{SHOWN} === 1")
    assert page.js(focused) == "Remove b.txt"
    page.page.keyboard.press("Enter")
    page.until(f"{SHOWN} === 0")
    assert page.js(focused) == "choose-files"


def test_a_collection_that_is_left_takes_no_more_files(page: WatchedPage) -> None:
    page.page.on("dialog", lambda dialog: dialog.accept())
    many = [(f"{number}.txt", b"The sea is wide. A ship sails on it. " * 200) for number in range(40)]
    payload = [{"name": name, "mimeType": "", "buffer": content} for name, content in many]
    page.page.set_input_files("#files", payload)  # type: ignore[arg-type]
    page.until(f"{SHOWN} > 1")
    leave = "!dispatchEvent(new Event('beforeunload', { cancelable: true }))"
    assert page.js(leave), "whoever leaves in the middle is asked"
    page.page.locator("details.collection summary").click()
    page.page.click("#collection-delete")
    page.until(f"document.querySelector('#indexing').hidden && {SHOWN} === 0")
    add_files(page, ("cat.txt", b"The cat sleeps."), expect=1)
    assert not page.js(leave)
    page.page.reload()
    open_library(page)
    page.until(f"{SHOWN} === 1")


def test_what_is_hidden_in_a_folder_is_left_alone(page: WatchedPage, tmp_path: Path) -> None:
    for name in ("docs/a.md", "docs/sub/b.txt", "docs/.git/config", "docs/.hidden.md"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text("Apples grow on trees.", encoding="utf-8")
    page.page.set_input_files("#folder", str(tmp_path / "docs"))
    page.until(f"{SHOWN} === 2 && document.querySelector('#indexing').hidden")
    assert page.page.locator(".document-name").all_text_contents() == ["docs/a.md", "docs/sub/b.txt"]


def test_the_index_is_there_after_a_reload_until_it_is_deleted(page: WatchedPage) -> None:
    add_files(page, ("a.txt", b"A dog barks. "), ("b.html", b"<p>Hello <b>sea</b></p><script>1</script>"), expect=2)
    page.page.reload()
    page.wait_until_ready()
    page.until(f"{SHOWN} === 2")
    page.page.locator("details.collection summary").click()
    with page.page.expect_download() as download:
        page.page.click("#collection-export")
    kept = Path(download.value.path()).read_bytes()
    page.page.on("dialog", lambda dialog: dialog.accept())
    page.page.click("#collection-delete")
    page.until(f"{SHOWN} === 0")
    page.page.set_input_files("#import-file", {"name": "x.wgkindex", "mimeType": "", "buffer": kept})
    page.until(f"{SHOWN} === 2")
    page.page.click(".document .remove")
    page.until(f"{SHOWN} === 1")


def test_an_index_of_another_model_is_not_mixed_in(page: WatchedPage) -> None:
    header = {
        "format": 1,
        "name": "old",
        "model": {"name": "old", "sha256": "0" * 64, "variant": "q8", "dimensions": 32},
        "documents": [],
    }
    text = json.dumps(header).encode()
    content = b"WGKINDEX" + len(text).to_bytes(4, "little") + text + b"\0" * (-(12 + len(text)) % 4)
    page.page.set_input_files("#import-file", {"name": "x.wgkindex", "mimeType": "", "buffer": content})
    assert "was made with the model old" in read_problems(page) and page.js(SHOWN) == 0


@pytest.mark.parametrize(("width", "scheme"), [(320, "dark"), (390, "light")])
def test_it_fits_a_phone(browser: Browser, serve: Serve, rag_site: Path, width: int, scheme: str) -> None:
    phone = {"viewport": {"width": width, "height": 700}, "is_mobile": True, "has_touch": True, "color_scheme": scheme}
    with watch_page(browser, f"{serve(rag_site)}/?backend=wasm", **phone) as page:
        page.wait_until_ready()
        page.until("document.querySelector('#collection').options.length > 0")
        name = "a_long_name_" * 8 + ".md"
        add_files(page, (name, (STORY + "word" * 100).encode()), expect=1)
        assert page.js(STICKS_OUT) == [], "what is said of a file"
        page.page.fill("#question", "cat?")
        page.page.keyboard.press("Enter")
        page.until("document.querySelectorAll('.passage').length > 0")
        # While the answer grows, it pushes away what is below it.
        page.until("/tokens a second|Stopped/.test(document.querySelector('#answer-note').textContent)")
        page.page.locator("summary").click()
        assert page.js(STICKS_OUT) == [] and page.js(TOO_FAINT) == [] and page.js(TOO_SMALL) == []
        page.page.locator(".passage").first.click()
        page.until("document.querySelector('#reader').open")
        assert page.js(STICKS_OUT) == [] and page.js(TOO_FAINT) == [] and page.js(TOO_SMALL) == []
