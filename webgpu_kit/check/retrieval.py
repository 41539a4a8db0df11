"""Asking a page that searches: it indexes its sample documents, and is asked the recorded questions.

What is asked of the page is what its visitors do; only the places of the passages are read behind its back.
"""

from __future__ import annotations

import asyncio
import random
from typing import TYPE_CHECKING, Any

from webgpu_kit.browser.page import POLL_S, Visit
from webgpu_kit.browser.patience import Stopwatch
from webgpu_kit.check.ranking import DEEPEST, Answered
from webgpu_kit.errors import CheckError
from webgpu_kit.questions import RecordedQuestions
from webgpu_kit.report import GpuWork

if TYPE_CHECKING:
    from playwright import async_api

AT_ONCE = 5
# A software GPU takes seconds for an embedding: there fewer have to do when the time is over.
LEAST_QUESTIONS = 40

READ_SHELF = """() => ({
    isOpen: document.querySelector("#collection")?.options.length > 0,
    isBusy: !document.querySelector("#indexing")?.hidden,
    done: document.querySelector("#indexing-bar")?.value ?? 0,
    documents: document.querySelectorAll(".document").length,
    problems: [...document.querySelectorAll(".problem")].map((each) => each.textContent),
})"""
BEGIN_COLLECTION = "() => document.querySelector('#collection-new').click()"
# What the page has indexed, read as it keeps it, and the same passages with the original's embeddings.
OPEN_INDEX = """async (address) => {
    const [{ identifyModel, startSearch }, { Collection }, { decodeTensor }, { pickRelevant }] = await Promise.all(
        ["kit/search/client.js", "kit/search/collection.js", "kit/tensors.js", "relevance.js"]
            .map((path) => import(new URL(path, document.baseURI).href)));
    const index = startSearch();
    const model = identifyModel(kit.manifest, kit.variant);
    const { documents } = await index.open({ name: document.querySelector("#collection").value, model });
    const response = await fetch(new URL(address, document.baseURI));
    if (!response.ok) throw new Error(`${address}: the server answered ${response.status}`);
    const golden = await response.json();
    const read = await Promise.all(documents.map(({ id }) => index.read(id)));
    const order = [...new Set(golden.passages.map(([name]) => name))];
    read.sort((a, b) => order.indexOf(a.name) - order.indexOf(b.name));
    const passages = read.flatMap(({ name, text, passages }) =>
        passages.map(({ start, end }) => [name, text.slice(start, end)]));
    const tensors = [golden.passage_vectors, golden.question_vectors].map((each) => decodeTensor(each).data);
    return { index, pickRelevant, Collection, golden, read, passages, tensors };
}"""
COPY_INDEX = """({ index, Collection, read, passages, tensors: [rows] }) => {
    const { dimensions } = kit.manifest.settings;
    const original = new Collection(dimensions);
    for (let place = 0, start = 0; place < read.length; place++) {
        const end = start + read[place].passages.length * dimensions;
        original.add({ document: read[place], vectors: rows.slice(start, end) });
        start = end;
    }
    return original;
}"""
ASK = """async ({ opened, original, asked, shown, deepest }) => {
    const { index, golden, read, pickRelevant, tensors: [, questions] } = opened;
    const { dimensions } = kit.manifest.settings;
    const firsts = new Map();
    let count = 0;
    for (const { id, passages } of read) {
        firsts.set(id, count);
        count += passages.length;
    }
    const answers = [];
    for (const place of asked) {
        const { text, passages } = golden.questions[place];
        const find = (found) =>
            found.findIndex((each) => passages.includes(firsts.get(each.documentId) + each.passage)) + 1;
        const { embeddings: vector } = await kit.embed({ inputs: [text], cut: true });
        const found = await index.search({ vector, query: text, count: 2 * deepest });
        const best = [...found].sort((a, b) => b.score - a.score).slice(0, deepest);
        const recorded = questions.slice(place * dimensions, (place + 1) * dimensions);
        const theirs = original.search(recorded, text, 2 * deepest);
        const places = { meaning: find(best), ranked: find(found), original: find(theirs) };
        const relevant = await pickRelevant(text, found.slice(0, shown), (texts) => kit.countTokens(texts));
        answers.push({ ...places, isRelevant: relevant.length > 0 });
    }
    return answers;
}"""
READ_GPU = (
    "async () => { const { bytesRead, ...rest } = await kit.stats(); return { ...rest, bytes_read: bytesRead }; }"
)
# As many passages as the page shows: it judges by these.
SHOWN_PASSAGES = 8


