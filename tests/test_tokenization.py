"""The page's token ids, token types and spans are those of the original `tokenizers`, string by string."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

pytest.importorskip("tokenizers")
from tiny_encoders import TEXTS, TRAINERS
from tokenizers import Tokenizer

SCRIPT = Path(__file__).parent / "js" / "tokenize.js"
UNLIMITED = 10**6


class Both:
    """The same tokenizer twice: the original, and the page's in node, which answers lines of JSON."""

    def __init__(self, original: Tokenizer, process: subprocess.Popen[str]) -> None:
        self.original, self.process = original, process

    def ask(self, request: dict[str, Any]) -> dict[str, Any]:
        assert self.process.stdin is not None and self.process.stdout is not None
        self.process.stdin.write(json.dumps(request) + "\n")
        self.process.stdin.flush()
        answer: dict[str, Any] = json.loads(self.process.stdout.readline())
        return answer

    def limit(self, length: int) -> None:
        saved = Tokenizer.from_str(self.original.to_str())
        saved.no_truncation()
        assert self.ask({"tokenizer": json.loads(saved.to_str()), "config": {}, "maxLength": length}) == {}

    def compare(self, text: str, second: str | None = None, **options: Any) -> None:
        expected = self.original.encode(text, second)
        found = self.ask({"text": text, **({} if second is None else {"second": second}), **options})
        assert (found.get("ids"), found.get("types")) == (expected.ids, expected.type_ids), (text, second, found)


@pytest.fixture(scope="module", params=list(TRAINERS))
def both(request: pytest.FixtureRequest) -> Iterator[Both]:
    node = shutil.which("node")
    if node is None:
        pytest.skip("no node on the PATH")
    with subprocess.Popen([node, str(SCRIPT)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        pair = Both(TRAINERS[request.param](), process)
        pair.limit(UNLIMITED)
        yield pair
        assert process.stdin is not None
        process.stdin.close()


def test_texts_and_pairs(both: Both) -> None:
    for text in TEXTS:
        both.compare(text)
        both.compare(text, TEXTS[3])
        both.compare(TEXTS[0], text)


def test_where_tokens_stand(both: Both) -> None:
    if both.original.model.__class__.__name__ == "BPE" and both.original.pre_tokenizer is None:
        pytest.skip("no encoder has a byte-fallback tokenizer")
    for text in TEXTS:
        offsets = both.original.encode(text, add_special_tokens=False).offsets
        assert both.ask({"text": text, "spans": True})["spans"] == [list(each) for each in offsets], text


@pytest.mark.parametrize("strategy", ["longest_first", "only_first"])
def test_truncation(both: Both, strategy: str) -> None:
    try:
        both.original.enable_truncation(24, strategy=strategy)
        both.limit(24)
        for text in TEXTS:
            both.compare(text)
            both.compare(text, "the sun", truncation=strategy)
            if strategy == "longest_first":
                both.compare("the sun is warm", text)
                both.compare(text, TEXTS[11])
    finally:
        both.original.no_truncation()
        both.limit(UNLIMITED)


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(text=st.text(st.characters(exclude_categories=("Cs", "Cn")), max_size=30))
def test_any_text(both: Both, text: str) -> None:
    both.compare(text)
