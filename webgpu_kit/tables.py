"""Results as tables for people, on stdout."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from textwrap import shorten
from typing import TYPE_CHECKING

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from webgpu_kit.report.html import describe_relevance, format_bytes, format_ms
from webgpu_kit.report.variants import TEXT_FIGURES, describe_text

if TYPE_CHECKING:
    from webgpu_kit.index import IndexMade
    from webgpu_kit.manifest import Manifest, VariantEntry
    from webgpu_kit.pipeline import Build
    from webgpu_kit.recipe import Recipe
    from webgpu_kit.report import (
        AgreementEntry,
        AnyResult,
        BenchReport,
        BenchRow,
        CheckReport,
        DoctorReport,
        SearchEntry,
    )

# A pipe has no width of its own: wide enough that no row breaks.
_console = Console(highlight=False, width=None if sys.stdout.isatty() else 160)
SHOWN_CHARACTERS = 100
_COLOURS = {
    "passed": "green",
    "ok": "green",
    "failed": "red",
    "missing": "red",
    "not-verified": "yellow",
    "optional": "yellow",
}


def _table(*columns: str) -> Table:
    table = Table(box=None, pad_edge=False, header_style="bold")
    for column in columns:
        table.add_column(column, overflow="fold")
    return table


def print_build(build: Build) -> None:
    """The variants that were shipped, best first, and those that were not."""
    manifest = build.site.manifest
    for bundle in build.site.bundles:
        _print_bundle(bundle.manifest, len(build.site.bundles) > 1)
    for dtype, reason in build.rejected.items():
        _console.print(f"[yellow]{escape(dtype)} is not shipped[/]: {escape(reason)}")
    _console.print(f"\n[green]{escape(manifest.title)}[/] is in [bold]{escape(str(build.site.path))}[/].")
    suffix = "" if str(build.site.path) == "site" else f" {build.site.path}"
    _console.print(f"Look at it: webgpu-kit serve{escape(suffix)}    Prove it: webgpu-kit check{escape(suffix)}")


def print_index(made: IndexMade) -> None:
    """What the page offers now, and what was left out of it."""
    for name, reason in made.skipped.items():
        _console.print(f"[yellow]{escape(name)} was left out[/]: it {escape(reason)}.")
    entry = made.entry
    _console.print(
        f"[green]{escape(entry.name)}[/] is in [bold]{escape(str(made.site))}[/]: {entry.passages:,} passages of "
        f"{entry.documents:,} documents, {format_bytes(entry.file.bytes)}."
    )


def _print_bundle(manifest: Manifest, is_one_of_several: bool) -> None:
    on_text = any(variant.parity.details for variant in manifest.variants)
    figures = TEXT_FIGURES if on_text else ()
    table = _table(
        manifest.name if is_one_of_several else "variant", "download", "parity", *figures, "method", "runs on", "needs"
    )
    for variant in manifest.variants:
        table.add_row(*_describe_variant(variant, on_text=on_text))
    _console.print(table)
    for backend, reason in manifest.settings.get("unsupported", {}).items():
        _console.print(f"[yellow]not on {backend}[/]: {escape(reason)}")
    for name, shape in manifest.settings.get("shapes", {}).items():
        _console.print(f"input {escape(name)}: shape {','.join(map(str, shape)) or 'scalar'} (change it with --shape)")


def _describe_variant(variant: VariantEntry, *, on_text: bool) -> tuple[str, ...]:
    parity = variant.parity
    allowed = f"{parity.metric} {parity.value:.2g} (at most {parity.threshold:g})"
    return (
        variant.name,
        format_bytes(variant.download_bytes),
        f"{parity.value:.2g} of {parity.threshold:.2g}" if on_text else allowed,
        *(describe_text(parity.details) if on_text else ()),
        parity.method or "-",
        ", ".join(variant.backends),
        ", ".join(variant.requires) or "-",
    )


def print_check(report: CheckReport, folder: Path) -> None:
    """The verdict of every pair and world, then the whole in one sentence."""
    adapter = report.browser.adapter.title if report.browser.adapter else "no WebGPU adapter"
    _console.print(escape(f"{report.browser.title}, {adapter}"))
    table = _table("what", "verdict", "parity", "same tokens", "first run", "samples", "why")
    for result in report.results:
        table.add_row(*_describe_result(result))
    _console.print(table)
    _print_searches(report)
    _print_asks(report)
    colour = "green" if report.ok else "red"
    _console.print(f"\n[{colour}]{escape(report.verdict)}[/]\nReport: {escape(str(folder / 'report.html'))}")


def _print_searches(report: CheckReport) -> None:
    """How well the page finds what it should, beside the original model in PyTorch."""
    if report.lacks_questions:
        _console.print("\nHow well the search finds was not measured: the recipe names no `questions`.")
    measured = [search for search in report.searches if search.retrieval]
    if not measured:
        return
    columns = ("search", "ranked by", "recall@5", "PyTorch", "MRR", "PyTorch", "lost points", "questions", "passages")
    table = _table(*columns)
    for search in measured:
        for row in _describe_search(search):
            table.add_row(*row)
    _console.print(table)
    for line in describe_relevance(report):
        _console.print(escape(line))


def _print_asks(report: CheckReport) -> None:
    """What the page said when it was asked, and where the numbers of its answers led."""
    for ask in report.asks:
        for said in ask.answers:
            _console.print(f"\n{escape(ask.title)}: [bold]{escape(said.asked)}[/]")
            _console.print(f"  {escape(said.answer or said.note)}")
            for mark in said.places:
                _console.print(escape(f"  ({mark.number}) {mark.document}: {shorten(mark.marked, SHOWN_CHARACTERS)}"))


def _describe_search(search: SearchEntry) -> Iterator[tuple[str, ...]]:
    found = search.retrieval
    for ranking in found.rankings if found else ():
        yield (
            escape(f"{search.model} {search.variant} on {search.backend}"),
            ranking.by,
            f"{ranking.page.recall_at_5:.3f}",
            f"{ranking.original.recall_at_5:.3f}",
            f"{ranking.page.mrr:.3f}",
            f"{ranking.original.mrr:.3f}",
            f"{100 * ranking.lost:.1f} of {100 * found.largest_loss:g}" if found else "",
            f"{found.asked} of {found.questions}" if found else "",
            str(found.passages) if found else "",
        )


def _describe_result(result: AnyResult) -> tuple[str, ...]:
    parity = result.parity
    value = (
        "-" if parity is None else "infinite" if parity.value is None else f"{parity.value:.2g} of {parity.threshold:g}"
    )
    return (
        escape(result.title),
        f"[{_COLOURS[result.verdict]}]{result.verdict}[/]",
        value,
        _describe_agreement(result.agreement),
        format_ms(result.page.first_run_ms if result.page else None),
        f"{result.samples_run} of {result.samples_total}",
        escape(result.reason),
    )


def _describe_agreement(agreement: AgreementEntry | None) -> str:
    if agreement is None:
        return "-"
    greedy = f", greedy {agreement.greedy.agreed} of {agreement.greedy.compared}" if agreement.greedy else ""
    return f"{agreement.agreed} of {agreement.positions}{greedy}"


def print_bench(report: BenchReport) -> None:
    """Loading and speed of every pair, beside native onnxruntime."""
    _console.print(f"{escape(report.browser.title)} on {escape(report.machine)}")
    table = _table(
        "variant", "backend", "cold load", "warm load", "first answer", "steady", "native CPU", "longest task"
    )
    for row in report.rows:
        table.add_row(*_describe_bench_row(row))
    _console.print(table)


def _describe_bench_row(row: BenchRow) -> tuple[str, ...]:
    backend = row.backend + (" (software)" if row.software else "")
    if row.reason or row.cold is None or row.warm is None:
        return (f"{row.model} {row.variant}".lstrip(), backend, escape(row.reason), "", "", "", "", "")
    native = row.native.median_ms if row.native else None
    return (
        f"{row.model} {row.variant}".lstrip(),
        backend,
        f"{format_bytes(row.cold.downloaded_bytes)}, {format_ms(row.cold.ready_ms)}",
        f"{format_bytes(row.warm.downloaded_bytes)}, {format_ms(row.warm.ready_ms)}",
        format_ms(row.first_answer_ms),
        format_ms(row.median_ms),
        format_ms(native),
        format_ms(row.longest_task_ms),
    )


def print_doctor(report: DoctorReport) -> None:
    """What the machine has and lacks, with the command that mends each lack."""
    table = _table("", "what", "found", "fix")
    for item in report.items:
        table.add_row(
            f"[{_COLOURS[item.state]}]{item.state}[/]", escape(item.name), escape(item.found), escape(item.fix)
        )
    _console.print(table)


def print_models(recipes: list[Recipe]) -> None:
    """The built-in recipes."""
    table = _table("name", "task", "what", "build it")
    for recipe in recipes:
        table.add_row(
            escape(recipe.name),
            recipe.task or "-",
            escape(recipe.shown_title),
            f"webgpu-kit build {escape(recipe.name)}",
        )
    _console.print(table)