async def index_samples(visit: Visit, count: int) -> None:
    """Press the button that adds the sample documents, and wait until all `count` are indexed. Raises: CheckError."""
    waited, last = Stopwatch(), None
    began = pressed = False
    known: list[str] = []
    while True:
        shelf = await visit.guard("the page is frozen", visit.page.evaluate(READ_SHELF))
        if shelf["isOpen"] and shelf["problems"] and not began and not pressed:
            raise CheckError(f"the search: the index that came with the page: {shelf['problems'][0]}")
        if shelf["isOpen"] and shelf["documents"] and not pressed:
            # An index that came with the page. The visitor's own collections begin empty.
            if not began:
                # The name that the page proposes: accepted without one, there is none.
                visit.page.once("dialog", lambda dialog: dialog.accept(dialog.default_value))
                await visit.guard("the search: no collection can be begun", visit.page.evaluate(BEGIN_COLLECTION))
            began = True
        elif shelf["isOpen"] and not pressed:
            await visit.guard("the search: the sample documents cannot be added", visit.page.click("#add-samples"))
            pressed, known = True, shelf["problems"]
        elif pressed and not shelf["isBusy"] and shelf["documents"] == count:
            return
        elif pressed and not shelf["isBusy"] and shelf["problems"] and shelf["problems"] != known:
            # What the page says of a document that it has taken is no fault.
            raise CheckError(f"the search: {shelf['documents']} of {count} documents: {shelf['problems'][0]}")
        if shelf != last:
            last = shelf
            waited.restart()
        if waited.seconds() > visit.patience.busy_s:
            raise CheckError(
                f"the search: {shelf['documents']} of {count} documents, no more for {waited.seconds():.0f} s"
            )
        await asyncio.sleep(POLL_S)


async def ask_questions(visit: Visit, golden: RecordedQuestions) -> tuple[list[Answered], GpuWork]:
    """Ask as many questions as there is time for, in an order that mixes them. Raises: CheckError."""
    opened = await visit.guard("the index cannot be read", visit.page.evaluate_handle(OPEN_INDEX, golden.path))
    passages = await visit.page.evaluate("({ passages }) => passages", opened)
    explain_passages(golden, [(document, text) for document, text in passages])
    original = await visit.guard("the index cannot be copied", visit.page.evaluate_handle(COPY_INDEX, opened))
    before = await count_gpu_work(visit)
    order = list(range(len(golden.questions)))
    random.Random(0).shuffle(order)
    clock, answers = Stopwatch(), list[Answered]()
    for start in range(0, len(order), AT_ONCE):
        if start >= LEAST_QUESTIONS and clock.seconds() > visit.patience.budget_s:
            break
        answers += await _ask(visit, opened, original, order[start : start + AT_ONCE])
    after = await count_gpu_work(visit)
    names = GpuWork.model_fields
    return answers, GpuWork(**{name: getattr(after, name) - getattr(before, name) for name in names})


async def count_gpu_work(visit: Visit) -> GpuWork:
    """What the model that searches has asked of the GPU so far."""
    return GpuWork.model_validate(await visit.guard("the page is frozen", visit.page.evaluate(READ_GPU)))


async def _ask(
    visit: Visit, opened: async_api.JSHandle, original: async_api.JSHandle, places: list[int]
) -> list[Answered]:
    argument: dict[str, Any] = {"opened": opened, "original": original, "asked": places}
    argument |= {"shown": SHOWN_PASSAGES, "deepest": DEEPEST}
    found = await visit.guard("a question was not answered", visit.page.evaluate(ASK, argument), visit.patience.busy_s)
    return [
        Answered(place, each["meaning"], each["ranked"], each["original"], each["isRelevant"])
        for place, each in zip(places, found, strict=True)
    ]


def explain_passages(golden: RecordedQuestions, passages: list[tuple[str, str]]) -> None:
    """Raise CheckError unless the page made the passages of the golden."""
    if passages == list(golden.passages):
        return
    pairs = zip(passages, golden.passages, strict=False)
    differing = next((place for place, (mine, theirs) in enumerate(pairs) if mine != theirs), None)
    if differing is None:
        raise CheckError(
            f"the page splits its documents into {len(passages)} passages, {len(golden.passages)} are recorded"
        )
    raise CheckError(
        f"passage {differing} of the page is {passages[differing][1][:60]!r}, "
        f"recorded is {golden.passages[differing][1][:60]!r}"
    )


async def show_search(visit: Visit, text: str) -> None:
    """Type a question as a visitor would, and see passages come. Raises: CheckError."""
    await visit.guard("the search: nothing can be typed", visit.page.fill("#question", text))
    waited = Stopwatch()
    while not await visit.guard(
        "the page is frozen", visit.page.evaluate("document.querySelectorAll('.passage').length")
    ):
        if waited.seconds() > visit.patience.stall_s:
            raise CheckError(f"the search: the page shows no passage for {text!r} for {waited.seconds():.0f} s")
        await asyncio.sleep(POLL_S)
