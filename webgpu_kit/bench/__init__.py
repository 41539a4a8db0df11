"""Measuring a site: cold and warm load, first answer and steady speed of every variant on every backend."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timezone
from pathlib import Path

from webgpu_kit.artifacts import Bundle, Progress, Site
from webgpu_kit.bench.native import time_native
from webgpu_kit.browser import OpenBrowser, find_browser, open_browser, open_profile, run_to_end
from webgpu_kit.browser.page import SampleRun, Visit, open_visit
from webgpu_kit.browser.patience import Patience, Stopwatch
from webgpu_kit.check import choose_bundles, describe_site, name_bundle
from webgpu_kit.check.job import explain_unfit
from webgpu_kit.doctor.machine import describe_machine, read_own_version
from webgpu_kit.errors import CheckError
from webgpu_kit.golden_file import RecordedGolden
from webgpu_kit.manifest import Backend, VariantEntry
from webgpu_kit.report import BenchReport, BenchRow, LoadEntry, NativeEntry
from webgpu_kit.serve import serve_in_background
from webgpu_kit.site_file import ask_for, read_site

SAMPLE = 0
MIN_RUNS, MAX_RUNS, BUDGET_S = 3, 30, 10.0


def bench_site(
    site: Site | Path | str,
    *,
    backends: Sequence[Backend] = (),
    variants: Sequence[str] = (),
    browser: str | None = None,
    headed: bool = False,
    progress: Progress = lambda line: None,
    patience: Patience = Patience(),  # noqa: B008 - frozen
) -> BenchReport:
    """Measure the site in folder `site`; no `backends` or `variants` means all of them.

    Raises: BundleError if it is no site, CheckError if there is nothing to measure, BrowserError without a browser.
    """
    started, clock = datetime.now(timezone.utc), Stopwatch()
    site = read_site(site)
    chosen = choose_bundles(site, backends, variants)
    choice = find_browser(browser)
    subjects = [
        _Subject(bundle, name_bundle(site, bundle), ask_for(site, bundle), variant, backend)
        for bundle, _, pairs in chosen
        for variant, backend in pairs
    ]
    native: dict[tuple[str, str], NativeEntry] = {}
    for bundle, golden, pairs in chosen:
        native |= _time_natives(name_bundle(site, bundle), bundle, golden, [variant for variant, _ in pairs], progress)

    async def work(origin: str) -> BenchReport:
        progress(f"starting {choice.title}")
        async with open_browser(choice, webgpu="auto", headed=headed) as opened:
            rows = [await _measure_pair(opened, origin, subject, patience, progress) for subject in subjects]
            return BenchReport(
                started=started.isoformat(timespec="seconds"),
                duration_s=round(clock.seconds(), 1),
                machine=describe_machine(),
                webgpu_kit=read_own_version(),
                site=describe_site(site, [golden for _, golden, _ in chosen]),
                browser=opened.describe(),
                rows=[row.model_copy(update={"native": native.get((row.model, row.variant))}) for row in rows],
            )

    with serve_in_background(site.path) as origin:
        return run_to_end(work(origin))


@dataclass(frozen=True)
class _Subject:
    """One pair of one bundle; `ask` is what the page's address says to load that bundle alone."""

    bundle: Bundle
    model: str
    ask: str
    variant: VariantEntry
    backend: Backend


def _time_natives(
    model: str, bundle: Bundle, golden: RecordedGolden, variants: list[VariantEntry], progress: Progress
) -> dict[tuple[str, str], NativeEntry]:
    times = {}
    for variant in {variant.name: variant for variant in variants if "wasm" in variant.graphs}.values():
        progress(f"{model} {variant.name} in onnxruntime on this machine's CPU".lstrip())
        times[model, variant.name] = time_native(bundle, variant, golden.samples[SAMPLE])
    return times


async def _measure_pair(
    opened: OpenBrowser, origin: str, subject: _Subject, patience: Patience, progress: Progress
) -> BenchRow:
    variant, backend = subject.variant, subject.backend
    row = BenchRow(model=subject.model, variant=variant.name, backend=backend)
    if backend == "webgpu":
        row.software = bool(opened.adapter and opened.adapter.software)
        row.reason = explain_unfit(variant, opened.adapter)
        if row.reason:
            progress(f"{variant.name} on {backend}: not measured: {row.reason}")
            return row
    path = "/?" + f"{subject.ask}&" * bool(subject.ask) + f"backend={backend}&variant={variant.name}"
    try:
        # Requests are only watched here, not cut off: interception would turn the HTTP cache off.
        async with open_profile(opened) as context:
            progress(f"{variant.name} on {backend}: cold load and runs")
            async with open_visit(context, origin, path, patience) as visit:
                row.cold = await _measure_load(visit)
                await _measure_runs(visit, row)
            progress(f"{variant.name} on {backend}: warm load")
            async with open_visit(context, origin, path, patience) as visit:
                row.warm = await _measure_load(visit)
    except CheckError as error:
        row.reason = error.message
    return row


async def _measure_load(visit: Visit) -> LoadEntry:
    state = await visit.load()
    if state.status == "failed":
        raise CheckError(f"the page says that it failed: {state.reason or 'without a reason'}")
    page = await visit.describe()
    if page.load_ms is None:
        raise CheckError(f"{visit.path}: the page never said that it was ready")
    return LoadEntry(
        ready_ms=round(page.load_ms, 1), downloaded_bytes=page.downloaded_bytes, request_count=page.request_count
    )


async def _measure_runs(visit: Visit, row: BenchRow) -> None:
    row.first_answer_ms = (await visit.run_sample(SAMPLE)).time_ms
    runs: list[SampleRun] = []
    clock = Stopwatch()
    while len(runs) < MIN_RUNS or (len(runs) < MAX_RUNS and clock.seconds() < BUDGET_S):
        runs.append(await visit.run_sample(SAMPLE))
    times_ms = [run.time_ms for run in runs]
    row.median_ms, row.fastest_ms, row.runs = statistics.median(times_ms), min(times_ms), len(runs)
    row.gpu_per_run = runs[-1].gpu if row.backend == "webgpu" else None
    page = await visit.describe()
    row.threads = page.threads
    row.longest_task_ms = None if page.long_tasks_ms is None else max(page.long_tasks_ms, default=0.0)
