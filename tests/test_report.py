"""Reports: what they mean, and how they are written for programs, people and continuous integration."""

import json
import math
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest

from webgpu_kit.browser import find_browser, launch
from webgpu_kit.errors import CheckError
from webgpu_kit.manifest import Tools
from webgpu_kit.report import (
    Adapter,
    AskedEntry,
    AskEntry,
    BenchReport,
    BrowserEntry,
    CheckReport,
    DoctorItem,
    DoctorReport,
    MarkEntry,
    PageEntry,
    PairEntry,
    ParityEntry,
    Picture,
    Problem,
    RetrievalEntry,
    SearchEntry,
    SiteEntry,
    Verdict,
    WorldEntry,
)
from webgpu_kit.report.files import write_report
from webgpu_kit.report.html import bar_share, format_bytes, format_margin, format_ms, render_html
from webgpu_kit.report.junit import render_junit
from webgpu_kit.report.search import MovedEntry, RankingEntry, RelevanceEntry, Score
from webgpu_kit.report.variants import VariantLine, list_variants
from webgpu_kit.site_file import read_site
from webgpu_kit.tables import print_check

NASTY = "</script><script>alert('x')</script> \"quoted\" \u2028 & <b>bold</b>"
# A real PNG: 1 x 1, grey.
PNG = bytes.fromhex(
    "89504e470d0a1a0a0000000d4948445200000001000000010800000000"
    "3a7e9b550000000a49444154789c6368000000820081a3b1c4de0000000049454e44ae426082"
)


def make_pair(verdict: str = "passed", **fields: object) -> PairEntry:
    parity = ParityEntry(
        metric="probability_error", value=1e-6, threshold=0.01, max_abs_error=1e-6, by_sample=[0, 1e-6]
    )
    page = PageEntry(
        url="/?backend=wasm", status="done", backend="wasm", variant="q8", load_ms=1234.5, run_ms=[9, 2, 3]
    )
    values = {"variant": "q8", "backend": "wasm", "verdict": verdict, "parity": parity, "page": page, **fields}
    return PairEntry.model_validate({**values, "samples_run": 2, "samples_total": 2})


def make_report(*pairs: PairEntry, strict: bool = False, title: str = "Draw a digit") -> CheckReport:
    tools = Tools(webgpu_kit="1", onnx="1", onnxruntime="1", onnxruntime_web="1", exporter="none")
    adapter = Adapter(vendor="google", architecture="swiftshader", software=True)
    return CheckReport(
        started="2026-01-02T03:04:05+00:00",
        duration_s=12.5,
        machine="a machine",
        webgpu_kit="1",
        strict=strict,
        site=SiteEntry(path="site", name="digits", title=title, task="image-classification", source="x", tools=tools),
        browser=BrowserEntry(
            name="chromium", version="1", executable="", headed=False, flags=[], webgpu="software", adapter=adapter
        ),
        pairs=list(pairs),
        worlds=[WorldEntry(name="no-webgpu", title="Without WebGPU", verdict="passed")],
    )


@pytest.mark.parametrize(
    ("verdicts", "strict", "ok"),
    [
        (["passed"], False, True),
        (["passed", "failed"], False, False),
        (["passed", "not-verified"], False, True),
        (["passed", "not-verified"], True, False),
        (["not-verified"], False, False),
        (["failed"], True, False),
    ],
)
def test_ok_needs_a_proof_and_no_failure(verdicts: list[str], strict: bool, ok: bool) -> None:
    report = make_report(*map(make_pair, verdicts), strict=strict)
    assert report.ok is ok
    assert report.exit_code == (0 if ok else 1)


def test_a_failed_world_fails_the_report() -> None:
    report = make_report(make_pair())
    report.worlds[0].verdict = "failed"
    assert not report.ok
    assert report.verdict == '"Draw a digit" is not right: 1 of 2 checks failed.'


