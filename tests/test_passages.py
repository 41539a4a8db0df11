"""Passages that are made ahead are those that the page makes: the same places, text by text."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from webgpu_kit.passages import Span, find_sentences, from_units, split_units, to_units

REPOSITORY = Path(__file__).parent.parent
SCRIPT = Path(__file__).parent / "js" / "passages.js"
Split = Callable[[str, int, int], list[Span]]

TEXTS = [
    "",
    " \n\n ",
    '# What? A title\nOne here. Two "there." Three, e.g. this!\n\nFour\n- five\n- six\n终于。下一句！好',  # noqa: RUF001
    "word " * 500,
    "x" * 999,
    "🍕" * 300,
    "a🍕" * 300,
    "# A\n# B\ntext",
    "a. b. " * 200,
    "One.\u00a0Two.\u2028Three.\u3000四。 \ufeffFive.",
    "1. one\n2) two\n> quoted\n* star\n+ plus\n####### seven\n ## two",
    "”Quoted.” (Bracketed.) [Done!] He said “no…” and left. He said… nothing",
    "tab\tand\rreturn.\r\nNext. \t\n \t\nlast",
    *(path.read_text(encoding="utf-8") for path in sorted(REPOSITORY.glob("models/*/samples/*.md"))),
    *(path.read_text(encoding="utf-8") for path in sorted(REPOSITORY.glob("models/*/README.md"))),
    (REPOSITORY / "README.md").read_text(encoding="utf-8"),
    (REPOSITORY / "LICENSE").read_text(encoding="utf-8"),
]
# What the rules look at, so that chance comes upon it.
PARTS = [
    *".!?…。！？｡ \n\t\r\"'”’»)]」#>*+-1a2Zäß好🍕",  # noqa: RUF001
    "\n\n",
    "## ",
    "- ",
    "12. ",
    ". ",
    "\u00a0",
    "\u3000",
    "e.g. ",
    "word ",
]


def count(texts: list[str]) -> list[int]:
    return [len(text.split(" ")) + (len(to_units(text)) >> 2) for text in texts]


@pytest.fixture(scope="module")
def split_in_node() -> Iterator[Split]:
    node = shutil.which("node")
    if node is None:
        pytest.skip("no node on the PATH")
    with subprocess.Popen([node, str(SCRIPT)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        stdin, stdout = process.stdin, process.stdout
        assert stdin is not None and stdout is not None

        def split(text: str, budget: int, overlap: int) -> list[Span]:
            stdin.write(json.dumps({"text": text, "budget": budget, "overlap": overlap}) + "\n")
            stdin.flush()
            return [(start, end) for start, end in json.loads(stdout.readline())]

        yield split
        stdin.close()


@pytest.mark.parametrize(("budget", "overlap"), [(120, 30), (25, 8), (6, 0), (1, 1)])
def test_texts(split_in_node: Split, budget: int, overlap: int) -> None:
    for text in TEXTS:
        for part in (text, *text.split("\n\n")):
            expected = split_in_node(part, budget, overlap)
            assert split_units(to_units(part), count, budget, overlap) == expected, part[:200]


@settings(max_examples=400, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(text=st.lists(st.sampled_from(PARTS), max_size=120).map("".join), budget=st.integers(1, 40))
def test_marks_in_any_order(split_in_node: Split, text: str, budget: int) -> None:
    assert split_units(to_units(text), count, budget, budget // 4) == split_in_node(text, budget, budget // 4)


@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(text=st.text(st.characters(exclude_categories=("Cs",)), max_size=80))
def test_any_text(split_in_node: Split, text: str) -> None:
    assert split_units(to_units(text), count, 10, 3) == split_in_node(text, 10, 3)


def test_units_are_those_of_javascript() -> None:
    assert len(to_units("a🍕")) == 3 and from_units(to_units("a🍕é")) == "a🍕é"
    assert [from_units(to_units("🍕 x. Y")[start:end]) for start, end in find_sentences(to_units("🍕 x. Y"))] == [
        "🍕 x.",
        "Y",
    ]
