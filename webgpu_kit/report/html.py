"""A check's report as one HTML file that needs nothing else: no scripts, no network, pictures inside."""

from __future__ import annotations

import base64
import math
import statistics
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from webgpu_kit.report import CheckReport, PageEntry, ParityEntry

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
        bytes=format_bytes, ms=format_ms, number=format_number, share=bar_share, margin=format_margin, picture=embed
    )
    environment.filters["median"] = statistics.median
    return environment.get_template(TEMPLATE_NAME).render(
        report=report,
        words=WORDS,
        threshold_share=THRESHOLD_SHARE,
        shots=[result for result in report.results if result.page and result.page.screenshot_png],
    )


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


def embed(page: PageEntry) -> str:
    """The page's screenshot as a data URI."""
    return "data:image/png;base64," + base64.b64encode(page.screenshot_png).decode()


def _round_times(times: float) -> str:
    return f"{times:.1f}" if times < 10 else f"{float(f'{times:.2g}'):,.0f}"