def test_json_comes_back_as_it_was_and_says_the_verdict() -> None:
    report = make_report(make_pair(), make_pair("failed", reason="why"))
    text = report.model_dump_json()
    facts = json.loads(text)
    assert facts["ok"] is False
    assert facts["schema"] == 1
    assert facts["verdict"].startswith('"Draw a digit" is not right')
    assert CheckReport.model_validate_json(text) == report


def test_infinite_errors_are_null_and_never_good() -> None:
    parity = ParityEntry(metric="m", value=None, threshold=1, max_abs_error=None, by_sample=[None])
    assert not parity.good
    assert json.loads(parity.model_dump_json())["value"] is None
    assert bar_share(None, 1) == 1
    assert format_margin(parity) == "not comparable"


@pytest.mark.parametrize("model", [CheckReport, BenchReport, DoctorReport])
def test_every_report_has_a_json_schema(model: type) -> None:
    schema = model.model_json_schema(mode="serialization")
    assert {"schema", "kind", "ok"} <= set(schema["properties"])


def make_search(verdict: Verdict = "passed", **fields: Any) -> SearchEntry:
    scores = [Score(recall_at_5=0.975, mrr=0.883), Score(recall_at_5=0.981, mrr=0.891)]
    rankings = [RankingEntry(by="meaning", page=scores[0], original=scores[1], lost=0.008)]
    relevance = [RelevanceEntry(half="held-out", answered=52, with_answer=52, refused=18, off_topic=20)]
    moved = [MovedEntry(question=NASTY, by="meaning", place=0, original_place=5)]
    retrieval = RetrievalEntry(
        origin="torch", passages=65, asked=40, questions=160, rankings=rankings, relevance=relevance, moved=moved
    )
    values = {
        "model": "minilm",
        "variant": "q8",
        "backend": "webgpu",
        "retrieval": retrieval,
        "page": PageEntry(url="/"),
    }
    return SearchEntry.model_validate({**values, "verdict": verdict, **fields})


def test_a_search_is_told_with_its_figures_and_fails_the_report(capsys: pytest.CaptureFixture[str]) -> None:
    report = make_report(make_pair())
    report.searches = [make_search(), make_search("not-verified", retrieval=None, page=None, reason="no adapter")]
    assert report.ok and CheckReport.model_validate_json(report.model_dump_json()) == report
    html = render_html(report)
    for words in (
        "0.975",
        "0.981",
        "40 of 160 questions over 65 passages (as many as there was time for",
        "beyond sight",
    ):
        assert words in html
    assert "52 of 52 answered and 18 of 20 off topic refused (held-out)" in html and NASTY not in html
    print_check(report, Path("report"))
    shown = capsys.readouterr().out
    assert "0.8 of 1" in shown and "40 of 160" in shown and "not measured" not in shown
    report.searches[0].verdict = "failed"
    assert not report.ok and "search: minilm q8 on webgpu" in render_junit(report).decode()


def test_what_was_asked_is_told_with_where_its_numbers_lead(capsys: pytest.CaptureFixture[str]) -> None:
    marks = [MarkEntry(number=1, sentence="It rests.", document="bread.md", marked=f"{NASTY} It rests an hour.")] * 2
    about = AskedEntry(asked="How long?", ending="answered", answer="It rests. [1]", model="q4 on wasm", marks=marks)
    other = AskedEntry(asked="Who won?", ending="refused", note="Nothing is about that.")
    ask = AskEntry(model="minilm", variant="q8", backend="wasm", verdict="passed", answers=[other, about])
    ask.page = PageEntry(url="/", pictures=[Picture(title="the place in the document", file="a-1.png", png=PNG)])
    report = make_report(make_pair())
    report.asks = [ask]
    html = render_html(report)
    assert html.count("opens <b>bread.md</b>") == 1 and "Nothing is about that." in html and NASTY not in html
    assert "asking: minilm q8 on wasm: the place in the document" in html
    assert CheckReport.model_validate_json(report.model_dump_json()).asks[0].answers == ask.answers
    print_check(report, Path("report"))
    assert "(1) bread.md" in capsys.readouterr().out
    ask.verdict = "failed"
    assert not report.ok and "asking: minilm q8 on wasm" in render_junit(report).decode()


