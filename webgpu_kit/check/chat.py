"""A chat through the page itself: write, send, read the answer as it comes, write again, stop, ask for another."""

from __future__ import annotations

import asyncio
from typing import Any

from webgpu_kit.browser.page import POLL_S, Visit
from webgpu_kit.browser.patience import Stopwatch
from webgpu_kit.errors import CheckError
from webgpu_kit.report import Action, TurnEntry

QUESTIONS = ("Hello! What can you help me with?", "Tell me more about the first of these.")
# An answer that is still coming after this share of the golden's time is stopped, as a visitor would.
TURN_SHARE = 1 / 3
# Set in the drawer, so that two turns fit a small context, and a slow device is not kept for minutes.
LONGEST_ANSWER = 48
SHOWN_CHARACTERS = 400

READ_CHAT = """() => {
    const answers = document.querySelectorAll(".turn-answer");
    const last = answers[answers.length - 1];
    return {
        count: answers.length,
        state: last?.dataset.state ?? "", ending: last?.dataset.ending ?? "",
        text: last?.querySelector(".prose")?.innerText ?? "",
        note: last?.querySelector(".turn-note")?.innerText ?? "",
        figures: last?.querySelector(".turn-figures")?.textContent ?? "",
        problem: document.querySelector("#composer-problem")?.textContent ?? "",
        status: document.documentElement.dataset.kitStatus, reason: document.documentElement.dataset.kitReason,
        timings: { ...window.kit.timings },
    };
}"""


async def hold_chat(visit: Visit, is_whole: bool) -> list[TurnEntry]:
    """Two questions, a stop and another try; `is_whole` False is one question only. Raises: CheckError."""
    first, second = QUESTIONS
    await _shorten_answers(visit)
    await _write(visit, first)
    await visit.page.keyboard.press("Enter")
    turns = [await _await_answer(visit, "sent", first, 1)]
    if is_whole and turns[0].ending != "full":
        await _write(visit, second)
        await _click(visit, "#send")
        turns.append(await _await_answer(visit, "stopped", second, 2))
        await _answer_again(visit)
        turns.append(await _await_answer(visit, "answered again", second, 2))
    for turn in turns[1:]:
        if turn.cached_tokens < turns[0].prompt_tokens // 2:
            raise CheckError(
                f"the chat: turn {turn.asked!r} read all its {turn.prompt_tokens} tokens again: "
                f"only {turn.cached_tokens} came from the cache"
            )
    return turns


async def _shorten_answers(visit: Visit) -> None:
    await _click(visit, "#settings-open")
    await visit.guard(
        "the chat: the settings take nothing", visit.page.locator("#max_tokens").fill(str(LONGEST_ANSWER))
    )
    await visit.guard("the chat: the settings stay open", visit.page.keyboard.press("Escape"))


async def _write(visit: Visit, text: str) -> None:
    await _click(visit, "#prompt")
    await visit.guard("the chat: nothing can be typed", visit.page.keyboard.type(text))


async def _click(visit: Visit, selector: str) -> None:
    limit_s = visit.patience.stall_s
    await visit.guard(
        f"the chat: {selector} cannot be pressed",
        visit.page.locator(selector).click(timeout=limit_s * 1000),
        limit_s + 1,
    )


async def _answer_again(visit: Visit) -> None:
    """Press the button below the last answer, and see that answer go."""
    old = await visit.page.query_selector(".turn-answer:last-child")
    await _click(visit, ".turn-answer:last-child .turn-again button")
    waited = Stopwatch()
    while old and await old.evaluate("element => element.isConnected"):
        await asyncio.sleep(POLL_S)
        if waited.seconds() > visit.patience.stall_s:
            raise CheckError(f"the chat: the answer was to be made anew, and stays for {waited.seconds():.0f} s")


async def _await_answer(visit: Visit, action: Action, asked: str, count: int) -> TurnEntry:
    """Wait for answer number `count`; stop it at its first words where that is the action, or when time is over."""
    waited, stopped = Stopwatch(), False
    while True:
        await asyncio.sleep(POLL_S)
        found = await visit.guard("the page is frozen", visit.page.evaluate(READ_CHAT))
        # A stopped answer's figures come once the model has put it down.
        is_over = found["state"] == "done" and (found["figures"] or found["ending"] != "stopped")
        if found["count"] == count and is_over:
            return _describe_turn(action, asked, found)
        enough = action == "stopped" or waited.seconds() > visit.patience.budget_s * TURN_SHARE
        if enough and not stopped and found["state"] == "open" and found["text"].strip():
            stopped = await _stop(visit)
        if waited.seconds() > visit.patience.busy_s:
            raise CheckError(f"the chat: no answer to {asked!r} for {waited.seconds():.0f} s, it is {found['state']!r}")


async def _stop(visit: Visit) -> bool:
    from playwright.async_api import Error

    try:
        await visit.page.locator("#stop").click(timeout=1000)
    except Error:  # the answer came to its end in this very moment
        return False
    return True


def _describe_turn(action: Action, asked: str, found: dict[str, Any]) -> TurnEntry:
    timings, text = found["timings"], found["text"].strip()
    if found["ending"] == "failed" or found["status"] == "failed":
        raise CheckError(f"the chat: the answer to {asked!r} failed: {found['note'] or found['reason']}")
    if not text and timings["completionTokens"] > 1:
        raise CheckError(f"the chat: the page shows nothing of an answer of {timings['completionTokens']} tokens")
    return TurnEntry(
        action=action,
        asked=asked,
        answer=text[:SHOWN_CHARACTERS] + ("…" if len(text) > SHOWN_CHARACTERS else ""),
        ending=found["ending"],
        tokens=timings["completionTokens"],
        prompt_tokens=timings["promptTokens"],
        cached_tokens=timings["cachedTokens"],
        tokens_per_second=round(timings["tokensPerSecond"], 2),
        first_token_ms=round(timings["firstTokenMs"], 1),
    )
