"""The page's tokenizers in the real browser, whose own tables of characters they stand on, beside the original."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
from tiny_encoders import TEXTS
from tiny_tokenizers import KINDS

from browser.conftest import BARE_PAGE, OpenPage
from webgpu_kit.tasks.page_tokenizer import write_page_tokenizer

TEMPLATES = Path(__file__).parents[2] / "site_templates"
FOUND = json.loads((Path(__file__).parents[1] / "data" / "tokenizer_texts.json").read_text(encoding="utf-8"))
# Everything below U+3000 that a character may be beside, in pieces: marks, signs, spaces and letters of all scripts.
MIXED = ["".join(f"{chr(code)}a{chr(code)}\u0301 1" for code in range(at, at + 64)) for at in range(0, 0x3000, 64)]
ENCODE = """async ({ tokenizer, texts }) => {
  const { Tokenizer } = await import("./kit/text/tokenizer.js");
  const { makePatternCompiler } = await import("./kit/text/pattern.js");
  const compile = makePatternCompiler(await import("./runtime/tokenizers.min.mjs"));
  const made = new Tokenizer(JSON.parse(tokenizer), {}, compile);
  return texts.map((text) => { const { ids } = made.encode(text); return [ids, made.decode(ids)]; });
}"""


@pytest.fixture(scope="module")
def bare_site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The kit and its tokenizer library around nothing."""
    site = tmp_path_factory.mktemp("tokenizers")
    shutil.copytree(TEMPLATES / "kit", site / "kit")
    (site / "runtime").mkdir()
    library = TEMPLATES / "node_modules" / "@huggingface" / "tokenizers" / "dist" / "tokenizers.min.mjs"
    shutil.copy(library, site / "runtime")
    (site / "bare.html").write_text(BARE_PAGE, encoding="utf-8")
    return site


def test_ids_and_texts_are_the_originals(open_page: OpenPage, bare_site: Path) -> None:
    page = open_page(bare_site, "bare.html").page
    texts = [*TEXTS, *FOUND, *MIXED]
    for kind, train in KINDS.items():
        original = train()
        tokenizer = write_page_tokenizer(original, kind).decode()
        found: list[Any] = page.evaluate(ENCODE, {"tokenizer": tokenizer, "texts": texts})
        for text, answer in zip(texts, found, strict=True):
            ids = original.encode(text).ids
            assert answer == [ids, original.decode(ids, skip_special_tokens=False)], (kind, text)
