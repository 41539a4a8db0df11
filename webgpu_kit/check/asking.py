"""Asking a page about its sample documents, as its visitor would: write, press Ask, read, press a number, read there.

One question is about something else: the page must say so, and not answer.
"""

from __future__ import annotations

import asyncio
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from webgpu_kit.browser.page import POLL_S, Visit
from webgpu_kit.browser.patience import Stopwatch
from webgpu_kit.check.ranking import rank_by_meaning
from webgpu_kit.errors import CheckError
from webgpu_kit.questions import RecordedQuestion, RecordedQuestions
from webgpu_kit.report import AskedEntry, MarkEntry, Picture

if TYPE_CHECKING:
    from playwright import async_api

# A page whose embeddings are rounded may put a question so much nearer to a passage than the original does.
ROUNDED_COSINE = 0.02
# An answer that is still coming after this share of the golden's time is stopped, as a visitor would.
ANSWER_SHARE = 2 / 3
# Until its last piece of text is on the page, an answer grows at least so often; a word or two come at once.
LEAST_DRAFTS = 2
AT_ONCE_CHARACTERS = 16

WATCH_DRAFTS = """() => {
    const text = document.querySelector("#answer-text");
    const drafts = [];
    const note = () => {
        const length = text.classList.contains("is-draft") ? text.textContent.length : 0;
        if (length && length !== drafts.at(-1)?.length) drafts.push({ length, ms: performance.now() });
    };
    new MutationObserver(note).observe(text, { childList: true, characterData: true, subtree: true, attributes: true });
    return { drafts, startedAt: performance.now() };
}"""
READ_ANSWER = """({ drafts, startedAt }) => {
    const section = document.querySelector("#answer");
    const { state = "", ending = "", variant = "", backend = "" } = section.dataset;
    const say = (selector) => document.querySelector(selector).textContent.trim();
    const answer = document.querySelector("#answer-text");
    const sentence = (cite) => ({
        number: Number(cite.textContent), sentence: (cite.previousSibling?.textContent ?? "").trim(),
    });
    const spell = (part) => part.nodeType === Node.ELEMENT_NODE ? ` [${part.textContent}]` : part.textContent;
    return {
        state, ending, variant, backend, asked: say("#answer-question"), note: say("#answer-note"),
        isDraft: answer.classList.contains("is-draft"), text: [...answer.childNodes].map(spell).join(""),
        cites: [...answer.querySelectorAll(".cite")].map(sentence),
        passages: [...document.querySelectorAll(".passage")].map((each) => ({
            number: Number(each.querySelector(".badge").textContent),
            place: each.querySelector(".passage-place").textContent,
            text: each.querySelector(".passage-text").textContent,
        })),
        found: say("#found-note"),
        drafts: drafts.length, first_text_ms: drafts.length ? drafts[0].ms - startedAt : null,
        answer_ms: performance.now() - startedAt,
    };
}"""
# The whole of a mark can be longer than what is seen of the document: its beginning or its end must be.
READ_PLACE = """() => {
    const marks = [...document.querySelectorAll("#reader mark")];
    const seen = document.querySelector("#reader-body").getBoundingClientRect();
    const isSeen = ({ top, bottom }) => Math.min(bottom, seen.bottom) - Math.max(top, seen.top) > 8;
    return {
        isOpen: document.querySelector("#reader").open,
        document: document.querySelector("#reader-title").textContent,
        marked: marks.map((mark) => mark.textContent).join("\\n"),
        isSeen: marks.some((mark) => isSeen(mark.getBoundingClientRect())),
    };
}"""
IS_RELEVANT = """async (score) => {
    const { isRelevant } = await import(new URL("relevance.js", document.baseURI).href);
    return isRelevant([{ score }]);
}"""


@dataclass(frozen=True)
class Topics:
    """The questions that are asked: one that a passage answers, and one about something else, with its nearest cosine.

    `nearest` is 0 where no such question came with the site.
    """

    answered: RecordedQuestion
    passage: str
    other: RecordedQuestion | None
    nearest: float


