"""Greedy answers beside the original's: where they part, and whether rounding explains it."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from webgpu_kit.check.agreement import SaidAnswer, compare_answer, count_top_1, explain_answer
from webgpu_kit.golden_file import RecordedAnswer, RecordedSample
from webgpu_kit.report import AgreementEntry, GreedyEntry, ParityEntry

# "The sea☀" and the end token; the sun is two tokens, of which the first shows nothing.
ANSWER = RecordedAnswer(
    messages=[{"role": "user", "content": "Say it."}],
    prompt_tokens=5,
    token_ids=[1, 2, 3, 4, 9],
    margins=[2.0, 0.0004, 1.5, 3.0, 4.0],
    text="The sea☀",
    ends=[3, 7, 7, 8, 8],
)


def compare(text: str, reason: str = "stop", error: float = 0.0) -> GreedyEntry:
    parity = ParityEntry(metric="kl_divergence", value=0, threshold=1, max_abs_error=error)
    return compare_answer(ANSWER, SaidAnswer(text, reason, 5), parity)


def test_the_same_answer_agrees_to_its_end() -> None:
    same = compare(ANSWER.text)
    assert (same.agreed, same.compared, same.recorded, same.parting) == (5, 5, 5, None)
    assert same.good


def test_an_answer_that_ran_out_of_time_is_compared_as_far_as_it_came() -> None:
    cut = compare("The sea", reason="")
    assert (cut.agreed, cut.compared, cut.parting) == (3, 3, None)


@pytest.mark.parametrize(
    ("text", "reason", "token", "margin"),
    [
        ("A sea", "stop", 0, 2.0),
        ("The mountain", "length", 1, 0.0004),
        ("The sea☂", "stop", 3, 1.5),
        ("The sea", "stop", 3, 1.5),
        ("The sea☀ and", "length", 4, 4.0),
        ("", "stop", 0, 2.0),
    ],
)
def test_where_they_part_the_originals_margin_counts(text: str, reason: str, token: int, margin: float) -> None:
    found = compare(text, reason)
    assert found.parting
    assert (found.parting.token, found.agreed, found.compared) == (token, token, token + 1)
    assert found.good is (margin < 0.001)
    assert found.parting.margin == margin


def test_a_variant_that_is_measured_to_be_off_may_swap_what_lies_that_close() -> None:
    assert not compare("A sea", error=0.9).good
    assert compare("A sea", error=1.1).good


def test_faults_are_told_in_words() -> None:
    said = SaidAnswer("A sea", "stop", 6)
    faults = explain_answer(compare_answer(ANSWER, said, None), ANSWER, said)
    assert "the page's prompt has 6 tokens, the original's 5" in faults[0]
    assert "after 0 of 5 tokens the page says 'A sea', the original 'The'" in faults[1]
    assert explain_answer(compare(ANSWER.text), ANSWER, SaidAnswer(ANSWER.text, "stop", 5)) == []


def test_top_1_counts_likeliest_tokens_and_is_for_models_that_talk() -> None:
    sample = RecordedSample({}, {"top_ids": np.array([[1, 7], [2, 7], [3, 7]])})
    found = count_top_1([sample, sample], [{"top_ids": np.array([[1], [2], [4]])}])
    assert found == AgreementEntry(positions=3, agreed=2)
    assert json.loads(found.model_dump_json())["top_1_agreement"] == pytest.approx(2 / 3, abs=1e-6)
    assert count_top_1([RecordedSample({}, {"scores": np.zeros(1)})], [{"scores": np.zeros(1)}]) is None


def test_the_original_records_its_answer_with_margins(tmp_path: Path) -> None:
    for module in ("torch", "transformers", "gguf", "onnxruntime_genai"):
        pytest.importorskip(module)
    from tiny_language_model import write_folder

    from webgpu_kit.artifacts import Source
    from webgpu_kit.recipe import Recipe
    from webgpu_kit.tasks import TASKS
    from webgpu_kit.tasks.greedy_answer import record_answers
    from webgpu_kit.tasks.text_generation import wrap_decoder

    recipe = Recipe(name="tiny", source="tiny")
    source = Source(uri="tiny", revision="", sha256="", kind="folder", path=write_folder(tmp_path / "tiny"))
    loaded = TASKS["text-generation"].load(source, recipe)
    [answer] = record_answers(wrap_decoder(loaded, "torch"), recipe)
    recorded = RecordedAnswer(**answer)
    assert len(recorded.token_ids) >= 64 or recorded.token_ids[-1] == 2
    assert min(recorded.margins) >= 0
    assert recorded.ends == sorted(recorded.ends)
    assert recorded.ends[-1] == len(recorded.text)
    dated = {**loaded.settings["generation"], "chat_template": "{{ strftime_now('%d') }}"}
    loaded.settings["generation"].update(dated)  # type: ignore[attr-defined]
    assert record_answers(wrap_decoder(loaded, "torch"), recipe) == []
