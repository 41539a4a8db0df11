"""The search page of two tiny seeded models, and what tests do on it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

import webgpu_kit
from browser.watched_page import WatchedPage

STORY = (
    "# The sea\n\nThe sea is wide. A ship sails on it.\n\n# The cat\n\nThe cat sleeps in the sun. It dreams of fish.\n"
)
HARBOUR = "<title>Coast</title><h1>The harbour</h1><p>A lighthouse stands at the <b>harbour</b>.<p>Boats come home."
QUESTIONS = {
    "questions": [
        ["What stands at the harbour?", "harbour.html", "A lighthouse stands at the harbour."],
        ["Where does the ship sail?", "story.md", "A ship sails"],
        ["What does it dream of?", "story.md", "dreams of fish"],
    ],
    "off_topic": ["Who won the cup?"],
    "held_out": {"questions": [["Is the sea wide?", "story.md", "The sea is wide"]], "off_topic": ["What is a loop?"]},
}
SHOWN = "document.querySelectorAll('.document').length"


def build_rag_site(folder: Path) -> Path:
    """Build it in `folder`; takes the `export` extra."""
    for module in ("torch", "transformers", "gguf", "onnxruntime_genai"):
        pytest.importorskip(module)
    from builder_inside import builder_inside
    from tiny_language_model import write_gguf
    from tiny_sentence_model import write_sentence_model

    write_sentence_model(folder / "encoder")
    write_gguf(folder / "speaker.gguf", {"token_embd": "Q8_0", "blk": "Q4_1"}, context=2048)
    recipe = write_recipe(folder, 'embed = "encoder"\nchat = "speaker.gguf"')
    with builder_inside():
        webgpu_kit.build(recipe, out=folder / "site")
    return folder / "site"


def write_recipe(folder: Path, models: str, questions: object = QUESTIONS) -> Path:
    """A recipe with two sample documents, and questions about them."""
    (folder / "samples").mkdir()
    (folder / "samples" / "story.md").write_text(STORY, encoding="utf-8")
    (folder / "samples" / "harbour.html").write_text(HARBOUR, encoding="utf-8")
    (folder / "questions.json").write_text(json.dumps(questions), encoding="utf-8")
    recipe = (
        'name = "tiny-rag"\ntitle = "Ask"\ntask = "rag"\nquestions = "questions.json"\n'
        f'[models]\n{models}\n[page]\nsamples = "samples"\n'
    )
    (folder / "recipe.toml").write_text(recipe, encoding="utf-8")
    return folder / "recipe.toml"


def open_library(page: WatchedPage) -> None:
    """Wait until the page can take files."""
    page.wait_until_ready()
    page.until("document.querySelector('#collection').options.length > 0")


def add_files(page: WatchedPage, *files: tuple[str, bytes], expect: int) -> None:
    """Choose files, and wait until so many documents are there."""
    payload = [{"name": name, "mimeType": "application/octet-stream", "buffer": content} for name, content in files]
    page.page.set_input_files("#files", payload)  # type: ignore[arg-type]
    page.until(f"{SHOWN} === {expect} && document.querySelector('#indexing').hidden")


def open_passage(page: WatchedPage, words: str) -> None:
    """Open the document at the first passage that was found and has these words."""
    page.page.locator(".passage", has_text=words).first.click()
    page.until("document.querySelector('#reader').open")


def read_problems(page: WatchedPage) -> str:
    """The sentences about files that were not taken."""
    found: Any = page.until("[...document.querySelectorAll('.problem')].map((each) => each.textContent).join(' ')")
    return str(found)
