"""The same tokenizer twice: the original, and the page's in node, which answers lines of JSON."""

from __future__ import annotations

import contextlib
import json
import shutil
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
from tokenizers import Encoding, Tokenizer

from webgpu_kit.tasks.page_tokenizer import write_page_tokenizer

SCRIPT = Path(__file__).parent / "js" / "tokenize.js"
UNLIMITED = 10**6
Text = str | tuple[str, str]


class TokenizerPair:
    """Questions to both, and whether the answers are the same."""

    def __init__(self, original: Tokenizer, process: subprocess.Popen[str]) -> None:
        self.original, self.process = original, process
        self.set_up()

    def set_up(self, length: int = UNLIMITED, config: Mapping[str, Any] | None = None) -> None:
        """Give the page's the original as it is now, with another maximum length or tokenizer_config.json."""
        tokenizer = json.loads(write_page_tokenizer(self.original, "here"))
        assert self._send({"tokenizer": tokenizer, "config": config or {}, "maxLength": length}) == []

    def ask(self, requests: Sequence[Mapping[str, Any]]) -> list[Any]:
        """The page's answers."""
        answers: list[Any] = self._send({"requests": requests})
        return answers

    def _send(self, job: Mapping[str, Any]) -> Any:
        assert self.process.stdin is not None and self.process.stdout is not None
        self.process.stdin.write(json.dumps(job) + "\n")
        self.process.stdin.flush()
        return json.loads(self.process.stdout.readline())

    def compare_ids(self, texts: Sequence[Text], **options: str) -> None:
        """Token ids and token types of texts and of pairs of texts."""
        found = self.ask([{"kind": "encode", **split_text(text), **options} for text in texts])
        for text, answer in zip(texts, found, strict=True):
            encoded = self.encode(text)
            assert answer == [encoded.ids, encoded.type_ids], text

    def compare_texts(self, rows: Sequence[Sequence[int]]) -> None:
        """What rows of ids are decoded to, with and without special tokens."""
        asked = [(list(ids), skips) for ids in rows for skips in (False, True)]
        found = self.ask([{"kind": "decode", "ids": ids, "skips": skips} for ids, skips in asked])
        for (ids, skips), answer in zip(asked, found, strict=True):
            assert answer == self.original.decode(ids, skip_special_tokens=skips), ids

    def encode(self, text: Text) -> Encoding:
        """What the original makes of a text, or of a pair."""
        return self.original.encode(*text) if isinstance(text, tuple) else self.original.encode(text)


def split_text(text: Text) -> dict[str, str]:
    """The text or the two as a request names them."""
    return {"text": text[0], "second": text[1]} if isinstance(text, tuple) else {"text": text}


@contextlib.contextmanager
def open_pair(original: Tokenizer) -> Iterator[TokenizerPair]:
    """The tokenizer beside the page's, in a process of its own."""
    node = shutil.which("node")
    if node is None:
        pytest.skip("no node on the PATH")
    with subprocess.Popen([node, str(SCRIPT)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        yield TokenizerPair(original, process)
        assert process.stdin is not None
        process.stdin.close()
