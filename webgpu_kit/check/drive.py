"""What `check` does on a page as its visitor would. Which task's page is driven how is said here, and only here."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

from webgpu_kit.browser.page import POLL_S, READ_STATE, Visit
from webgpu_kit.browser.patience import Stopwatch
from webgpu_kit.check.chat import hold_chat
from webgpu_kit.report import TurnEntry

CLICK_TIMEOUT_MS = 2000
ANSWER_WAIT_S = 30.0
# Time for the page to notice the press, and then for its answer to move into place.
ANSWER_SETTLES_S = 1.0
# What a visitor would press to see an answer, where a page does not answer by itself.
ANSWER_CONTROLS = "#samples button, #run"

# Drives one page; False means briefly. Gives the turns of a chat, where it held one. Raises CheckError.
Drive = Callable[[Visit, bool], Awaitable[list[TurnEntry]]]


async def show_answer(visit: Visit, is_whole: bool) -> list[TurnEntry]:
    """Let the page show an answer: press what a visitor would press. A page without such a thing shows its own."""
    from playwright.async_api import Error

    control = visit.page.locator(ANSWER_CONTROLS).locator("visible=true").first
    try:
        await control.click(timeout=CLICK_TIMEOUT_MS)
    except Error:
        return []
    waited = Stopwatch()
    while waited.seconds() < ANSWER_WAIT_S:
        await asyncio.sleep(POLL_S)
        state = await visit.guard("the page is frozen", visit.page.evaluate(READ_STATE))
        if state["status"] in ("done", "failed") and waited.seconds() > ANSWER_SETTLES_S:
            break
    return []


DRIVES: dict[str, Drive] = {"text-generation": hold_chat}


def find_drive(task: str) -> Drive:
    """How the page of `task` is driven."""
    return DRIVES.get(task, show_answer)