def choose_topics(golden: RecordedQuestions) -> Topics:
    """The first question whose passage the original model puts first, and the one that is furthest from everything."""
    places = rank_by_meaning(golden)
    known = [question for question in golden.questions if question.passages]
    found = [golden.questions[index] for index, place in enumerate(places) if place == 1]
    answered = (found or known)[0]
    cosines = (golden.question_vectors @ golden.passage_vectors.T).max(axis=1).tolist()
    others = [(cosine, index) for index, cosine in enumerate(cosines) if not golden.questions[index].passages]
    nearest, index = min(others, default=(0.0, -1))
    return Topics(
        answered,
        golden.passages[answered.passages[0]][1] if found else "",
        golden.questions[index] if index >= 0 else None,
        nearest,
    )


async def ask_about(visit: Visit, topics: Topics) -> list[AskedEntry]:
    """Ask both, the one about something else first, so that the page ends with an answer. Raises: CheckError."""
    entries = []
    if topics.other:
        entries.append(await _ask_other(visit, topics.other.text, topics.nearest))
    found, entry = await _ask(visit, topics.answered.text)
    entries.append(entry)
    explain_answer(entry, found, topics.passage)
    for place, cite in enumerate(found["cites"]):
        entry.marks.append(await _open_mark(visit, place, cite, found["passages"]))
    return entries


async def picture_rest(visit: Visit, topics: Topics, entries: list[AskedEntry]) -> list[Picture]:
    """What the answer's picture does not show: the place that a number leads to, and a question that is refused."""
    pictures = []
    if entries[-1].marks:
        await _press(visit, "#answer-text .cite", 0)
        await _await_place(visit)
        pictures.append(Picture(title="the place in the document", png=await visit.take_screenshot()))
        await visit.guard("the document stays open", visit.page.keyboard.press("Escape"))
    if topics.other and entries[0].ending == "refused":
        await _ask(visit, topics.other.text)
        pictures.append(Picture(title="a question about something else", png=await visit.take_screenshot()))
    return pictures


async def _ask_other(visit: Visit, question: str, nearest: float) -> AskedEntry:
    """A question that the page should not answer, unless the original model finds it as near."""
    _, entry = await _ask(visit, question)
    near = await visit.guard("relevance.js cannot be read", visit.page.evaluate(IS_RELEVANT, nearest + ROUNDED_COSINE))
    if entry.ending == "refused" and (entry.answer or entry.passages or not entry.note):
        raise CheckError(
            f"the question {question!r} is refused with {entry.note!r}, and passages or an answer are shown"
        )
    if entry.ending != "refused" and not near:
        raise CheckError(f"the page answers {question!r}, which is about something else: {entry.answer!r}")
    return entry


async def _ask(visit: Visit, question: str) -> tuple[dict[str, Any], AskedEntry]:
    """Write `question` into the form, press Ask, and wait for the end."""
    await visit.guard("nothing can be asked", visit.page.fill("#question", ""))
    await visit.guard("nothing can be asked", visit.page.locator("#question").press_sequentially(question))
    watch = await visit.guard("the page is frozen", visit.page.evaluate_handle(WATCH_DRAFTS))
    await _press(visit, "#ask", 0)
    found = await _await_answer(visit, watch, question)
    pair = f"{found['variant']} on {found['backend']}" if found["variant"] else ""
    entry = AskedEntry(
        asked=question,
        ending=found["ending"],
        answer=" ".join(found["text"].split()),
        note=found["note"],
        drafts=found["drafts"],
        first_text_ms=found["first_text_ms"],
        answer_ms=round(found["answer_ms"], 1),
        model=pair,
        passages=[each["place"] for each in found["passages"]],
    )
    return found, entry


