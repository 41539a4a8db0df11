"""What `check`, `bench` and `doctor` saw, as pydantic models: each has a JSON Schema (`model_json_schema()`).

Field names are promises to others. All sizes are in bytes, all times in milliseconds unless named otherwise.
`report_files.py` writes a check's report to disk.
"""

from __future__ import annotations

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, computed_field

from webgpu_kit.manifest import Backend, Tools
from webgpu_kit.report.asking import AskedEntry, Ending, MarkEntry, Picture
from webgpu_kit.report.search import RetrievalEntry
from webgpu_kit.report.text import Action, AgreementEntry, GreedyEntry, PartingEntry, TurnEntry
from webgpu_kit.report.variants import VariantLine

REPORT_VERSION = 1

__all__ = [
    "Action",
    "Adapter",
    "AgreementEntry",
    "AnyResult",
    "AskEntry",
    "AskedEntry",
    "BenchReport",
    "BenchRow",
    "BrowserEntry",
    "CheckReport",
    "DoctorItem",
    "DoctorReport",
    "Ending",
    "GpuWork",
    "GreedyEntry",
    "LoadEntry",
    "MarkEntry",
    "NativeEntry",
    "PageEntry",
    "PairEntry",
    "ParityEntry",
    "PartingEntry",
    "Picture",
    "Problem",
    "ProblemKind",
    "RetrievalEntry",
    "SearchEntry",
    "SiteEntry",
    "TurnEntry",
    "VariantLine",
    "Verdict",
    "WorldEntry",
]

Verdict = Literal["passed", "failed", "not-verified"]
ProblemKind = Literal["console", "page-error", "csp", "off-origin", "request"]
WorldName = Literal["no-webgpu", "not-isolated"]


class _Part(BaseModel):
    model_config = ConfigDict(extra="ignore")


class Adapter(_Part):
    """A WebGPU adapter as the browser names it. `software` means that a CPU plays the GPU."""

    vendor: str = ""
    architecture: str = ""
    device: str = ""
    description: str = ""
    software: bool
    features: list[str] = Field(default_factory=list)
    limits: dict[str, int] = Field(default_factory=dict)

    @property
    def title(self) -> str:
        """One line for people."""
        words = [word for word in (self.vendor, self.architecture, self.description or self.device) if word]
        return (" ".join(words) or "unnamed adapter") + (" (software)" if self.software else "")


class BrowserEntry(_Part):
    """The browser that was driven, and how it was started. `executable` is empty for Playwright's own."""

    name: str
    version: str
    executable: str
    headed: bool
    flags: list[str]
    webgpu: Literal["hardware", "software", "none"]
    adapter: Adapter | None = None

    @property
    def title(self) -> str:
        """One line for people."""
        return f"{self.name} {self.version}"


class SiteEntry(_Part):
    """The site that was looked at, from its manifest."""

    path: str
    name: str
    title: str
    task: str
    source: str
    golden_origin: str = ""
    tools: Tools
    variants: list[VariantLine] = Field(default_factory=list, description="how each was made; best first")


class Problem(_Part):
    """Something that a page did wrong; each one fails its page."""

    kind: ProblemKind
    text: str
    where: str = ""


class ParityEntry(_Part):
    """Measured against the golden. A value of null is an infinite error: an output missing, misshapen, not finite."""

    metric: str
    value: float | None
    threshold: float
    max_abs_error: float | None
    by_sample: list[float | None] = Field(default_factory=list)

    @property
    def good(self) -> bool:
        """Whether the worst sample is within the threshold."""
        return self.value is not None and self.value <= self.threshold


class GpuWork(_Part):
    """What the page asked of the GPU while the golden ran."""

    dispatches: int = 0
    submits: int = 0
    maps: int = 0
    bytes_read: int = 0


