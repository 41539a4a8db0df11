"""What `check` saw when it asked a page about its sample documents: the answer, and where its numbers lead."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

Ending = Literal["answered", "refused", "stopped"]


class _Part(BaseModel):
    model_config = ConfigDict(extra="ignore")


class MarkEntry(_Part):
    """A number behind a sentence of the answer, and what it opened."""

    number: int
    sentence: str
    document: str = Field(description="as the opened document is called there, with its page where it has pages")
    marked: str = Field(description="the text that is marked in it")


class AskedEntry(_Part):
    """One question, and what the page said to it."""

    asked: str
    ending: Ending
    answer: str = ""
    note: str = Field(default="", description="what stands below the answer, or in its place")
    drafts: int = Field(default=0, description="how often the answer was seen to grow before it was whole")
    first_text_ms: float | None = Field(default=None, description="from the press; a first question fetches the model")
    answer_ms: float = 0.0
    model: str = Field(default="", description="which language model answered: bundle, variant and backend")
    passages: list[str] = Field(default_factory=list, description="the places of the passages below it, in their order")
    marks: list[MarkEntry] = Field(default_factory=list)

    @property
    def places(self) -> list[MarkEntry]:
        """Where its numbers lead, each number once."""
        return list({mark.number: mark for mark in self.marks}.values())


class Picture(_Part):
    """One more picture of a page, in the middle of its work."""

    title: str
    file: str = Field(default="", description="file name beside the report")
    png: bytes = Field(default=b"", exclude=True, repr=False)
