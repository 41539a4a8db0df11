"""Questions that measure a search: their file, the passages that they are asked of, and what the answers are worth."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pdf_files
import pytest
from hypothesis import given
from hypothesis import strategies as st

from webgpu_kit.check.ranking import Answered, compare_answers, explain_loss, score_places
from webgpu_kit.check.retrieval import explain_passages
from webgpu_kit.errors import CheckError, RecipeError
from webgpu_kit.passages import from_units, list_passages, to_units
from webgpu_kit.questions import RecordedQuestion, RecordedQuestions, read_documents, read_question_set
from webgpu_kit.recipe import Recipe, read_recipe
from webgpu_kit.vendor import models_folder

WORDS = ["What is red?", "a.md", "Red things"]


def make_recipe(folder: Path, questions: Any, name: str = "a.md", content: bytes = b"# A\n\nRed things.") -> Recipe:
    (folder / "samples").mkdir()
    (folder / "samples" / name).write_bytes(content)
    text = questions if isinstance(questions, str) else json.dumps(questions)
    (folder / "questions.json").write_text(text, encoding="utf-8")
    return Recipe.model_validate(
        {
            "name": "mine",
            "task": "rag",
            "models": {"embed": "a", "chat": "b"},
            "questions": "questions.json",
            "page": {"samples": "samples"},
            "folder": folder,
        }
    )


def test_the_built_in_questions_are_about_their_documents() -> None:
    found = read_question_set(read_recipe(models_folder() / "rag" / "recipe.toml"))
    assert found and len(found.questions) >= 60 and len(found.held_out.questions) >= 40
    assert len(found.off_topic) == len(found.held_out.off_topic) == 20
    texts = [asked.text for asked in found.list_asked()]
    assert len(set(texts)) == len(texts) == 160


@pytest.mark.parametrize(
    ("questions", "message"),
    [
        ("{", "Invalid JSON"),
        ({"questions": [["What?", "a.md"]]}, "questions.0.2: Field required"),
        ({"questions": [WORDS], "more": 1}, "more: Extra inputs"),
        ({"off_topic": ["What?"]}, "there is no question with an answer"),
        (
            {"questions": [["What?", "a.md", "Blue things"]]},
            "'What?': no passage of 'a.md' has the words 'Blue things'",
        ),
        ({"questions": [["What?", "b.md", "Red things"]]}, "no passage of 'b.md'"),
        ({"questions": [["What?", "a.md", " "]]}, "has the words ' '"),
    ],
)
def test_a_wrong_file_of_questions_is_named_before_any_work(tmp_path: Path, questions: Any, message: str) -> None:
    with pytest.raises(RecipeError) as caught:
        read_question_set(make_recipe(tmp_path, questions))
    assert message in caught.value.message and "questions.json" in caught.value.message and caught.value.fix


def test_html_is_a_document_and_a_pdf_or_what_cannot_be_read_is_not(tmp_path: Path) -> None:
    html = make_recipe(
        tmp_path, {"questions": [["What?", "a.html", "Red things"]]}, "a.html", b"<h1>A</h1><p>Red things"
    )
    assert read_question_set(html) and read_documents(html) == {"a.html": "# A\n\nRed things"}
    pdf = pdf_files.write_pages("Red things.")
    for number, (name, content, message) in enumerate(
        [("a.pdf", pdf, "no questions are measured over a PDF"), ("a.md", b"na\xefve", "a.md is not written in UTF-8")]
    ):
        folder = tmp_path / str(number)
        folder.mkdir()
        with pytest.raises(RecipeError, match=message):
            read_question_set(make_recipe(folder, {"questions": [WORDS]}, name, content))


def test_a_recipe_without_questions_has_none_and_one_without_documents_may_not(tmp_path: Path) -> None:
    recipe = make_recipe(tmp_path, {"questions": [WORDS]})
    assert read_question_set(recipe.model_copy(update={"questions": None})) is None
    (tmp_path / "questions.json").unlink()
    with pytest.raises(RecipeError, match="the questions cannot be read: No such file"):
        read_question_set(recipe)
    path = tmp_path / "recipe.toml"
    path.write_text('source = "a.onnx"\nquestions = "questions.json"\n', encoding="utf-8")
    with pytest.raises(RecipeError, match=r"questions is for the task 'rag' with page\.samples"):
        read_recipe(path)


def count_words(texts: list[str]) -> list[int]:
    return [len(text.split()) for text in texts]


def test_passages_keep_sentences_whole_and_begin_with_the_end_of_the_one_before() -> None:
    text = "# Head\n\nOne two three. Four five! Six seven eight?\n\n- nine ten\n- eleven\n\n## Next\n\nEnd."
    found = list_passages(text, count_words, budget=8, overlap=3)
    assert found == [
        "# Head\n\nOne two three. Four five!",
        "Four five! Six seven eight?\n\n- nine ten",
        "- nine ten\n- eleven",
        "## Next\n\nEnd.",
    ]
    long = "word " * 20 + "end."
    assert all(len(part.split()) <= 6 for part in list_passages(long, count_words, budget=6, overlap=0))
    assert list_passages(" \n ", count_words) == []


@given(st.text())
def test_texts_come_back_from_their_units(text: str) -> None:
    assert from_units(to_units(text)) == text
    assert len(to_units(text)) == len(text.encode("utf-16-le")) // 2


def make_golden(count: int = 8) -> RecordedQuestions:
    """As many passages as questions, each question nearest to its own passage, and one about other things."""
    vectors = np.eye(count, dtype=np.float32)
    questions = [RecordedQuestion(f"q{place}", "tuning", (place,)) for place in range(count)]
    return RecordedQuestions(
        path="model/questions.json",
        origin="torch",
        passages=tuple(("a.md", f"passage {place}") for place in range(count)),
        questions=(*questions, RecordedQuestion("other", "held-out", ())),
        passage_vectors=vectors,
        question_vectors=np.concatenate([vectors, np.zeros((1, count), np.float32)]),
    )


def test_places_become_recall_and_reciprocal_rank() -> None:
    found = score_places([1, 2, 5, 6, 0])
    assert found.recall_at_5 == 0.6
    assert found.mrr == pytest.approx((1 + 1 / 2 + 1 / 5 + 1 / 6) / 5, abs=1e-6)


def test_an_equal_search_passes_and_a_lost_passage_fails_with_its_points() -> None:
    golden = make_golden()
    right = [Answered(place, 1, 1, 1, is_relevant=True) for place in range(8)]
    refused = Answered(8, 0, 0, 0, is_relevant=False)
    found = compare_answers(golden, [*right, refused])
    assert [ranking.lost for ranking in found.rankings] == [0, 0]
    assert not explain_loss(found) and not found.moved
    assert [(each.half, each.page.mrr, each.original.mrr) for each in found.rankings[0].halves] == [("tuning", 1, 1)]
    assert [(each.half, each.answered, each.refused) for each in found.relevance] == [
        ("tuning", 8, 0),
        ("held-out", 0, 1),
    ]
    wrong = compare_answers(golden, [Answered(0, 6, 1, 1, is_relevant=True), *right[1:]])
    assert explain_loss(wrong) == ["the search by meaning loses 12.5 points to the original model, allowed is 1"]
    assert [(each.question, each.place, each.original_place) for each in wrong.moved] == [("q0", 6, 1)]


def test_a_better_search_loses_nothing() -> None:
    found = compare_answers(make_golden(), [Answered(0, 1, 1, 3, is_relevant=True)])
    assert found.rankings[1].lost == 0 and found.rankings[1].page.mrr > found.rankings[1].original.mrr


def test_what_was_not_asked_counts_as_unchanged() -> None:
    found = compare_answers(
        make_golden(), [Answered(0, 0, 2, 1, is_relevant=True), Answered(1, 1, 1, 1, is_relevant=True)]
    )
    assert [ranking.lost for ranking in found.rankings] == [0.125, 0.0625]
    assert (found.asked, found.questions) == (2, 9)


def test_other_passages_than_the_recorded_ones_are_refused() -> None:
    golden = make_golden(2)
    explain_passages(golden, list(golden.passages))
    with pytest.raises(CheckError, match="into 1 passages, 2 are recorded"):
        explain_passages(golden, [golden.passages[0]])
    with pytest.raises(CheckError, match="passage 1 of the page is 'other', recorded is 'passage 1'"):
        explain_passages(golden, [golden.passages[0], ("a.md", "other")])