class PageEntry(_Part):
    """One page, from its first byte to its end."""

    url: str
    status: str = ""
    backend: str = ""
    variant: str = ""
    reason: str = ""
    isolated: bool | None = None
    threads: int | None = None
    adapter: Adapter | None = None
    gpu: GpuWork | None = None
    load_ms: float | None = None
    first_run_ms: float | None = None
    run_ms: list[float] = Field(default_factory=list)
    downloaded_bytes: int = 0
    request_count: int = 0
    long_tasks_ms: list[float] | None = Field(
        default=None, description="main-thread tasks over 50 ms while loading or running; null where not measurable"
    )
    problems: list[Problem] = Field(default_factory=list)
    warnings: list[str] = Field(default_factory=list)
    attempts: list[dict[str, Any]] = Field(default_factory=list)
    screenshot: str = Field(default="", description="file name beside the report, empty where none was taken")
    screenshot_png: bytes = Field(default=b"", exclude=True, repr=False)
    phone_screenshot: str = Field(default="", description="the same page as a phone shows it")
    phone_screenshot_png: bytes = Field(default=b"", exclude=True, repr=False)
    pictures: list[Picture] = Field(default_factory=list)
    chat: list[TurnEntry] = Field(default_factory=list, description="a chat that was held on the page")


class _Result(_Part):
    model: str = Field(default="", description="which of the site's bundles; empty where there is only one")
    verdict: Verdict
    reason: str = ""
    samples_run: int = 0
    samples_total: int = 0
    parity: ParityEntry | None = None
    agreement: AgreementEntry | None = Field(default=None, description="of a model that talks")
    page: PageEntry | None = None
    duration_ms: float = 0.0


class PairEntry(_Result):
    """One variant on one backend."""

    variant: str
    backend: Backend

    @property
    def title(self) -> str:
        """One line for people."""
        return f"{self.model}: " * bool(self.model) + f"{self.variant} on {self.backend}"


class SearchEntry(_Result):
    """The search of a page, with one variant on one backend; `samples` are questions."""

    variant: str
    backend: Backend
    retrieval: RetrievalEntry | None = None

    @property
    def title(self) -> str:
        """One line for people."""
        return f"search: {self.model} {self.variant} on {self.backend}"


class AskEntry(_Result):
    """Questions asked through the page's own form, found with one variant; `samples` are questions."""

    variant: str
    backend: Backend
    answers: list[AskedEntry] = Field(default_factory=list)

    @property
    def title(self) -> str:
        """One line for people."""
        return f"asking: {self.model} {self.variant} on {self.backend}"


class WorldEntry(_Result):
    """The site as some visitors meet it: without a WebGPU adapter, or without cross-origin isolation."""

    name: WorldName
    title: str


AnyResult = PairEntry | SearchEntry | AskEntry | WorldEntry


class CheckReport(_Part):
    """What `check` saw."""

    schema_: int = Field(alias="schema", default=REPORT_VERSION)
    kind: Literal["check"] = "check"
    started: str = Field(description="ISO 8601, UTC")
    duration_s: float
    machine: str
    webgpu_kit: str
    strict: bool
    site: SiteEntry
    browser: BrowserEntry
    pairs: list[PairEntry]
    searches: list[SearchEntry] = Field(default_factory=list)
    asks: list[AskEntry] = Field(default_factory=list)
    worlds: list[WorldEntry]

    model_config = ConfigDict(extra="ignore", serialize_by_alias=True, populate_by_name=True)

    @property
    def results(self) -> list[AnyResult]:
        """Pairs, then searches and questions, then worlds."""
        return [*self.pairs, *self.searches, *self.asks, *self.worlds]

    @property
    def lacks_questions(self) -> bool:
        """Whether the site searches, and nothing came with it to measure that by."""
        return self.site.task == "rag" and not self.searches

    @property
    def pages(self) -> list[PageEntry]:
        """Every page that was opened."""
        return [result.page for result in self.results if result.page]

    def count(self, verdict: Verdict) -> int:
        """How many pairs and worlds came to `verdict`."""
        return sum(result.verdict == verdict for result in self.results)

    @computed_field  # type: ignore[prop-decorator]
    @property
    def ok(self) -> bool:
        """Nothing failed and at least one pair was proved; with `strict`, everything was."""
        proved = any(pair.verdict == "passed" for pair in self.pairs)
        return proved and not self.count("failed") and not (self.strict and self.count("not-verified"))

    @computed_field  # type: ignore[prop-decorator]
    @property
    def verdict(self) -> str:
        """The whole report in one sentence."""
        failed, unverified, passed = (self.count(verdict) for verdict in ("failed", "not-verified", "passed"))
        title, count = f'"{self.site.title}"', len(self.results)
        if failed:
            return f"{title} is not right: {failed} of {count} check{'s' if count > 1 else ''} failed."
        if self.ok:
            rest = f"; {unverified} could not be verified here" if unverified else ""
            return (
                f"{title} gives the original model's answers: {passed} check{'s' if passed > 1 else ''} passed{rest}."
            )
        return f"{title} is not proved: {unverified} of {count} checks could not be verified here."

    @property
    def exit_code(self) -> int:
        """0 good, 1 failed."""
        return 0 if self.ok else 1


