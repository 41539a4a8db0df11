"""Whether a page finds what it should: the places of passages beside those that the original model gives them.

The original's embeddings rank the same passages: by meaning alone, computed here, and as the page ranks, computed by
the page's own code.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from webgpu_kit.questions import RecordedQuestion, RecordedQuestions
from webgpu_kit.report.search import (
    HALVES,
    By,
    HalfEntry,
    MovedEntry,
    RankingEntry,
    RelevanceEntry,
    RetrievalEntry,
    Score,
)

# Further down than this is as good as not found.
DEEPEST = 50
RECALL_AT = 5
SHOWN_MOVES = 12


@dataclass(frozen=True)
class Answered:
    """What came of one question: places from 1, 0 where the passage was not found."""

    question: int
    meaning: int
    ranked: int
    original: int
    is_relevant: bool


@dataclass(frozen=True)
class _Placed:
    """Where the first passage that answers a question stands, with the page and with the original."""

    question: RecordedQuestion
    page: int
    original: int


def compare_answers(golden: RecordedQuestions, answers: Sequence[Answered]) -> RetrievalEntry:
    """The page's places beside the original's."""
    ways: dict[By, list[_Placed]] = {"meaning": [], "meaning and words": []}
    by_meaning = rank_by_meaning(golden)
    for each in answers:
        question = golden.questions[each.question]
        if question.passages:
            ways["meaning"].append(_Placed(question, each.meaning, by_meaning[each.question]))
            ways["meaning and words"].append(_Placed(question, each.ranked, each.original))
    moved = [
        MovedEntry(question=placed.question.text, by=by, place=placed.page, original_place=placed.original)
        for by, all_placed in ways.items()
        for placed in all_placed
        if placed.page != placed.original
    ]
    total = sum(bool(question.passages) for question in golden.questions)
    return RetrievalEntry(
        origin=golden.origin,
        passages=len(golden.passages),
        asked=len(answers),
        questions=len(golden.questions),
        rankings=[_compare_places(by, placed, total) for by, placed in ways.items()],
        relevance=_count_relevant(golden, answers),
        moved=moved[:SHOWN_MOVES],
    )


def rank_by_meaning(golden: RecordedQuestions) -> list[int]:
    """For each question the place of the first passage that answers it, by the original's embeddings; 0 without one."""
    scores = golden.question_vectors @ golden.passage_vectors.T
    places = []
    for question, row in zip(golden.questions, scores, strict=True):
        order = np.argsort(-row, kind="stable")[:DEEPEST].tolist()
        places.append(next((place + 1 for place, each in enumerate(order) if each in question.passages), 0))
    return places


def score_places(places: Sequence[int]) -> Score:
    """Recall and mean reciprocal rank of places; 0 is not found."""
    count = max(len(places), 1)
    return Score(
        recall_at_5=round(sum(0 < place <= RECALL_AT for place in places) / count, 6),
        mrr=round(sum(1 / place for place in places if place) / count, 6),
    )


def _compare_places(by: By, placed: Sequence[_Placed], total: int) -> RankingEntry:
    page, original = _score_both(placed)
    lost = max(original.recall_at_5 - page.recall_at_5, original.mrr - page.mrr) * len(placed) / total
    halves = []
    for half in HALVES:
        own = [each for each in placed if each.question.half == half]
        if own:
            mine, theirs = _score_both(own)
            halves.append(HalfEntry(half=half, page=mine, original=theirs))
    return RankingEntry(by=by, page=page, original=original, lost=round(max(lost, 0.0), 6), halves=halves)


def _score_both(placed: Sequence[_Placed]) -> tuple[Score, Score]:
    return score_places([each.page for each in placed]), score_places([each.original for each in placed])


def _count_relevant(golden: RecordedQuestions, answers: Sequence[Answered]) -> list[RelevanceEntry]:
    entries = []
    for half in HALVES:
        own = [each for each in answers if golden.questions[each.question].half == half]
        with_answer = [each for each in own if golden.questions[each.question].passages]
        off_topic = [each for each in own if not golden.questions[each.question].passages]
        if own:
            entries.append(
                RelevanceEntry(
                    half=half,
                    answered=sum(each.is_relevant for each in with_answer),
                    with_answer=len(with_answer),
                    refused=sum(not each.is_relevant for each in off_topic),
                    off_topic=len(off_topic),
                )
            )
    return entries


def explain_loss(found: RetrievalEntry) -> list[str]:
    """Why the search is not good enough; nothing if it is."""
    return [
        f"the search by {ranking.by} loses {100 * ranking.lost:.1f} points to the original model, "
        f"allowed is {100 * found.largest_loss:g}"
        for ranking in found.rankings
        if not ranking.good
    ]
