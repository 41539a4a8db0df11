"""The chat page and the API behind it, with a language model of a few thousand seeded weights."""

from __future__ import annotations

from typing import Any

import pytest

from browser.conftest import FindPage
from browser.watched_page import WatchedPage

CREATE = """async (request) => {
    try { return await window.kit.chat.completions.create(request); }
    catch (error) { return { refused: error.message, code: error.code }; }
}"""
STREAM = """async (request) => {
    const chunks = [];
    const stream = await window.kit.chat.completions.create({ ...request, stream: true });
    for await (const chunk of stream) chunks.push(chunk);
    return chunks;
}"""
HELLO = [{"role": "user", "content": "hello world"}]


@pytest.fixture(scope="module", params=["wasm", "webgpu"])
def page(request: pytest.FixtureRequest, find_talking_page: FindPage) -> WatchedPage:
    return find_talking_page(request.param)


def create(page: WatchedPage, **request: Any) -> Any:
    return page.page.evaluate(CREATE, {"messages": HELLO, "max_tokens": 8, **request})


def limit_answers(page: WatchedPage, tokens: int) -> None:
    page.page.click("#settings-open")
    page.page.fill("#max_tokens", str(tokens))
    page.page.keyboard.press("Escape")


def test_an_answer_has_the_shape_that_openai_gives(page: WatchedPage) -> None:
    answer = create(page, temperature=0)
    assert answer["object"] == "chat.completion" and answer["choices"][0]["message"]["role"] == "assistant"
    assert answer["choices"][0]["finish_reason"] in ("stop", "length")
    usage = answer["usage"]
    assert usage["total_tokens"] == usage["prompt_tokens"] + usage["completion_tokens"]
    assert 0 < usage["completion_tokens"] <= 8


def test_a_stream_says_what_the_whole_answer_says(page: WatchedPage) -> None:
    whole = create(page, temperature=0)["choices"][0]["message"]["content"]
    chunks = page.page.evaluate(STREAM, {"messages": HELLO, "max_tokens": 8, "temperature": 0})
    assert all(chunk["object"] == "chat.completion.chunk" for chunk in chunks)
    assert "".join(chunk["choices"][0]["delta"].get("content") or "" for chunk in chunks) == whole
    assert chunks[-1]["choices"][0]["finish_reason"] in ("stop", "length")


def test_the_same_seed_gives_the_same_text(page: WatchedPage) -> None:
    first, again, other = (
        create(page, temperature=1.5, seed=seed)["choices"][0]["message"]["content"] for seed in (7, 7, 8)
    )
    assert first == again != other


def test_a_second_turn_reads_only_what_is_new(page: WatchedPage) -> None:
    answer = create(page, temperature=0)["choices"][0]["message"]
    create(page, temperature=0, messages=[*HELLO, answer, {"role": "user", "content": "hello"}])
    timings = page.page.evaluate("window.kit.timings")
    assert timings["cachedTokens"] > 0 and timings["promptTokens"] > timings["cachedTokens"]


@pytest.mark.parametrize("request_", [{"messages": [{"role": "user", "content": "hello " * 400}]}, {"messages": "hi"}])
def test_what_cannot_be_answered_is_refused_and_the_next_is_answered(
    page: WatchedPage, request_: dict[str, Any]
) -> None:
    assert create(page, **request_)["refused"]
    assert create(page, temperature=0)["choices"]


def test_a_message_sent_on_the_page_is_answered_there(page: WatchedPage) -> None:
    said = "hello <img src=x onerror=alert(1)>"
    if page.status["backend"] == "webgpu":
        limit_answers(page, 8)  # a software adapter needs a minute for an answer that the page does not cut
    page.page.fill("#prompt", said)
    page.page.keyboard.press("Enter")
    page.until("document.querySelector('.turn-answer')?.dataset.state === 'done'")
    assert page.page.get_by_text(said, exact=True).count() and not page.page.locator(".chat img").count()