class LoadEntry(_Part):
    """One load of the page until it is ready."""

    ready_ms: float
    downloaded_bytes: int
    request_count: int


class NativeEntry(_Part):
    """The same graph in onnxruntime on this machine's CPU, or the reason why not."""

    median_ms: float | None = None
    fastest_ms: float | None = None
    threads: int = 0
    reason: str = ""


class BenchRow(_Part):
    """One variant on one backend. Where `reason` is not empty, it was not measured."""

    model: str = Field(default="", description="which of the site's bundles; empty where there is only one")
    variant: str
    backend: Backend
    software: bool = Field(default=False, description="WebGPU on a software adapter: its times say nothing about GPUs")
    reason: str = ""
    threads: int | None = None
    cold: LoadEntry | None = None
    warm: LoadEntry | None = None
    first_answer_ms: float | None = None
    median_ms: float | None = None
    fastest_ms: float | None = None
    runs: int = 0
    gpu_per_run: GpuWork | None = None
    native: NativeEntry | None = None
    longest_task_ms: float | None = None


class BenchReport(_Part):
    """What `bench` measured."""

    schema_: int = Field(alias="schema", default=REPORT_VERSION)
    kind: Literal["bench"] = "bench"
    started: str = Field(description="ISO 8601, UTC")
    duration_s: float
    machine: str
    webgpu_kit: str
    site: SiteEntry
    browser: BrowserEntry
    rows: list[BenchRow]

    model_config = ConfigDict(extra="ignore", serialize_by_alias=True, populate_by_name=True)

    @computed_field  # type: ignore[prop-decorator]
    @property
    def ok(self) -> bool:
        """At least one pair was measured."""
        return any(not row.reason for row in self.rows)

    @property
    def exit_code(self) -> int:
        """0 good, 1 failed."""
        return 0 if self.ok else 1


class DoctorItem(_Part):
    """One thing this machine has or lacks; `optional` is a lack that serving, checking and building an .onnx bear."""

    name: str
    state: Literal["ok", "missing", "optional"]
    found: str
    fix: str = ""


class DoctorReport(_Part):
    """What `doctor` found on this machine."""

    schema_: int = Field(alias="schema", default=REPORT_VERSION)
    kind: Literal["doctor"] = "doctor"
    machine: str
    items: list[DoctorItem]
    adapters: list[Adapter] = Field(default_factory=list)

    model_config = ConfigDict(extra="ignore", serialize_by_alias=True, populate_by_name=True)

    @computed_field  # type: ignore[prop-decorator]
    @property
    def ok(self) -> bool:
        """Nothing that the main job needs is missing."""
        return all(item.state != "missing" for item in self.items)

    @property
    def exit_code(self) -> int:
        """0 good, 1 failed."""
        return 0 if self.ok else 1
