"""rag: search in documents by meaning, and answers from what was found. Two models, so there is no graph of its own."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from webgpu_kit.artifacts import Bundle
from webgpu_kit.errors import RecipeError
from webgpu_kit.recipe import Recipe

DOCUMENT_SUFFIXES = (".md", ".txt", ".html", ".htm", ".pdf")


def make_page_settings(recipe: Recipe, bundles: Mapping[str, Bundle]) -> dict[str, Any]:
    """What the page reads: where its models are, which documents it offers, which questions it suggests."""
    return {
        "models": {role: f"./model/{bundle.manifest.name}/manifest.json" for role, bundle in bundles.items()},
        "samples": _list_documents(recipe),
        "prompts": recipe.page.prompts,
    }


def _list_documents(recipe: Recipe) -> list[dict[str, str]]:
    if recipe.page.samples is None:
        return []
    folder = recipe.folder / recipe.page.samples
    if not folder.is_dir():
        raise RecipeError(f"{recipe.where}: page.samples: {folder} is not a folder.", fix=f"edit {recipe.where}")
    found = sorted(path for path in folder.iterdir() if path.suffix in DOCUMENT_SUFFIXES)
    return [{"path": f"samples/{path.name}", "label": path.name} for path in found]
