"""Whether a model that talks takes the same tokens as the original: given the ones before, and by itself."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from webgpu_kit.artifacts import Tensors
from webgpu_kit.browser.page import Visit
from webgpu_kit.errors import CheckError
from webgpu_kit.golden_file import RecordedAnswer, RecordedSample
from webgpu_kit.manifest import Backend
from webgpu_kit.report import AgreementEntry, GreedyEntry, ParityEntry, PartingEntry

# Float32 in another order of summation moves a logit by about 1e-4.
ROUNDING_NATS = 1e-3
# A software GPU takes seconds for a token: there a few have to do when the time is over.
LEAST_TOKENS: dict[Backend, int] = {"wasm": 64, "webgpu": 4}
SHOWN_CHARACTERS = 24

# What else a model's defaults may set must not change the likeliest token.
ASK = """async ({ messages, count, least, budgetMs }) => {
    const plain = { temperature: 0, repetition_penalty: 1, frequency_penalty: 0, presence_penalty: 0 };
    const startedAt = performance.now();
    const stream = await kit.chat.completions.create({ messages, stream: true, max_tokens: count, ...plain });
    let [text, reason, pieces] = ["", "", 0];
    for await (const { choices: [choice] } of stream) {
        if (choice.delta.content) pieces++;
        text += choice.delta.content ?? "";
        reason = choice.finish_reason ?? "";
        if (!reason && pieces >= least && performance.now() - startedAt > budgetMs) break;
    }
    const { promptTokens } = await stream.timings;
    return { text, reason, prompt_tokens: promptTokens };
}"""


@dataclass(frozen=True)
class SaidAnswer:
    """What the page said. `reason` is OpenAI's finish_reason, empty where it was cut off because time was over."""

    text: str
    reason: str
    prompt_tokens: int


async def ask_page(visit: Visit, answer: RecordedAnswer, backend: Backend) -> SaidAnswer:
    """Ask the page for a recorded answer, through the chat API that its visitors' messages go through."""
    argument = {
        "messages": answer.messages,
        "count": len(answer.token_ids),
        "least": LEAST_TOKENS[backend],
        "budgetMs": visit.patience.budget_s * 1000,
    }
    found = await visit.guard(
        "the greedy answer did not come", visit.page.evaluate(ASK, argument), visit.patience.busy_s
    )
    try:
        return SaidAnswer(str(found["text"]), str(found["reason"]), int(found["prompt_tokens"]))
    except (KeyError, TypeError, ValueError) as error:
        raise CheckError(f"the page's greedy answer cannot be read: {error!r}") from error


def compare_answer(answer: RecordedAnswer, said: SaidAnswer, parity: ParityEntry | None) -> GreedyEntry:
    """How far the page's answer is the original's. Tokens are told apart by their text.

    A variant that was measured to be off by so much in a log-probability may swap two tokens that lie that close, each
    of them: `parity` is of this page, and must itself be within its threshold.
    """
    given = said.text.rstrip("\ufffd")
    agreed = sum(given.startswith(answer.text[:end]) for end in answer.ends)
    recorded = len(answer.token_ids)
    goes_on = len(given) > len(answer.text) and given.startswith(answer.text)
    stops_early = said.reason == "stop" and given != answer.text and answer.text.startswith(given)
    if not goes_on and not stops_early and answer.text.startswith(given):
        return GreedyEntry(recorded=recorded, compared=agreed, agreed=agreed)
    place = min(agreed, recorded - 1)
    before = answer.ends[place - 1] if place else 0
    error = (parity.max_abs_error if parity else None) or 0.0
    parting = PartingEntry(
        token=place,
        margin=min(answer.margins[_find_silent(answer.ends, place) : place + 1]),
        allowed=max(ROUNDING_NATS, 2 * error),
        original=answer.text[before : answer.ends[place]],
        page=given[before : before + SHOWN_CHARACTERS],
    )
    return GreedyEntry(recorded=recorded, compared=place + 1, agreed=place, parting=parting)


def _find_silent(ends: Sequence[int], place: int) -> int:
    """Where the tokens begin that show nothing before token `place` does: the first bytes of its character."""
    while place > 0 and ends[place - 1] == (ends[place - 2] if place > 1 else 0):
        place -= 1
    return place


def count_top_1(samples: Sequence[RecordedSample], runs: Sequence[Tensors]) -> AgreementEntry | None:
    """How often the likeliest token is the original's; None for a task without such an output."""
    pairs = [
        (sample.outputs["top_ids"][:, 0], outputs["top_ids"][:, 0])
        for sample, outputs in zip(samples, runs, strict=False)
        if "top_ids" in sample.outputs
        and "top_ids" in outputs
        and len(sample.outputs["top_ids"]) == len(outputs["top_ids"])
    ]
    if not pairs:
        return None
    agreed = sum(int((wanted == given).sum()) for wanted, given in pairs)
    return AgreementEntry(positions=sum(len(wanted) for wanted, _ in pairs), agreed=agreed)


def explain_answer(greedy: GreedyEntry, answer: RecordedAnswer, said: SaidAnswer) -> list[str]:
    """Why the page's own answer is wrong; nothing if it is right, or parts where rounding decides."""
    faults = []
    if said.prompt_tokens != answer.prompt_tokens:
        faults.append(
            f"greedy answer: the page's prompt has {said.prompt_tokens} tokens, the original's {answer.prompt_tokens}: "
            "its chat template or tokenizer differs"
        )
    parting = greedy.parting
    if parting and not parting.excused:
        faults.append(
            f"greedy answer: after {parting.token} of {greedy.recorded} tokens the page says {parting.page!r}, the "
            f"original {parting.original!r}, which it found likelier by {parting.margin:.2g} nats; "
            f"rounding explains at most {parting.allowed:.2g}"
        )
    return faults
