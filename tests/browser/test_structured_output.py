"""Answers that keep to a format, from a model that talks nonsense: its few thousand weights are seeded."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from browser.conftest import FindPage, OpenPage
from browser.test_chat_page import CREATE, HELLO, STREAM
from browser.watched_page import WatchedPage

SCHEMA: dict[str, Any] = {
    "type": "object",
    "properties": {
        "name": {"type": "string", "maxLength": 6},
        "age": {"type": "integer", "minimum": 18, "maximum": 99},
        "mood": {"enum": ["glad", "sad", "é😀"]},
        "points": {"type": "array", "items": {"type": "number", "minimum": 0, "maximum": 1}, "maxItems": 2},
    },
    "required": ["name", "age", "mood"],
    "additionalProperties": False,
}
# Less of it for a software adapter, where every token takes its time.
SHORT_SCHEMA: dict[str, Any] = {
    **SCHEMA,
    "properties": {"name": {"type": "string", "maxLength": 3}, "mood": SCHEMA["properties"]["mood"]},
    "required": ["name", "mood"],
}
SCHEMAS = {"wasm": SCHEMA, "webgpu": SHORT_SCHEMA}


@pytest.fixture(scope="module", params=["wasm", "webgpu"])
def page(request: pytest.FixtureRequest, find_talking_page: FindPage) -> WatchedPage:
    return find_talking_page(request.param)


def ask(page: WatchedPage, script: str = CREATE, **request: Any) -> Any:
    schema = {"name": "person", "strict": True, "schema": SCHEMAS[page.status["backend"]]}
    format_ = {"type": "json_schema", "json_schema": schema}
    return page.page.evaluate(script, {"messages": HELLO, "response_format": format_, **request})


def check_person(page: WatchedPage, text: str) -> None:
    person, schema = json.loads(text), SCHEMAS[page.status["backend"]]
    assert list(person) in (schema["required"], list(schema["properties"]))
    assert len(person["name"]) <= schema["properties"]["name"]["maxLength"]
    assert person["mood"] in ("glad", "sad", "é😀") and 18 <= person.get("age", 18) <= 99
    assert all(0 <= point <= 1 for point in person.get("points", [])) and len(person.get("points", [])) <= 2


@pytest.mark.parametrize(("temperature", "seed"), [(0, 0), (1.5, 0), (1.5, 1)])
def test_a_schema_is_kept_to(page: WatchedPage, temperature: float, seed: int) -> None:
    choice = ask(page, temperature=temperature, seed=seed)["choices"][0]
    check_person(page, choice["message"]["content"])
    assert choice["finish_reason"] == "stop"


def test_a_stream_of_it_joins_to_the_same(page: WatchedPage) -> None:
    chunks = ask(page, STREAM, temperature=0)
    text = "".join(chunk["choices"][0]["delta"].get("content") or "" for chunk in chunks)
    check_person(page, text)
    assert text == ask(page, temperature=0)["choices"][0]["message"]["content"]


def test_an_answer_without_a_format_is_free_again(page: WatchedPage) -> None:
    free = ask(page, temperature=0, max_tokens=8, response_format=None)["choices"][0]["message"]["content"]
    held = ask(page, temperature=0, max_tokens=8)["choices"][0]
    assert not free.startswith("{") and held["message"]["content"].startswith("{")
    assert held["finish_reason"] == "length"


def test_a_schema_that_cannot_be_kept_is_refused_by_name_and_the_next_is_answered(page: WatchedPage) -> None:
    schema = {"type": "object", "properties": {"a": {"type": "array", "uniqueItems": True}}}
    format_ = {"type": "json_schema", "json_schema": {"name": "x", "schema": schema}}
    assert "properties.a has uniqueItems" in ask(page, response_format=format_)["refused"]
    check_person(page, ask(page, temperature=0)["choices"][0]["message"]["content"])


def test_the_engine_is_fetched_only_when_it_is_asked_for(open_page: OpenPage, talking_site: Path) -> None:
    page = open_page(talking_site, "?backend=wasm")
    page.wait_until_ready()
    ask(page, max_tokens=3, response_format=None)
    assert not [url for url in page.requests if "grammar" in url]
    ask(page, max_tokens=3)
    assert [url for url in page.requests if url.endswith("/runtime/xgrammar.mjs")]
