"""Which questions a page is asked, and what is wrong with an answer."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from test_questions import make_golden

from webgpu_kit.check.asking import choose_topics, explain_answer, is_same_text
from webgpu_kit.check.proof import Demand, explain_models
from webgpu_kit.check.searching import choose_best, explain_slowness
from webgpu_kit.errors import CheckError
from webgpu_kit.report import Adapter, AskedEntry, PageEntry, PairEntry


def make_answer(**changes: Any) -> tuple[AskedEntry, dict[str, Any]]:
    entry = AskedEntry(asked="Why?", ending="answered", answer="Because of the tide. [1]", drafts=5, model="q4 on wasm")
    found = {
        "isDraft": False,
        "cites": [{"number": 1, "sentence": "Because of the tide."}],
        "passages": [{"number": 1, "place": "a.md", "text": "Head · Because of the tide."}],
    }
    fields = {name: value for name, value in changes.items() if name not in found}
    return entry.model_copy(update=fields), {**found, **{name: changes[name] for name in found if name in changes}}


def test_the_question_is_one_that_the_original_finds_and_the_other_is_the_furthest() -> None:
    golden = make_golden(3)
    vectors = golden.question_vectors.copy()
    vectors[0] = [0, 1, 0]  # the first question is nearest to another passage
    near = replace(golden.questions[3], text="near")
    vectors = np.concatenate([vectors, np.asarray([[0.2, 0, 0]], np.float32)])
    topics = choose_topics(replace(golden, questions=(*golden.questions, near), question_vectors=vectors))
    assert (topics.answered.text, topics.passage) == ("q1", "passage 1")
    assert topics.other and (topics.other.text, topics.nearest) == ("other", 0)


def test_without_a_question_about_something_else_none_is_asked() -> None:
    golden = make_golden(1)
    topics = choose_topics(
        replace(golden, questions=golden.questions[:1], question_vectors=golden.question_vectors[:1])
    )
    assert topics.other is None and topics.answered.text == "q0"


def test_a_good_answer_is_not_explained() -> None:
    explain_answer(*make_answer(), "# Head\n\nBecause of the tide.")


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"ending": "refused", "answer": "", "note": "Nothing here."}, "is missing: the page says 'Nothing here.'"),
        ({"answer": ""}, "is missing"),
        ({"drafts": 1}, "did not come bit by bit"),
        ({"cites": []}, "has no numbers"),
        ({"isDraft": True}, "has no numbers"),
        ({"passages": [{"number": 2, "text": "Because of the tide."}]}, "not numbered from 1"),
        ({"passages": [{"number": 1, "text": "Another."}]}, "is not among those that are shown"),
    ],
)
def test_what_is_wrong_with_an_answer_is_said(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(CheckError, match=message):
        explain_answer(*make_answer(**changes), "# Head\n\nBecause of the tide.")


def test_texts_are_the_same_whatever_sets_their_headings_off() -> None:
    assert is_same_text("# Head\n\nA text.", "Head · A text.") and not is_same_text("A text.", "A test.")


def test_an_answer_from_another_backend_is_a_fault() -> None:
    entry, _ = make_answer()
    assert explain_models([entry], Demand("/", "wasm", 2)) == []
    assert explain_models([entry], Demand("/", "webgpu", 2)) == [
        "the answer was asked of webgpu, and comes from q4 on wasm"
    ]


def test_each_backend_is_asked_once_with_its_best_variant() -> None:
    pairs: Any = [("q8", "webgpu"), ("q8", "wasm"), ("fp32", "webgpu"), ("fp32", "wasm")]
    assert sorted(choose_best(pairs)) == [("q8", "wasm"), ("q8", "webgpu")]


def make_pair(model: str, load_ms: float) -> PairEntry:
    page = PageEntry(url="/", load_ms=load_ms, first_run_ms=1000)
    return PairEntry(model=model, variant="q8", backend="webgpu", verdict="passed", page=page)


def test_a_software_gpu_is_asked_only_where_there_is_time_for_it() -> None:
    opened: Any = SimpleNamespace(adapter=Adapter(vendor="google", software=True))
    pairs = [make_pair("minilm", 9000), make_pair("smollm2", 29_000)]
    assert explain_slowness(opened, pairs, 60) == ""
    reason = explain_slowness(opened, pairs, 30)
    assert "google (software): loading both models and one pass of each took 40 s there, and 30 s" in reason
    assert "a language model that was not checked there is not asked" in explain_slowness(opened, pairs[:1], 60)
    opened.adapter = Adapter(vendor="nvidia", software=False)
    assert explain_slowness(opened, [], 60) == ""