def test_a_search_without_questions_is_said_to_be_unmeasured(capsys: pytest.CaptureFixture[str]) -> None:
    report = make_report(make_pair())
    report.site.task = "rag"
    print_check(report, Path("report"))
    assert "the recipe names no `questions`" in capsys.readouterr().out
    assert "the recipe names no <code>questions</code>" in render_html(report)


def test_screenshots_stay_out_of_the_json() -> None:
    pair = make_pair()
    assert pair.page
    pair.page.screenshot_png = PNG
    assert "screenshot_png" not in make_report(pair).model_dump_json()


def test_doctor_is_ok_without_optional_things() -> None:
    items = [DoctorItem(name="a", state="ok", found=""), DoctorItem(name="b", state="optional", found="")]
    assert DoctorReport(machine="m", items=items).ok
    assert not DoctorReport(machine="m", items=[DoctorItem(name="c", state="missing", found="")]).ok


def test_writes_three_files_and_screenshots_and_touches_nothing_else(tmp_path: Path) -> None:
    folder = tmp_path / "a" / "report"
    folder.mkdir(parents=True)
    (folder / "mine.txt").write_text("mine")
    pair = make_pair()
    assert pair.page
    pair.page.screenshot, pair.page.screenshot_png = "q8-wasm.png", PNG
    written = write_report(make_report(pair), folder)
    assert written == folder / "report.html"
    names = {path.name for path in folder.iterdir()}
    assert names == {"report.json", "report.html", "junit.xml", "q8-wasm.png", "mine.txt"}
    assert (folder / "mine.txt").read_text() == "mine"
    assert (folder / "q8-wasm.png").read_bytes() == PNG


def test_a_file_in_place_of_the_folder_is_an_error(tmp_path: Path) -> None:
    path = tmp_path / "report"
    path.write_text("not a folder")
    with pytest.raises(CheckError, match="this is a file"):
        write_report(make_report(make_pair()), path)
    with pytest.raises(CheckError, match="cannot be written"):
        write_report(make_report(make_pair()), path / "deeper")
    assert path.read_text() == "not a folder"


def test_junit_has_a_case_for_each_pair_and_world() -> None:
    problem = Problem(kind="console", text="bad\x00byte \x1b[31m")
    failed = make_pair("failed", reason="wrong \x07 answer", page=PageEntry(url="/", problems=[problem]))
    document = render_junit(make_report(make_pair(), failed, make_pair("not-verified", reason="no adapter")))
    suite = ElementTree.fromstring(document).find("testsuite")
    assert suite is not None
    assert {key: suite.get(key) for key in ("tests", "failures", "skipped")} == {
        "tests": "4",
        "failures": "1",
        "skipped": "1",
    }
    cases = suite.findall("testcase")
    assert [case.get("name") for case in cases] == ["q8 on wasm"] * 3 + ["Without WebGPU"]
    failure = cases[1].find("failure")
    assert failure is not None
    assert "console: bad\ufffdbyte" in (failure.text or "")
    skipped = cases[2].find("skipped")
    assert skipped is not None
    assert skipped.get("message") == "no adapter"


def test_junit_of_a_strict_check_fails_what_was_not_verified() -> None:
    document = render_junit(make_report(make_pair("not-verified", reason="no adapter"), strict=True))
    suite = ElementTree.fromstring(document).find("testsuite")
    assert suite is not None
    assert (suite.get("failures"), suite.get("skipped")) == ("1", "0")


def test_html_escapes_whatever_a_page_says() -> None:
    page = PageEntry(url=f"/?{NASTY}", reason=NASTY, problems=[Problem(kind="console", text=NASTY)], warnings=[NASTY])
    page.attempts = [{"variant": NASTY, "backend": "webgpu", "ok": False, "reason": NASTY}]
    html = render_html(make_report(make_pair("failed", reason=NASTY, page=page), title=NASTY))
    assert "<script" not in html
    assert "<b>bold" not in html
    assert "&lt;script&gt;" in html


