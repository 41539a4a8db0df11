"""What goes wrong in a chat ends well: a clear sentence, nothing frozen, and the next message is answered."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser

from browser.conftest import Serve
from browser.test_chat_page import limit_answers
from browser.watched_page import WatchedPage, prepend_to_worker, watch_page

# Resolves with what an answer became, and how much of its prompt came from the cache.
ASK = """async (request) => {
    const { content, ...rest } = { content: "hello", ...request };
    const messages = rest.messages ?? [{ role: "user", content }];
    const answer = await window.kit.chat.completions.create({ temperature: 0, max_tokens: 6, ...rest, messages });
    const { cached_tokens: cached } = answer.usage.prompt_tokens_details;
    return { text: answer.choices[0].message.content, ...answer.usage, cached };
}"""
CHATS = "Object.keys(localStorage).filter((key) => key.includes('/chats/'))"
NAMES = f"{CHATS}.map((key) => JSON.parse(localStorage.getItem(key)).name)"
RENAME = f"""(name) => {{
    const [key] = {CHATS};
    localStorage.setItem(key, JSON.stringify({{ ...JSON.parse(localStorage.getItem(key)), name }}));
}}"""
STATE = "document.querySelector('.turn-answer:last-child')?.dataset.state"


@pytest.fixture
def page(browser: Browser, serve: Serve, built_q8_speaker: Path) -> Iterator[WatchedPage]:
    with watch_page(browser, f"{serve(built_q8_speaker)}/?backend=wasm") as page:
        page.wait_until_ready()
        yield page


def send(page: WatchedPage, text: str) -> None:
    page.page.fill("#prompt", text)
    page.page.keyboard.press("Enter")


def wait_for_answer(page: WatchedPage, count: int) -> None:
    page.until(f"document.querySelectorAll('.turn-answer').length === {count} && {STATE} === 'done'")


# --- the cache over turns -------------------------------------------------------------------------------------------


def test_a_turn_reads_only_what_is_new_and_an_edit_goes_back(page: WatchedPage) -> None:
    first = page.js(ASK)
    question, said = {"role": "user", "content": "hello"}, {"role": "assistant", "content": first["text"]}
    second = page.js(ASK, {"messages": [question, said, {"role": "user", "content": "world"}]})
    assert second["cached"] >= first["prompt_tokens"]
    again = page.js(ASK, {"messages": [question, said, {"role": "user", "content": "world"}]})
    assert again["cached"] == again["prompt_tokens"] - 1
    assert again["text"] == second["text"]
    edited = page.js(ASK, {"messages": [question, said, {"role": "user", "content": "wooorld"}]})
    assert first["prompt_tokens"] <= edited["cached"] < edited["prompt_tokens"] - 1
    fresh = page.js(ASK, {"content": "something else"})
    assert fresh["cached"] < first["prompt_tokens"]
    assert page.js(ASK)["text"] == first["text"]


def test_a_full_context_is_told_and_leaving_out_the_oldest_goes_on(page: WatchedPage) -> None:
    limit_answers(page, 8)
    for count in range(1, 8):
        send(page, "hello world " * 4)
        wait_for_answer(page, count)
        # Full in the middle of an answer is one sentence; here it is the question that no longer fits.
        if page.js("document.querySelector('.turn-answer:last-child').classList.contains('is-empty')"):
            break
    assert "longer than what the model can read" in page.text(".turn-answer:last-child .turn-note p")
    page.js("document.querySelector('.turn-answer:last-child').dataset.old = ''")
    page.page.get_by_role("button", name="Leave out the oldest messages").click()
    page.until(f"{STATE} === 'done' && !('old' in document.querySelector('.turn-answer:last-child').dataset)")
    assert page.js("document.querySelector('.turn-answer:last-child').dataset.ending") in ("stop", "length")
    left_out = page.page.locator(".turn:has(~ .left-out)").count()
    assert page.text(".left-out") == f"The model no longer gets the {left_out} messages above"
    questions = page.page.locator(".turn-question:has(~ .left-out)").count()
    words = "the oldest question," if questions == 1 else f"the {questions} oldest questions,"
    assert words in page.text("#notice")
    assert page.js("window.kit.timings.promptTokens") + 8 <= 256


# --- mishaps ----------------------------------------------------------------------------------------------------------


def test_two_questions_at_once_are_answered_one_after_the_other(page: WatchedPage) -> None:
    script = f"(list) => Promise.all(list.map((content) => ({ASK})({{ content }})))"
    both = page.js(script, ["hello", "world"])
    assert [each["text"] for each in both] == [
        page.js(ASK, {"content": content})["text"] for content in ("hello", "world")
    ]


def test_two_tabs_with_the_same_chat_lose_nothing(browser: Browser, serve: Serve, built_q8_speaker: Path) -> None:
    # A slow machine, so that the answer is being made for certain while the other tab writes.
    slow = """{
        const post = self.postMessage.bind(self);
        self.postMessage = (message, transfer) => {
            post(message, transfer);
            const end = performance.now() + (message.kind === "piece" && self.isSlow ? 40 : 0);
            while (performance.now() < end);
        };
        addEventListener("message", ({ data }) => (self.isSlow = JSON.stringify(data).includes("again")));
    }"""
    url = f"{serve(built_q8_speaker)}/?backend=wasm"
    with watch_page(browser, url, prepare=lambda context: prepend_to_worker(context, slow)) as page:
        page.wait_until_ready()
        limit_answers(page, 4)
        send(page, "hello")
        wait_for_answer(page, 1)
        other = page.page.context.new_page()
        other.goto(page.page.url)
        other.click(".chat-open")
        other.wait_for_selector(".turn-answer")
        send(page, "world")
        wait_for_answer(page, 2)
        other.wait_for_selector(".turn-answer >> nth=1")
        assert other.locator(".turn-question .bubble").all_text_contents() == ["hello", "world"]
        # In the middle of an answer the chat that goes on elsewhere is left to the other tab.
        limit_answers(page, 100)
        send(page, "again")
        page.until(f"{STATE} === 'open'")
        other.evaluate(RENAME, "from the other tab")
        wait_for_answer(page, 3)
        page.until(f"{NAMES}.sort().join() === ',from the other tab'", why="both chats")
        other.close()


def test_ten_megabytes_are_refused_with_a_sentence_and_the_next_message_works(page: WatchedPage) -> None:
    page.js("""() => {
        const data = new DataTransfer();
        data.setData("text/plain", "a".repeat(10_000_000));
        const field = document.querySelector("#prompt");
        const paste = { inputType: "insertFromPaste", dataTransfer: data, bubbles: true, cancelable: true };
        field.dispatchEvent(new InputEvent("beforeinput", paste));
    }""")
    assert "10.0 MB of text; a message can have 200,000 characters" in page.text("#composer-problem")
    refused = page.js(f"() => ({ASK})({{ content: 'a'.repeat(10_000_000) }}).catch(({{ message }}) => message)")
    assert "too long" in refused
    limit_answers(page, 4)
    send(page, "hello")
    wait_for_answer(page, 1)


def test_an_empty_message_is_not_sent(page: WatchedPage) -> None:
    for text in ("", "  \n "):
        page.page.fill("#prompt", text)
        page.page.keyboard.press("Enter")
    assert page.page.locator("#send").is_disabled() and not page.page.locator(".turn").count()
    assert page.js(ASK, {"content": ""})["completion_tokens"] > 0


def test_a_stopped_answer_keeps_whole_characters_and_its_figures(page: WatchedPage) -> None:
    # Stopped after every number of tokens: this model says bytes at random, many of them halves of characters.
    stop_after = """async (count) => {
        const messages = [{ role: "user", content: "hello" }];
        const how = { temperature: 0, max_tokens: 40, stream: true };
        const stream = await window.kit.chat.completions.create({ messages, ...how });
        let text = "", pieces = 0;
        for await (const { choices: [{ delta }] } of stream) {
            text += delta.content ?? "";
            if (delta.content && ++pieces === count) break;
        }
        return { text, timings: await stream.timings };
    }"""
    whole = page.js(stop_after, 1000)["text"]
    for count in (1, 2, 5, 9):
        stopped: dict[str, Any] = page.js(stop_after, count)
        assert whole.startswith(stopped["text"]) and stopped["text"].encode("utf-8")
        assert stopped["timings"]["completionTokens"] >= count
        assert stopped["timings"]["firstTokenMs"] > 0


def test_a_worker_that_dies_in_mid_sentence_is_told_and_the_next_message_is_answered(
    browser: Browser, serve: Serve, built_q8_speaker: Path
) -> None:
    # This page's first worker dies when it has said its third piece.
    dying = """{
        const post = self.postMessage.bind(self);
        let pieces = 0;
        self.postMessage = (message, transfer) => {
            post(message, transfer);
            if (message.kind === "piece" && message.piece.text && ++pieces === 3) {
                setTimeout(() => { throw new Error("out of memory"); });
                const end = performance.now() + 300;
                while (performance.now() < end);
            }
        };
    }"""

    def prepare(context: Any) -> None:
        prepend_to_worker(context, dying)

    url = f"{serve(built_q8_speaker)}/?backend=wasm"
    with watch_page(browser, url, prepare=prepare) as page:
        page.wait_until_ready()
        limit_answers(page, 30)
        send(page, "hello")
        page.until("document.querySelector('.turn-answer')?.dataset.ending === 'failed'")
        assert "The worker could not go on" in page.text(".turn-note p")
        assert page.text(".turn-answer .prose")
        page.page.context.unroute_all()
        page.page.get_by_role("button", name="Try again").click()
        page.until(f"{STATE} === 'done' && document.querySelector('.turn-answer').dataset.ending !== 'failed'")


def test_a_template_that_loops_is_ended_and_told(
    browser: Browser, serve: Serve, built_q8_speaker: Path, tmp_path: Path
) -> None:
    copy = Path(shutil.copytree(built_q8_speaker, tmp_path / "site"))
    path = copy / "model" / "manifest.json"
    manifest = json.loads(path.read_text(encoding="utf-8"))
    loop = "{% for a in range(9999) %}" * 4 + "x" + "{% endfor %}" * 4
    manifest["settings"]["generation"]["chat_template"] += loop
    path.write_text(json.dumps(manifest), encoding="utf-8")
    path.with_name("manifest.json.gz").unlink()
    with watch_page(browser, f"{serve(copy)}/?backend=wasm") as page:
        page.wait_until_ready()
        failure = page.js(f"() => ({ASK})({{}}).then(() => '', (error) => error.message)")
        assert "template" in failure and "10 seconds" in failure
        # Another worker is there, and is told as clearly.
        assert failure == page.js(f"() => ({ASK})({{}}).then(() => '', (error) => error.message)")
        assert page.js("() => 1 + 1") == 2
