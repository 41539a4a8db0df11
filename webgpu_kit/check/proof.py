"""What one page must show to be right: the golden's answers, on the backend it says, without doing anything wrong."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from webgpu_kit.artifacts import Progress
from webgpu_kit.browser.page import PHONE_SIZE, SampleRun, Visit, open_visit
from webgpu_kit.browser.patience import Patience, Stopwatch
from webgpu_kit.check.agreement import SaidAnswer, ask_page, compare_answer, count_top_1, explain_answer
from webgpu_kit.check.asking import ask_about, choose_topics, picture_rest
from webgpu_kit.check.drive import Drive
from webgpu_kit.check.ranking import Answered, compare_answers, explain_loss
from webgpu_kit.check.retrieval import ask_questions, count_gpu_work, index_samples, show_search
from webgpu_kit.errors import CheckError
from webgpu_kit.golden_file import RecordedGolden
from webgpu_kit.manifest import Backend, Manifest
from webgpu_kit.parity import measure_parity
from webgpu_kit.questions import RecordedQuestions
from webgpu_kit.report import (
    AgreementEntry,
    AskedEntry,
    GpuWork,
    PageEntry,
    ParityEntry,
    RetrievalEntry,
    TurnEntry,
    Verdict,
)

if TYPE_CHECKING:
    from playwright import async_api

TELL_S = 5.0  # a line for each sample would be too many where a sample takes milliseconds

PROBLEM_WORDS = {
    "console": "console error",
    "page-error": "uncaught error",
    "csp": "Content-Security-Policy violation",
    "off-origin": "request to another origin",
    "request": "failed request",
}


@dataclass(frozen=True)
class Demand:
    """What is asked of a page: which one, which backend (and variant) it must end up on, how many samples at most.

    `is_whole` False leaves out what another page of the same report has shown already: long answers, a long chat.
    """

    path: str
    backend: Backend
    limit: int
    variant: str = ""
    isolated: bool = True
    threads: int | None = None
    wants_reason: bool = False
    is_whole: bool = True


@dataclass(frozen=True)
class Outcome:
    """What came of it. `reason` is empty when it passed."""

    verdict: Verdict
    reason: str
    samples_run: int
    parity: ParityEntry | None
    agreement: AgreementEntry | None
    page: PageEntry


@dataclass(frozen=True)
class SearchOutcome:
    """What came of a page's search."""

    verdict: Verdict
    reason: str
    samples_run: int
    retrieval: RetrievalEntry | None
    page: PageEntry


@dataclass(frozen=True)
class AskOutcome:
    """What a page said when it was asked."""

    verdict: Verdict
    reason: str
    samples_run: int
    answers: list[AskedEntry]
    page: PageEntry


@dataclass
class _Findings:
    """What one page gave, as far as it came before something failed."""

    runs: list[SampleRun] = field(default_factory=list)
    answers: list[SaidAnswer] = field(default_factory=list)
    chat: list[TurnEntry] = field(default_factory=list)
    faults: list[str] = field(default_factory=list)


async def prove_page(
    context: async_api.BrowserContext,
    origin: str,
    demand: Demand,
    manifest: Manifest,
    golden: RecordedGolden,
    patience: Patience,
    drive: Drive,
    progress: Progress,
) -> Outcome:
    """Open one page in `context`, run the golden on it, and judge what it did."""
    found, parity, agreement = _Findings(), None, None
    async with open_visit(context, origin, demand.path, patience) as visit:
        try:
            await _work_through(visit, demand, golden, drive, found, progress)
        except CheckError as error:
            found.faults.append(error.message)
        page = await _describe(visit)
    faults, runs, page.chat = found.faults, found.runs, found.chat
    if runs:
        page.gpu = sum_gpu_work([run.gpu for run in runs])
        page.first_run_ms, page.run_ms = runs[0].time_ms, [round(run.time_ms, 2) for run in runs]
        parity = compare_runs(manifest, page.variant, golden, runs)
        agreement = count_top_1(golden.samples, [run.outputs for run in runs])
        faults += explain_parity(parity)
        faults += explain_contradictions(page, demand)
    for answer, said in zip(golden.answers, found.answers, strict=False):
        greedy = compare_answer(answer, said, parity)
        faults += explain_answer(greedy, answer, said)
        agreement = agreement and agreement.model_copy(update={"greedy": greedy})
    faults += explain_problems(page)
    return Outcome("failed" if faults else "passed", "; ".join(faults), len(runs), parity, agreement, page)