def test_html_is_one_quiet_file_that_fits_a_phone(tmp_path: Path) -> None:
    pair = make_pair("failed", reason="a-very-long-word-without-any-place-to-break-" * 8)
    assert pair.page
    pair.page.screenshot, pair.page.screenshot_png = "shot.png", PNG
    pair.page.problems = [Problem(kind="request", text="GET /" + "x" * 500)]
    report = write_report(make_report(pair, make_pair("not-verified", page=None, parity=None)), tmp_path)
    seen: list[str] = []
    with launch(find_browser(), webgpu="none") as browser:
        page = browser.new_page(viewport={"width": 390, "height": 800})
        page.on("console", lambda message: seen.append(message.text))
        page.on("request", lambda request: seen.append(request.url) if "file:" not in request.url[:5] else None)
        page.goto(report.as_uri())
        assert page.evaluate("document.documentElement.scrollWidth") <= 390
        assert page.locator("h1").inner_text() == '"Draw a digit" is not right: 1 of 3 checks failed.'
        assert page.evaluate("document.images.length && [...document.images].every((image) => image.naturalWidth)")
    assert [text for text in seen if not text.startswith("data:image/png")] == []


@pytest.mark.parametrize(
    ("value", "share"), [(0.0, 0.02), (1e-30, 0.02), (0.01, 0.8), (0.1, 0.92), (1e9, 1.0), (math.inf, 1.0)]
)
def test_bars_are_logarithmic_with_the_threshold_in_one_place(value: float, share: float) -> None:
    assert bar_share(value, 0.01) == pytest.approx(share)


def test_numbers_for_people() -> None:
    assert [format_bytes(size) for size in (12, 4_321, 2_936_423)] == ["12 B", "4 kB", "2.9 MB"]
    assert [format_ms(time) for time in (None, 1.23, 1234.0, 12345.0)] == ["-", "1.2 ms", "1,234 ms", "12.3 s"]
    good = ParityEntry(metric="m", value=0.001, threshold=0.01, max_abs_error=0)
    assert format_margin(good) == "10x inside"
    assert format_margin(good.model_copy(update={"value": 0.2})) == "20x beyond"


ON_TEXT = {
    "kl_divergence": 0.0312,
    "largest_kl_divergence": 0.05,
    "top1_agreement": 0.931,
    "least_top1_agreement": 0.9,
    "perplexity_ratio": 1.021,
    "positions": 511,
}


def make_line(name: str, **fields: object) -> VariantLine:
    known = {"dtype": name, "download_bytes": 99_100_000, "metric": "kl_divergence", "value": 6e-11, "threshold": 1e-3}
    return VariantLine.model_validate({"name": name, **known, **fields})


def test_the_report_says_how_each_variant_was_made() -> None:
    report = make_report(make_pair())
    assert "How they were made" not in render_html(report)
    method = "searched scales, 8 bits in 6 of 211 <matrices>"
    report.site.variants = [make_line("q4", method=method, details=ON_TEXT), make_line("fp32")]
    html = render_html(report)
    assert "searched scales, 8 bits in 6 of 211 &lt;matrices&gt;" in html and "99.1 MB" in html
    assert "kl divergence 6e-11 (at most 0.001)" in html
    for words in ("KL on text", "Top-1", "Perplexity", "0.031 of 0.05", "93.1% (at least 90%)", "x1.021"):
        assert words in html
    assert CheckReport.model_validate_json(report.model_dump_json()).site.variants == report.site.variants
    report.site.variants = [make_line("fp32")]
    assert "KL on text" not in render_html(report)


def test_variants_are_listed_as_their_manifest_has_them(built_digits: Path) -> None:
    [manifest] = [bundle.manifest for bundle in read_site(built_digits).bundles]
    lines = list_variants([manifest])
    assert [line.name for line in lines] == [variant.name for variant in manifest.variants]
    assert all(line.method == entry.parity.method for line, entry in zip(lines, manifest.variants, strict=True))
    assert any(line.method for line in lines) and not any(line.model for line in lines)
