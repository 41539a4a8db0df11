"""Calls of functions, in a template as Hermes has it, from a model that talks nonsense: its few thousand weights are
seeded."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser

import webgpu_kit
from browser.conftest import Serve
from browser.test_chat_page import CREATE, HELLO, STREAM
from browser.watched_page import WatchedPage, watch_page

TEMPLATE = Path(__file__).parents[1] / "tool_template.jinja"
WEATHER = {
    "type": "object",
    "properties": {
        "place": {"type": "string", "maxLength": 6},
        "days": {"type": "integer", "minimum": 1, "maximum": 7},
    },
    "required": ["place", "days"],
    "additionalProperties": False,
}
TOOLS = [
    {"type": "function", "function": {"name": "get_weather", "parameters": WEATHER}},
    {"type": "function", "function": {"name": "now"}},
]


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory, serve: Serve) -> str:
    for module in ("torch", "transformers", "gguf", "onnxruntime_genai"):
        pytest.importorskip(module)
    import tiny_language_model
    from builder_inside import builder_inside

    folder = tmp_path_factory.mktemp("tools")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(tiny_language_model, "CONTEXT", 2048)  # definitions of tools are long, where a byte is a token
        kinds, template = {"token_embd": "Q8_0", "blk": "Q4_1"}, TEMPLATE.read_text("utf-8")
        source = tiny_language_model.write_gguf(folder / "tiny.gguf", kinds, template=template)
    with builder_inside():
        webgpu_kit.build(source, out=folder / "site", title="Tiny")
    return serve(folder / "site")


@pytest.fixture(scope="module")
def page(browser: Browser, address: str) -> Iterator[WatchedPage]:
    with watch_page(browser, f"{address}/?backend=wasm") as page:
        page.wait_until_ready()
        yield page


def ask(page: WatchedPage, script: str = CREATE, **request: Any) -> Any:
    return page.page.evaluate(script, {"messages": HELLO, "tools": TOOLS, "parallel_tool_calls": False, **request})


def check_call(call: dict[str, Any]) -> None:
    arguments = json.loads(call["function"]["arguments"])
    if call["function"]["name"] == "now":
        assert arguments == {}
        return
    assert call["function"]["name"] == "get_weather" and list(arguments) == ["place", "days"]
    assert len(arguments["place"]) <= 6 and 1 <= arguments["days"] <= 7


def test_a_call_is_well_formed_and_its_result_can_be_told(page: WatchedPage) -> None:
    for choice in ("required", {"type": "function", "function": {"name": "get_weather"}}):
        [answer] = ask(page, tool_choice=choice, temperature=1.5, seed=1)["choices"]
        assert answer["finish_reason"] == "tool_calls" and answer["message"]["content"] is None
        [call] = answer["message"]["tool_calls"]
        check_call(call)
    result = {"role": "tool", "tool_call_id": call["id"], "content": "sun"}
    again = ask(page, messages=[*HELLO, answer["message"], result], max_tokens=8)
    assert again["choices"][0]["finish_reason"] in ("stop", "length") and again["usage"]["completion_tokens"] <= 8


def test_a_stream_joins_to_the_same(page: WatchedPage) -> None:
    chunks = ask(page, STREAM, tool_choice="required", temperature=0)
    pieces = [piece for chunk in chunks for piece in chunk["choices"][0]["delta"].get("tool_calls", [])]
    [whole] = ask(page, tool_choice="required", temperature=0)["choices"][0]["message"]["tool_calls"]
    assert "".join(piece["function"]["arguments"] for piece in pieces) == whole["function"]["arguments"]
    assert pieces[0]["function"]["name"] == whole["function"]["name"] and pieces[0]["type"] == "function"
    assert chunks[-1]["choices"][0]["finish_reason"] == "tool_calls"


def test_without_being_told_to_a_model_may_talk(page: WatchedPage) -> None:
    [answer] = ask(page, temperature=0, max_tokens=8)["choices"]
    assert (
        answer["message"]["content"] and "tool_calls" not in answer["message"] and answer["finish_reason"] == "length"
    )


def test_a_definition_that_cannot_be_kept_is_refused_by_name(page: WatchedPage) -> None:
    odd = {"name": "odd", "parameters": {"type": "object", "properties": {"a": {"type": "string", "pattern": "(?=a)"}}}}
    refused = ask(page, tools=[*TOOLS, {"type": "function", "function": odd}])
    assert refused["code"] == "bad-input" and "tools[2].function.parameters.properties.a" in refused["refused"]


def test_on_webgpu_calls_are_as_well_formed(page: WatchedPage, browser: Browser, address: str) -> None:
    days = {"type": "object", "properties": {"days": {"type": "integer", "minimum": 1, "maximum": 7}}}
    tool = {"type": "function", "function": {"name": "wait", "parameters": {**days, "required": ["days"]}}}
    how = {"tools": [tool], "tool_choice": "required", "temperature": 0}
    with watch_page(browser, f"{address}/?backend=webgpu") as other:
        other.wait_until_ready()
        chunks = ask(other, STREAM, **how)
    pieces = [piece["function"] for chunk in chunks for piece in chunk["choices"][0]["delta"].get("tool_calls", [])]
    call = {"name": pieces[0]["name"], "arguments": "".join(piece["arguments"] for piece in pieces)}
    assert call["name"] == "wait" and 1 <= json.loads(call["arguments"])["days"] <= 7
    assert chunks[-1]["choices"][0]["finish_reason"] == "tool_calls"
    [same] = ask(page, **how)["choices"][0]["message"]["tool_calls"]
    assert same["function"] == call
