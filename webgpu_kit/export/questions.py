"""Recording what the original model makes of a page's sample documents and of the questions about them."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import numpy as np

from webgpu_kit.artifacts import Array, Bundle, Progress, Source
from webgpu_kit.bundle import encode_tensor
from webgpu_kit.export import from_torch
from webgpu_kit.manifest import GoldenEntry
from webgpu_kit.passages import list_passages
from webgpu_kit.questions import QuestionSet, find_answers, read_documents
from webgpu_kit.recipe import Recipe
from webgpu_kit.tasks import TASKS, Original


def write_questions(
    questions: QuestionSet, recipe: Recipe, original: Original, folder: Path, progress: Progress
) -> GoldenEntry:
    """Write the golden of a site's questions into `folder`; `original` is the model that the page searches with.

    Raises: RecipeError for a question that no passage answers.
    """
    progress(f"recording the questions with {original.origin}")
    passages = _split_documents(recipe, original)
    asked = questions.list_asked()
    where = str(recipe.folder / str(recipe.questions))
    recorded = {
        "origin": original.origin,
        "passages": passages,
        "questions": [
            {"text": each.text, "half": each.half, "passages": find_answers(each, passages, where)} for each in asked
        ],
        "passage_vectors": encode_tensor(_embed(original, [text for _, text in passages])),
        "question_vectors": encode_tensor(_embed(original, [each.text for each in asked])),
    }
    content = json.dumps(recorded, ensure_ascii=False, separators=(",", ":")).encode()
    digest = hashlib.sha256(content).hexdigest()
    entry = GoldenEntry(path=f"questions.{digest[:16]}.json", sha256=digest, count=len(asked))
    (folder / entry.path).write_bytes(content)
    return entry


def load_original(source: Source, recipe: Recipe, bundle: Bundle) -> Original:
    """The model of `bundle` in PyTorch, once more: its export has changed the one before. Raises: ExportError."""
    import torch
    import transformers

    loaded = from_torch.load_model(source, recipe, TASKS[bundle.manifest.task])
    origin = f"torch {torch.__version__}, transformers {transformers.__version__}"
    return from_torch.wrap_model(loaded, bundle.manifest.interface, origin)


def _split_documents(recipe: Recipe, original: Original) -> list[tuple[str, str]]:
    def count_tokens(texts: list[str]) -> list[int]:
        return [len(original.tokenizer(text, add_special_tokens=False)["input_ids"]) for text in texts]

    return [
        (name, passage)
        for name, text in read_documents(recipe).items()
        for passage in list_passages(text, count_tokens)
    ]


def _embed(original: Original, texts: list[str]) -> Array:
    """One text at a time, so that padding plays no part: float32 (texts, dimensions), normalized."""
    task = TASKS["feature-extraction"]
    return np.concatenate([task.refer({"text": [text]}, original)["embedding"] for text in texts]).astype(np.float32)