async def prove_search(
    context: async_api.BrowserContext,
    origin: str,
    demand: Demand,
    questions: RecordedQuestions,
    patience: Patience,
    progress: Progress,
) -> SearchOutcome:
    """Let the page index its sample documents, ask it the recorded questions, and judge what it found."""
    faults, answers, gpu = list[str](), list[Answered](), None
    async with open_visit(context, origin, demand.path, patience) as visit:
        try:
            await _load_documents(visit, questions, progress)
            progress(f"{visit.path}: searching for {len(questions.questions)} questions")
            answers, gpu = await ask_questions(visit, questions)
            await show_search(visit, questions.questions[0].text)
        except CheckError as error:
            faults.append(error.message)
        page = await _describe(visit)
    page.gpu = gpu
    retrieval = compare_answers(questions, answers) if answers else None
    if retrieval:
        faults += explain_loss(retrieval)
        faults += explain_contradictions(page, demand)
    faults += explain_problems(page)
    return SearchOutcome("failed" if faults else "passed", "; ".join(faults), len(answers), retrieval, page)


async def prove_asking(
    context: async_api.BrowserContext,
    origin: str,
    demand: Demand,
    questions: RecordedQuestions,
    patience: Patience,
    progress: Progress,
) -> AskOutcome:
    """Let the page index its sample documents, ask it through its own form, and judge what it said."""
    faults, answers, topics, gpu = list[str](), list[AskedEntry](), choose_topics(questions), None
    async with open_visit(context, origin, demand.path, patience) as visit:
        try:
            await _load_documents(visit, questions, progress)
            progress(f"{visit.path}: asking as a visitor would")
            answers += await ask_about(visit, topics)
            gpu = await count_gpu_work(visit)
        except CheckError as error:
            faults.append(error.message)
        page = await _describe(visit)
        if not faults:
            try:
                page.pictures = await picture_rest(visit, topics, answers)
            except CheckError as error:
                faults.append(error.message)
    page.gpu = gpu
    if answers:
        faults += explain_contradictions(page, demand)
        faults += explain_models(answers, demand)
    faults += explain_problems(page)
    return AskOutcome("failed" if faults else "passed", "; ".join(faults), len(answers), answers, page)


def explain_models(answers: Sequence[AskedEntry], demand: Demand) -> list[str]:
    """Where the language model ran somewhere else than was asked."""
    said = [answer.model for answer in answers if answer.model]
    return [
        f"the answer was asked of {demand.backend}, and comes from {each}"
        for each in said
        if not each.endswith(f" on {demand.backend}")
    ]


async def _load(visit: Visit) -> None:
    state = await visit.load()
    if state.status == "failed":
        raise CheckError(f"the page says that it failed: {state.reason or 'without a reason'}")


async def _load_documents(visit: Visit, questions: RecordedQuestions, progress: Progress) -> None:
    await _load(visit)
    count = len({document for document, _ in questions.passages})
    progress(f"{visit.path}: indexing {count} documents")
    await index_samples(visit, count)


async def _describe(visit: Visit) -> PageEntry:
    """What is known of the page by now, with its pictures."""
    page = await visit.describe_fault()
    page.screenshot_png = await visit.take_screenshot()
    if page.screenshot_png:  # a page that cannot be drawn is not waited for twice
        page.phone_screenshot_png = await visit.take_screenshot(PHONE_SIZE)
    return page


async def _work_through(
    visit: Visit, demand: Demand, golden: RecordedGolden, drive: Drive, found: _Findings, progress: Progress
) -> None:
    """Load the page, run the golden on it, and do what its visitor would; what came of it goes into `found`."""
    await _load(visit)
    await _run_golden(visit, golden, demand.limit, found.runs, progress)
    for answer in golden.answers if demand.is_whole else ():
        progress(f"{visit.path}: asking for an answer of {len(answer.token_ids)} tokens")
        found.answers.append(await ask_page(visit, answer, demand.backend))
    progress(f"{visit.path}: using the page as a visitor would")
    found.chat += await drive(visit, demand.is_whole)


