"""Checking a page that searches: what it finds beside the original model, and what it answers when it is asked."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from webgpu_kit.browser import OpenBrowser
from webgpu_kit.check.job import Job, explain_unfit, make_path, name_screenshot, prove_in_context
from webgpu_kit.check.proof import AskOutcome, Demand, SearchOutcome, prove_asking, prove_search
from webgpu_kit.manifest import Backend, VariantEntry
from webgpu_kit.questions import RecordedQuestions
from webgpu_kit.report import AskEntry, PairEntry, SearchEntry

if TYPE_CHECKING:
    from playwright import async_api


def choose_best(
    pairs: Sequence[tuple[VariantEntry, Backend]],
) -> list[tuple[VariantEntry, Backend]]:
    """The best pair on each backend: what is proved once need not be proved of every variant."""
    return list({backend: (variant, backend) for variant, backend in reversed(pairs)}.values())[::-1]


async def check_search(
    opened: OpenBrowser, job: Job, questions: RecordedQuestions, variant: VariantEntry, backend: Backend
) -> SearchEntry:
    """What the page finds with one variant on one backend, beside the original model."""
    entry = SearchEntry(model=job.model, variant=variant.name, backend=backend, verdict="not-verified")
    entry.samples_total = len(questions.questions)
    entry.reason = explain_unfit(variant, opened.adapter) if backend == "webgpu" else ""
    if entry.reason:
        job.progress(f"{entry.title}: not verified: {entry.reason}")
        return entry
    job.progress(f"{entry.title}: checking")
    path = make_path(f"backend={backend}", f"variant={variant.name}")
    demand = Demand(path, backend, len(questions.questions), variant=variant.name)

    async def prove(context: async_api.BrowserContext) -> SearchOutcome:
        return await prove_search(context, job.origin, demand, questions, job.patience, job.progress)

    screenshot = name_screenshot("search", job.model, variant.name, backend)
    return entry.model_copy(update=await prove_in_context(opened.browser, job, job.origin, demand, screenshot, prove))


async def check_asking(
    opened: OpenBrowser,
    job: Job,
    questions: RecordedQuestions,
    variant: VariantEntry,
    backend: Backend,
    known: Sequence[PairEntry],
) -> AskEntry:
    """What the page answers; `known` are the pairs that were checked before, which tell how slow a software GPU is."""
    entry = AskEntry(model=job.model, variant=variant.name, backend=backend, verdict="not-verified", samples_total=2)
    if backend == "webgpu":
        slow = explain_slowness(opened, [pair for pair in known if pair.backend == backend], job.patience.budget_s)
        entry.reason = explain_unfit(variant, opened.adapter) or slow
    if entry.reason:
        job.progress(f"{entry.title}: not verified: {entry.reason}")
        return entry
    job.progress(f"{entry.title}: checking")
    path = make_path(f"backend={backend}", f"variant={variant.name}")
    demand = Demand(path, backend, 2, variant=variant.name)

    async def prove(context: async_api.BrowserContext) -> AskOutcome:
        return await prove_asking(context, job.origin, demand, questions, job.patience, job.progress)

    screenshot = name_screenshot("asking", job.model, variant.name, backend)
    return entry.model_copy(update=await prove_in_context(opened.browser, job, job.origin, demand, screenshot, prove))


def explain_slowness(opened: OpenBrowser, pairs: Sequence[PairEntry], budget_s: float) -> str:
    """Why an answer would take too long on a software GPU, told by what its models took there; empty if it does not."""
    if not (opened.adapter and opened.adapter.software):
        return ""
    pages = {pair.model: pair.page for pair in pairs if pair.page and pair.verdict == "passed"}
    if len(pages) < 2:
        return f"{opened.adapter.title}: a language model that was not checked there is not asked"
    least_s = sum((page.load_ms or 0) + (page.first_run_ms or 0) for page in pages.values()) / 1000
    if least_s <= budget_s:
        return ""
    return (
        f"{opened.adapter.title}: loading both models and one pass of each took {least_s:.0f} s there, "
        f"and {budget_s:g} s are allowed for an answer"
    )
