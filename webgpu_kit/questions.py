"""Questions that measure a page's search: the recipe's file of them, and the golden that travels with the site.

The golden holds the passages of the sample documents, and what the original model makes of them and of the questions:
one normalized embedding each. It is no file that a visitor loads.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from webgpu_kit.artifacts import Array, Site
from webgpu_kit.errors import CheckError, RecipeError
from webgpu_kit.golden_file import REBUILD, decode_tensor, read_recording
from webgpu_kit.index.documents import read_document
from webgpu_kit.manifest import SiteManifest
from webgpu_kit.recipe import Recipe
from webgpu_kit.report.search import Half


class _Half(BaseModel):
    """Questions with the document and the words that answer them, and questions about other things."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    questions: list[tuple[str, str, str]] = Field(default_factory=list)
    off_topic: list[str] = Field(default_factory=list)


class QuestionSet(_Half):
    """The file that a recipe names. What is set by looking at `questions` is judged on `held_out`."""

    held_out: _Half = Field(default_factory=_Half)

    def list_asked(self) -> list[Asked]:
        """All questions, those to tune by first."""
        halves: list[tuple[Half, _Half]] = [("tuning", self), ("held-out", self.held_out)]
        return [
            *(Asked(*question, half=half) for half, each in halves for question in each.questions),
            *(Asked(text, half=half) for half, each in halves for text in each.off_topic),
        ]


@dataclass(frozen=True)
class Asked:
    """A question. One about other things has no document and no `words`."""

    text: str
    document: str = ""
    words: str = ""
    half: Half = "tuning"


@dataclass(frozen=True)
class RecordedQuestion:
    """A question of the golden; `passages` are the places of those that answer it, none for one about other things."""

    text: str
    half: Half
    passages: tuple[int, ...]


@dataclass(frozen=True)
class RecordedQuestions:
    """The golden. `passages` are (document, text); vectors are float32 (passages or questions, dimensions).

    `path` is relative to the site. `origin` names the framework that gave the vectors.
    """

    path: str
    origin: str
    passages: tuple[tuple[str, str], ...]
    questions: tuple[RecordedQuestion, ...]
    passage_vectors: Array
    question_vectors: Array


def read_question_set(recipe: Recipe) -> QuestionSet | None:
    """The questions that the recipe names; None where it names none. Raises: RecipeError."""
    if recipe.questions is None:
        return None
    path = recipe.folder / recipe.questions
    try:
        found = QuestionSet.model_validate_json(path.read_bytes())
    except OSError as error:
        raise RecipeError(f"{path}: the questions cannot be read: {error.strerror}.", fix=f"edit {path}") from error
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(str(part) for part in first["loc"]) or "the file"
        raise RecipeError(
            f"{path}: {place}: {first['msg']}.",
            fix='write {"questions": [["text", "document.md", "words that answer it"], …]}',
        ) from error
    if not found.questions:
        raise RecipeError(f"{path}: there is no question with an answer.", fix=f"add some to `questions` in {path}")
    whole = list(read_documents(recipe).items())
    for asked in found.list_asked():
        find_answers(asked, whole, str(path))
    return found


def read_documents(recipe: Recipe) -> dict[str, str]:
    """The recipe's sample documents as the page reads them, by name: text, Markdown and HTML. Raises: RecipeError.

    A PDF is left to pdf.js in the page. What reads it here finds other lines, so that passages could not be compared.
    """
    folder = recipe.folder / str(recipe.page.samples)
    texts = {}
    for path in sorted(folder.iterdir()):
        try:
            document = read_document(path, path.name)
        except ValueError as error:
            raise RecipeError(f"{path} {error}.", fix="mend it, or take it out of the samples") from error
        if document.kind == "pdf":
            raise RecipeError(
                f"{path}: no questions are measured over a PDF: its lines in the page differ from those read here.",
                fix=f"save it as text, or leave `questions` out of {recipe.where}",
            )
        texts[path.name] = document.text
    return texts


def find_answers(asked: Asked, passages: list[tuple[str, str]], where: str) -> list[int]:
    """The places of the passages that hold the words that answer a question. Raises: RecipeError if none does."""
    if not asked.document:
        return []
    words = " ".join(asked.words.split())
    found = [
        place
        for place, (document, text) in enumerate(passages)
        if document == asked.document and words in " ".join(text.split())
    ]
    if not found or not words:
        raise RecipeError(
            f"{where}: {asked.text!r}: no passage of {asked.document!r} has the words {asked.words!r}.",
            fix="copy words from one sentence of the document",
        )
    return found


def read_recorded(site: Site) -> RecordedQuestions | None:
    """The questions that travel with a site; None where there are none.

    Raises: CheckError if they are missing, altered or not readable.
    """
    entry = site.manifest.questions if isinstance(site.manifest, SiteManifest) else None
    if entry is None:
        return None
    path = site.path / "model" / entry.path
    content = read_recording(path, entry.sha256, "the questions")
    try:
        return _decode(json.loads(content), path.relative_to(site.path))
    except (ValueError, KeyError, TypeError) as error:
        raise CheckError(f"{path}: not a golden of questions: {error!r}.", fix=REBUILD) from error


def _decode(recorded: dict[str, Any], path: Path) -> RecordedQuestions:
    return RecordedQuestions(
        path=path.as_posix(),
        origin=str(recorded["origin"]),
        passages=tuple((str(document), str(text)) for document, text in recorded["passages"]),
        questions=tuple(
            RecordedQuestion(str(each["text"]), each["half"], tuple(map(int, each["passages"])))
            for each in recorded["questions"]
        ),
        passage_vectors=decode_tensor(recorded["passage_vectors"]),
        question_vectors=decode_tensor(recorded["question_vectors"]),
    )