async def _run_golden(
    visit: Visit, golden: RecordedGolden, limit: int, runs: list[SampleRun], progress: Progress
) -> None:
    """Run samples until `limit` or the end of the time budget; what was run stays in `runs` if one fails."""
    offered = await visit.count_golden()
    if offered != len(golden.samples):
        raise CheckError(f"golden() offers {offered} samples, the site has {len(golden.samples)}")
    clock, told = Stopwatch(), Stopwatch()
    for index in range(min(limit, offered)):
        if index >= visit.patience.min_samples and clock.seconds() > visit.patience.budget_s:
            return
        if index == 0 or told.seconds() > TELL_S:
            progress(f"{visit.path}: golden sample {index + 1} of {min(limit, offered)}")
            told.restart()
        runs.append(await visit.run_sample(index))


def compare_runs(manifest: Manifest, variant: str, golden: RecordedGolden, runs: Sequence[SampleRun]) -> ParityEntry:
    """The page's answers against the golden, in the task's metric. Raises: CheckError for an unknown variant."""
    allowed = next((entry.parity for entry in manifest.variants if entry.name == variant), None)
    if allowed is None:
        raise CheckError(f"the page says that its variant is {variant!r}, the manifest has no such")
    measured = [
        measure_parity(allowed.metric, [sample.outputs], [run.outputs], allowed.threshold)
        for sample, run in zip(golden.samples, runs, strict=False)
    ]
    return ParityEntry(
        metric=allowed.metric,
        threshold=allowed.threshold,
        value=_finite(max(parity.value for parity in measured)),
        max_abs_error=_finite(max(parity.max_abs_error for parity in measured)),
        by_sample=[_finite(parity.value) for parity in measured],
    )


def explain_parity(parity: ParityEntry) -> list[str]:
    """Why the answers are wrong; nothing if they are right."""
    if parity.good:
        return []
    if parity.value is None:
        sample = parity.by_sample.index(None)
        return [f"golden sample {sample}: an output is missing, has another shape, or is not finite"]
    sample = parity.by_sample.index(parity.value)
    return [f"{parity.metric} {parity.value:.3g} on golden sample {sample}, allowed is {parity.threshold:.3g}"]


def explain_contradictions(page: PageEntry, demand: Demand) -> list[str]:
    """Where what the page says differs from what was asked, or from what the GPU was seen to do."""
    faults = []
    if page.backend != demand.backend:
        faults.append(f"asked for backend {demand.backend}, the page says {page.backend or 'nothing'}")
    if demand.variant and page.variant != demand.variant:
        faults.append(f"asked for variant {demand.variant}, the page says {page.variant or 'nothing'}")
    dispatches = page.gpu.dispatches if page.gpu else 0
    if demand.backend == "webgpu" and not (dispatches and page.adapter):
        faults.append(
            f"not proved to run on WebGPU: {dispatches} dispatches, adapter {page.adapter and page.adapter.title}"
        )
    if demand.backend == "wasm" and dispatches:
        faults.append(f"says wasm, but dispatched {dispatches} times to the GPU")
    if page.isolated is not demand.isolated:
        faults.append(f"crossOriginIsolated is {page.isolated}, expected {demand.isolated}")
    if demand.threads is not None and page.threads != demand.threads:
        faults.append(f"runs {page.threads} threads, expected {demand.threads}")
    if demand.wants_reason and not page.reason:
        faults.append("fell back without saying why (data-kit-reason is empty)")
    return faults


def explain_problems(page: PageEntry) -> list[str]:
    """What the page did wrong, one line for each kind, with the first of each."""
    lines = []
    for kind, words in PROBLEM_WORDS.items():
        found = [
            problem.text.splitlines()[0] if problem.text else "(empty)"
            for problem in page.problems
            if problem.kind == kind
        ]
        if found:
            lines.append(f"{len(found)} {words}{'s' if len(found) > 1 else ''}: {found[0][:200]}")
    return lines


def sum_gpu_work(parts: Sequence[GpuWork]) -> GpuWork:
    """All of it together."""
    names = GpuWork.model_fields
    return GpuWork(**{name: sum(getattr(part, name) for part in parts) for name in names})


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None
