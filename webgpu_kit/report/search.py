"""What `check` saw of a page that searches: how well it finds what it should, beside the original model."""

from __future__ import annotations

from typing import Literal, get_args

from pydantic import BaseModel, ConfigDict, Field, computed_field

# One point of a hundred, in recall and in mean reciprocal rank.
LARGEST_LOSS = 0.01

By = Literal["meaning", "meaning and words"]
# Whatever is set by looking at questions is set on those to tune by, and judged on the others.
Half = Literal["tuning", "held-out"]
HALVES: tuple[Half, ...] = get_args(Half)


class _Part(BaseModel):
    model_config = ConfigDict(extra="ignore")


class Score(_Part):
    """Of the questions that were asked: recall at 5 and mean reciprocal rank of the passage, 0 to 1."""

    recall_at_5: float
    mrr: float


class HalfEntry(_Part):
    """The same of one half of the questions."""

    half: Half
    page: Score
    original: Score


class RankingEntry(_Part):
    """One way of ranking: by the page's embeddings, and by those of the original model in float32."""

    by: By
    page: Score
    original: Score
    lost: float = Field(description="by the worse of the two figures; questions that were not asked count as unchanged")
    halves: list[HalfEntry] = Field(default_factory=list)

    @property
    def good(self) -> bool:
        """Whether no more than a point is lost."""
        return self.lost <= LARGEST_LOSS


class RelevanceEntry(_Part):
    """How often the page answered what it should, and refused what it should."""

    half: Half = Field(description="the threshold was set on the first half alone")
    answered: int
    with_answer: int
    refused: int
    off_topic: int


class MovedEntry(_Part):
    """A question whose passage stands at another place than with the original model; 0 is out of sight."""

    question: str
    by: By
    place: int
    original_place: int


class RetrievalEntry(_Part):
    """The sample documents, indexed by the page itself, and the questions about them."""

    origin: str = Field(description="the framework that gave the original embeddings")
    passages: int
    asked: int
    questions: int
    rankings: list[RankingEntry]
    relevance: list[RelevanceEntry]
    moved: list[MovedEntry] = Field(default_factory=list)

    @computed_field  # type: ignore[prop-decorator]
    @property
    def largest_loss(self) -> float:
        """How much may be lost."""
        return LARGEST_LOSS