async def _await_answer(visit: Visit, watch: async_api.JSHandle, question: str) -> dict[str, Any]:
    waited, stopped = Stopwatch(), False
    while True:
        await asyncio.sleep(POLL_S)
        found: dict[str, Any] = await visit.guard("the page is frozen", visit.page.evaluate(READ_ANSWER, watch))
        if found["asked"] == question and found["state"] == "done":
            break
        is_long = waited.seconds() > visit.patience.budget_s * ANSWER_SHARE
        if is_long and found["drafts"] >= LEAST_DRAFTS and not stopped:
            await _press(visit, "#answer-stop", 0)
            stopped = True
        if waited.seconds() > visit.patience.busy_s:
            raise CheckError(f"no answer to {question!r} for {waited.seconds():.0f} s; the page says {found['note']!r}")
    if found["ending"] == "failed":
        raise CheckError(f"the answer to {question!r} failed: {found['note']}")
    return found


def explain_answer(entry: AskedEntry, found: dict[str, Any], passage: str) -> None:
    """Raise CheckError unless the answer came bit by bit, with a number for each sentence, over the right passage."""
    what = f"the answer to {entry.asked!r}"
    if entry.ending == "refused" or not entry.answer:
        raise CheckError(f"{what} is missing: the page says {entry.note!r}")
    if len(entry.answer) > AT_ONCE_CHARACTERS and entry.drafts < LEAST_DRAFTS:
        raise CheckError(f"{what} did not come bit by bit: the page showed {entry.drafts} of its beginnings")
    if found["isDraft"] or not found["cites"]:
        raise CheckError(f"{what} has no numbers that lead to its passages")
    if [each["number"] for each in found["passages"]] != list(range(1, len(found["passages"]) + 1)):
        raise CheckError(f"{what}: the passages below it are not numbered from 1")
    if passage and not any(is_same_text(passage, each["text"]) for each in found["passages"]):
        raise CheckError(f"{what}: the passage that answers it is not among those that are shown: {passage[:60]!r}")


async def _open_mark(visit: Visit, place: int, cite: dict[str, Any], passages: list[dict[str, Any]]) -> MarkEntry:
    """Press the number behind a sentence, and see the passage of that number marked in its document."""
    number = cite["number"]
    passage = next((each for each in passages if each["number"] == number), None)
    if passage is None:
        raise CheckError(f"the sentence {cite['sentence']!r} has the number {number}, and there is no such passage")
    await _press(visit, "#answer-text .cite", place)
    found = await _await_place(visit)
    await visit.guard("the document stays open", visit.page.keyboard.press("Escape"))
    if found["document"] != passage["place"] or not is_same_text(found["marked"], passage["text"]):
        raise CheckError(
            f"number {number} is {passage['place']} {passage['text'][:40]!r}, "
            f"and opens {found['document']} at {found['marked'][:40]!r}"
        )
    return MarkEntry(
        number=number, sentence=cite["sentence"], document=found["document"], marked=" ".join(found["marked"].split())
    )


async def _await_place(visit: Visit) -> dict[str, Any]:
    """Wait until a document is open with its mark in sight: the page may scroll there slowly."""
    waited = Stopwatch()
    while True:
        found: dict[str, Any] = await visit.guard("the page is frozen", visit.page.evaluate(READ_PLACE))
        if found["isOpen"] and found["isSeen"]:
            return found
        if waited.seconds() > visit.patience.stall_s:
            state = "is not in sight" if found["marked"] else "is missing"
            raise CheckError(f"the mark in the document {found['document']!r} {state} for {waited.seconds():.0f} s")
        await asyncio.sleep(POLL_S)


async def _press(visit: Visit, selector: str, index: int) -> None:
    limit_s = visit.patience.stall_s
    pressing = visit.page.locator(selector).nth(index).click(timeout=limit_s * 1000)
    await visit.guard(f"{selector} cannot be pressed", pressing, limit_s + 1)


def is_same_text(one: str, other: str) -> bool:
    """Whether two showings of a text say the same: a list sets headings off, a document draws them."""
    first, second = (re.sub(r"[\W_]+", "", text) for text in (one, other))
    return first == second
