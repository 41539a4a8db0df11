"""An index as one file, as the page reads and writes it (`site_templates/kit/search/index-file.js`)."""

from __future__ import annotations

import json
import struct
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from webgpu_kit.artifacts import Array
from webgpu_kit.index.documents import Document
from webgpu_kit.manifest import IndexModel
from webgpu_kit.passages import OVERLAP_TOKENS, PASSAGE_TOKENS, CountTokens, Span, from_units, split_units, to_units

MAGIC = b"WGKINDEX"
FORMAT = 1


@dataclass(frozen=True)
class SplitDocument:
    """A document with its passages. `units` is its text in UTF-16 units, which is what spans and pages count."""

    document: Document
    units: str
    pages: list[int]
    spans: list[Span]

    def list_texts(self) -> list[str]:
        """The passages themselves."""
        return [from_units(self.units[start:end]) for start, end in self.spans]


def split_document(document: Document, count_tokens: CountTokens) -> SplitDocument:
    """Find the passages of a document, those that the page would find."""
    units = to_units(document.text)
    pages = [len(to_units(document.text[:start])) for start in document.pages]
    return SplitDocument(document, units, pages, split_units(units, count_tokens, PASSAGE_TOKENS, OVERLAP_TOKENS))


def encode_index(name: str, model: IndexModel, documents: Sequence[SplitDocument], vectors: Array) -> bytes:
    """The whole file. `vectors` is float32 (passages of all documents in order, dimensions)."""
    header = {
        "format": FORMAT,
        "name": name,
        "model": model.model_dump(),
        "documents": [_describe(each) for each in documents],
    }
    text = json.dumps(header, ensure_ascii=False, separators=(",", ":")).encode()
    start = len(MAGIC) + 4 + len(text)
    values = np.ascontiguousarray(vectors, dtype="<f4").tobytes()
    return MAGIC + struct.pack("<I", len(text)) + text + b"\0" * (-start % 4) + values


def _describe(split: SplitDocument) -> dict[str, object]:
    return {
        "id": split.document.name,
        "name": split.document.name,
        "kind": split.document.kind,
        "text": split.document.text,
        "pages": split.pages,
        "passages": [{"start": start, "end": end} for start, end in split.spans],
    }
