"""Proving a site: every variant on every backend in a real browser, and the worlds that some visitors live in.

Reads only the site folder. Which pairs there are and what their verdicts mean is here; `page.py` drives one page.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import replace
from datetime import datetime, timezone
from pathlib import Path
from typing import TYPE_CHECKING

from webgpu_kit.artifacts import Bundle, Progress, Site
from webgpu_kit.browser import BrowserChoice, OpenBrowser, find_browser, open_browser, run_to_end
from webgpu_kit.browser.patience import Patience, Stopwatch
from webgpu_kit.check.drive import find_drive
from webgpu_kit.check.job import Job, explain_unfit, make_path, name_screenshot, prove_in_context
from webgpu_kit.check.proof import Demand, Outcome, prove_page
from webgpu_kit.check.searching import check_asking, check_search, choose_best
from webgpu_kit.doctor.machine import describe_machine, read_own_version
from webgpu_kit.errors import CheckError
from webgpu_kit.golden_file import RecordedGolden, read_golden
from webgpu_kit.manifest import Backend, Manifest, SiteManifest, VariantEntry
from webgpu_kit.questions import read_recorded
from webgpu_kit.recipe import EMBED_ROLE
from webgpu_kit.report import AskEntry, BrowserEntry, CheckReport, PairEntry, SearchEntry, SiteEntry, WorldEntry
from webgpu_kit.report.variants import list_variants
from webgpu_kit.serve import serve_in_background
from webgpu_kit.site_file import ask_for, read_site

if TYPE_CHECKING:
    from playwright import async_api

BACKENDS: tuple[Backend, ...] = ("webgpu", "wasm")
WORLD_SAMPLES = 3


def check_site(
    site: Site | Path | str,
    *,
    backends: Sequence[Backend] = (),
    variants: Sequence[str] = (),
    browser: str | None = None,
    headed: bool = False,
    strict: bool = False,
    worlds: bool = True,
    progress: Progress = lambda line: None,
    patience: Patience = Patience(),  # noqa: B008 - frozen
) -> CheckReport:
    """Check the site in folder `site`; no `backends` or `variants` means all of them.

    `worlds` are those of visitors without WebGPU or without isolation; they need a pair on wasm.

    Raises: BundleError if it is no site, CheckError if there is nothing to check, BrowserError without a browser.
    """
    started, clock = datetime.now(timezone.utc), Stopwatch()
    site = read_site(site)
    questions, searching = read_recorded(site), name_searching_bundle(site)
    jobs = [
        Job(
            name_bundle(site, bundle),
            ask_for(site, bundle),
            bundle.manifest,
            golden,
            pairs,
            patience,
            progress,
            find_drive(site.manifest.task),
            questions if bundle.manifest.name == searching else None,
        )
        for bundle, golden, pairs in choose_bundles(site, backends, variants)
    ]
    choice = find_browser(browser)

    async def work(jobs: list[Job]) -> CheckReport:
        described, entries, searches, asks, seen = await _check_all(choice, jobs, headed, worlds)
        return CheckReport(
            started=started.isoformat(timespec="seconds"),
            duration_s=round(clock.seconds(), 1),
            machine=describe_machine(),
            webgpu_kit=read_own_version(),
            strict=strict,
            site=describe_site(site, [job.golden for job in jobs]),
            browser=described,
            pairs=entries,
            searches=searches,
            asks=asks,
            worlds=seen,
        )

    with ExitStack() as stack:
        origin = stack.enter_context(serve_in_background(site.path))
        bare_origin = stack.enter_context(serve_in_background(site.path, isolated=False))
        return run_to_end(work([replace(job, origin=origin, bare_origin=bare_origin) for job in jobs]))


def name_bundle(site: Site, bundle: Bundle) -> str:
    """What a report calls one of several bundles; empty where there is only one."""
    return bundle.manifest.name if len(site.bundles) > 1 else ""


def name_searching_bundle(site: Site) -> str:
    """The bundle that the page of several searches with; empty where there is none."""
    entries = site.manifest.bundles if isinstance(site.manifest, SiteManifest) else []
    return next((entry.name for entry in entries if entry.role == EMBED_ROLE), "")


def choose_bundles(
    site: Site, backends: Sequence[Backend], variants: Sequence[str]
) -> list[tuple[Bundle, RecordedGolden, tuple[tuple[VariantEntry, Backend], ...]]]:
    """The bundles of a site that have what is asked for, each with its golden and its pairs. Raises: CheckError."""
    chosen, refusals = [], []
    for bundle in site.bundles:
        own = {variant.name for variant in bundle.manifest.variants}
        # With several bundles a variant that only another one has is not asked of this one.
        asked = [name for name in variants if len(site.bundles) == 1 or name in own]
        try:
            pairs = choose_pairs(bundle.manifest, backends, asked or variants)
        except CheckError as error:
            refusals.append(error)
        else:
            chosen.append((bundle, read_golden(bundle), pairs))
    if not chosen:
        raise refusals[0]
    return chosen


def choose_pairs(
    manifest: Manifest, backends: Sequence[Backend], variants: Sequence[str]
) -> tuple[tuple[VariantEntry, Backend], ...]:
    """The (variant, backend) pairs of a site that are asked for, best first. Raises: CheckError if there is none."""
    known = [variant.name for variant in manifest.variants]
    unknown = [name for name in variants if name not in known]
    if unknown:
        raise CheckError(f"{manifest.name}: no variant {unknown[0]!r} in this site.", fix=f"one of {', '.join(known)}")
    pairs = tuple(
        (variant, backend)
        for variant in manifest.variants
        for backend in BACKENDS
        if backend in variant.backends
        and (not backends or backend in backends)
        and (not variants or variant.name in variants)
    )
    if not pairs:
        runs = ", ".join(f"{variant.name} on {'/'.join(variant.backends)}" for variant in manifest.variants)
        raise CheckError(f"{manifest.name}: nothing to check. This site has {runs or 'no variants'}.")
    return pairs


def describe_site(site: Site, goldens: Sequence[RecordedGolden]) -> SiteEntry:
    """The site as it stands in a report; of several bundles, all sources and origins."""
    return SiteEntry(
        path=str(site.path),
        name=site.manifest.name,
        title=site.manifest.title,
        task=site.manifest.task,
        source=", ".join(bundle.manifest.source.uri for bundle in site.bundles),
        golden_origin="; ".join(dict.fromkeys(golden.origin for golden in goldens)),
        tools=site.bundles[0].manifest.tools,
        variants=list_variants(bundle.manifest for bundle in site.bundles),
    )


async def _check_all(
    choice: BrowserChoice, jobs: list[Job], headed: bool, with_worlds: bool
) -> tuple[BrowserEntry, list[PairEntry], list[SearchEntry], list[AskEntry], list[WorldEntry]]:
    progress = jobs[0].progress
    progress(f"starting {choice.title}")
    worlds = []
    async with open_browser(choice, webgpu="auto", headed=headed) as opened:
        progress(f"WebGPU adapter: {opened.adapter.title if opened.adapter else 'none'}")
        described = opened.describe()
        pairs = [await _check_pair(opened, job, variant, backend) for job in jobs for variant, backend in job.pairs]
        searches = [
            await check_search(opened, job, job.questions, variant, backend)
            for job in jobs
            if job.questions
            for variant, backend in job.pairs
        ]
        asks = [
            await check_asking(opened, job, job.questions, variant, backend, pairs)
            for job in jobs
            if job.questions
            for variant, backend in choose_best(job.pairs)
        ]
        portable = [job for job in jobs if with_worlds and any(backend == "wasm" for _, backend in job.pairs)]
        worlds += [await _check_not_isolated(opened, job) for job in portable]
    if portable:
        async with open_browser(choice, webgpu="none", headed=headed) as opened:
            worlds[:0] = [await _check_no_webgpu(opened, job) for job in portable]
    return described, pairs, searches, asks, worlds


async def _check_pair(opened: OpenBrowser, job: Job, variant: VariantEntry, backend: Backend) -> PairEntry:
    pair = PairEntry(
        model=job.model,
        variant=variant.name,
        backend=backend,
        verdict="not-verified",
        samples_total=len(job.golden.samples),
    )
    unfit = explain_unfit(variant, opened.adapter) if backend == "webgpu" else ""
    if unfit:
        job.progress(f"{pair.title}: not verified: {unfit}")
        return pair.model_copy(update={"reason": unfit})
    job.progress(f"{pair.title}: checking")
    path = make_path(job.ask, f"backend={backend}", f"variant={variant.name}")
    demand = Demand(path, backend, len(job.golden.samples), variant=variant.name)
    found = await _prove(
        opened.browser, job, job.origin, demand, name_screenshot(*filter(None, [job.model]), variant.name, backend)
    )
    return pair.model_copy(update=found)


async def _check_no_webgpu(opened: OpenBrowser, job: Job) -> WorldEntry:
    title = "A browser without a WebGPU adapter"
    world = WorldEntry(model=job.model, name="no-webgpu", title=_add_model(title, job), verdict="not-verified")
    world.samples_total = len(job.golden.samples)
    if opened.adapter:
        world.reason = f"this browser gives an adapter even with the GPU turned off: {opened.adapter.title}"
        return world
    job.progress("without a WebGPU adapter: checking")
    found = await _prove(
        opened.browser,
        job,
        job.origin,
        Demand(make_path(job.ask), "wasm", WORLD_SAMPLES, wants_reason=True, is_whole=False),
        name_screenshot("world", *filter(None, [job.model]), world.name),
    )
    return world.model_copy(update=found)


async def _check_not_isolated(opened: OpenBrowser, job: Job) -> WorldEntry:
    title = "A host without cross-origin isolation"
    world = WorldEntry(model=job.model, name="not-isolated", title=_add_model(title, job), verdict="not-verified")
    world.samples_total = len(job.golden.samples)
    job.progress("not cross-origin isolated: checking")
    path = make_path(job.ask, "backend=wasm")
    demand = Demand(path, "wasm", WORLD_SAMPLES, isolated=False, threads=1, is_whole=False)
    screenshot = name_screenshot("world", *filter(None, [job.model]), world.name)
    return world.model_copy(update=await _prove(opened.browser, job, job.bare_origin, demand, screenshot))


def _add_model(title: str, job: Job) -> str:
    return f"{title}: {job.model}" if job.model else title


async def _prove(
    browser: async_api.Browser, job: Job, origin: str, demand: Demand, screenshot: str
) -> dict[str, object]:

    async def prove(context: async_api.BrowserContext) -> Outcome:
        return await prove_page(
            context, origin, demand, job.manifest, job.golden, job.patience, job.drive, job.progress
        )

    return await prove_in_context(browser, job, origin, demand, screenshot, prove)
