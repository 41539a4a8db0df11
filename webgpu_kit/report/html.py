"""A check's report as one HTML file that needs nothing else: no scripts, no network, pictures inside."""

from __future__ import annotations

import base64
import math
import statistics
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from webgpu_kit.report.variants import TEXT_FIGURES, describe_text

if TYPE_CHECKING:
    from webgpu_kit.report import AnyResult, CheckReport, ParityEntry, Verdict

TEMPLATE_NAME = "report.html.jinja"
# A parity bar shows orders of magnitude: its threshold stands at this share of its length.
THRESHOLD_SHARE = 0.8
DECADE_SHARE = 0.12
WORDS = {"passed": "passed", "failed": "failed", "not-verified": "not verified"}


def render_html(report: CheckReport) -> str:
    """The report as a self-contained HTML document."""
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters.update(
        bytes=format_bytes,
        ms=format_ms,
        number=format_number,
        percent=format_percent,
        share=bar_share,
        margin=format_margin,
        picture=embed,
        on_text=describe_text,
    )
    environment.filters["median"] = statistics.median
    return environment.get_template(TEMPLATE_NAME).render(
        report=report,
        words=WORDS,
        threshold_share=THRESHOLD_SHARE,
        text_figures=TEXT_FIGURES if any(variant.details for variant in report.site.variants) else (),
        agreements=describe_agreement(report),
        relevances=describe_relevance(report),
        chats=[result for result in report.pairs if result.page and result.page.chat],
        asked=[result for result in report.asks if result.answers],
        shots=[shot for result in report.results for shot in list_shots(result)],
    )


@dataclass(frozen=True)
class Shot:
    """One picture of a page."""

    title: str
    verdict: Verdict
    png: bytes
    is_phone: bool


def list_shots(result: AnyResult) -> list[Shot]:
    """The pictures of a result's page: as a desktop shows it, then as a phone does."""
    page = result.page
    if page is None:
        return []
    shots = [
        Shot(result.title, result.verdict, page.screenshot_png, False),
        Shot(f"{result.title}, on a phone", result.verdict, page.phone_screenshot_png, True),
    ]
    shots += [Shot(f"{result.title}: {picture.title}", result.verdict, picture.png, False) for picture in page.pictures]
    return [shot for shot in shots if shot.png]


def describe_agreement(report: CheckReport) -> list[str]:
    """How the pages' own greedy answers stand to the original's, in a sentence for each pair that gave one."""
    lines = []
    for pair in report.pairs:
        greedy = pair.agreement.greedy if pair.agreement else None
        if greedy is None:
            continue
        start = f"{pair.title}: left to itself, the page gave"
        if greedy.parting is None:
            lines.append(f"{start} the original's answer, {greedy.agreed} tokens out of {greedy.agreed}.")
        elif greedy.good:
            lines.append(f"{start} the original's first {greedy.agreed} tokens, up to two that are equally likely.")
        else:
            lines.append(f"{start} only the original's first {greedy.agreed} tokens of {greedy.recorded}.")
    return lines


def describe_relevance(report: CheckReport) -> list[str]:
    """How the pages' threshold of relevance did, in a sentence for each search."""
    lines = []
    for search in report.searches:
        entries = search.retrieval.relevance if search.retrieval else []
        parts = [
            f"{entry.answered} of {entry.with_answer} answered and {entry.refused} of {entry.off_topic} off topic "
            f"refused ({entry.half})"
            for entry in entries
        ]
        if parts:
            lines.append(f"{search.title}: {', '.join(parts)}.")
    return lines


def format_percent(value: float) -> str:
    """A share in percent; 100 only where it is all."""
    return "100%" if value == 100 else f"{min(value, 99.9):.1f}%"


def format_bytes(size: int) -> str:
    """Bytes in the unit that people would choose (decimal, as download sizes are told)."""
    if size < 1000:
        return f"{size} B"
    if size < 1_000_000:
        return f"{size / 1000:.0f} kB"
    return f"{size / 1_000_000:.1f} MB"


def format_ms(time_ms: float | None) -> str:
    """A time with as many digits as matter."""
    if time_ms is None:
        return "-"
    if time_ms >= 10_000:
        return f"{time_ms / 1000:.1f} s"
    return f"{time_ms:.1f} ms" if time_ms < 10 else f"{time_ms:,.0f} ms"


def format_number(value: float | None) -> str:
    """An error value; an infinite one has no number."""
    if value is None:
        return "∞"
    return "0" if value == 0 else f"{value:.2g}"


def format_margin(parity: ParityEntry) -> str:
    """How far within or beyond its threshold a parity is, in words."""
    if parity.value is None:
        return "not comparable"
    if parity.value == 0:
        return "exact"
    if parity.good:
        return f"{_round_times(parity.threshold / parity.value)}x inside"
    return f"{_round_times(parity.value / parity.threshold)}x beyond" if parity.threshold else "beyond"


def bar_share(value: float | None, threshold: float) -> float:
    """How long the bar of an error is, 0 to 1, on a logarithmic scale."""
    if value is None or threshold <= 0:
        return 1.0
    if value <= 0:
        return 0.02
    return min(max(THRESHOLD_SHARE + DECADE_SHARE * math.log10(value / threshold), 0.02), 1.0)


def embed(png: bytes) -> str:
    """A picture as a data URI."""
    return "data:image/png;base64," + base64.b64encode(png).decode()


def _round_times(times: float) -> str:
    return f"{times:.1f}" if times < 10 else f"{float(f'{times:.2g}'):,.0f}"
