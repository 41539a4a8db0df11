"""Files -> documents: their texts, by the rules of the page (`site_templates/kit/documents/read.js`)."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from webgpu_kit.artifacts import Progress
from webgpu_kit.errors import DocumentError
from webgpu_kit.index.html_text import extract_text
from webgpu_kit.index.pdf_text import join_pages, read_pages

Kind = Literal["text", "markdown", "html", "pdf"]
KINDS: dict[str, Kind] = {
    **dict.fromkeys((".txt", ".text"), "text"),
    **dict.fromkeys((".md", ".markdown"), "markdown"),
    **dict.fromkeys((".html", ".htm", ".xhtml"), "html"),
    ".pdf": "pdf",
}
LARGEST_BYTES = {"text": 20_000_000, "pdf": 80_000_000}
MOST_CONTROLS = 0.002  # of a text's characters
CONTROLS = re.compile("[\x00-\x08\x0e-\x1f\ufffe\uffff]")
CHARSET = re.compile(rb"""<meta[^>]+charset\s*=\s*["']?([\w-]+)""", re.IGNORECASE)
WIDE = {b"\xff\xfe": "utf-16-le", b"\xfe\xff": "utf-16-be"}
# What browsers mean by these names.
WESTERN = {"iso-8859-1": "cp1252", "latin1": "cp1252", "us-ascii": "cp1252", "ascii": "cp1252"}


@dataclass(frozen=True)
class Document:
    """What stands in a file. `name` is its place under the folder that was given; `pages` begin at these characters."""

    name: str
    kind: Kind
    text: str
    pages: tuple[int, ...] = ()


def find_files(docs: Path) -> list[Path]:
    """The file itself, or the files of a folder that can be read, those in folders included.

    Raises: DocumentError if there are none.
    """
    if docs.is_file():
        return [docs]
    if not docs.is_dir():
        raise DocumentError(f"{docs}: there is no such file or folder.", fix="give the folder of the documents")
    inside = (path.relative_to(docs) for path in docs.rglob("*") if path.suffix.lower() in KINDS and path.is_file())
    found = sorted(docs / path for path in inside if not any(part.startswith(".") for part in path.parts))
    if not found:
        raise DocumentError(
            f"{docs}: has no documents in it.", fix=f"give a folder with files that end in {', '.join(KINDS)}"
        )
    return found


def read_files(docs: Path, skipped: dict[str, str], progress: Progress) -> Iterator[Document]:
    """The documents of a file or folder; those that cannot be read go into `skipped` with the reason.

    Raises: DocumentError if there is nothing to read, or nothing to read it with.
    """
    for path in find_files(docs):
        name = path.name if path == docs else path.relative_to(docs).as_posix()
        progress(f"reading {name}")
        try:
            yield read_document(path, name)
        except ValueError as error:
            skipped[name] = str(error)


def read_document(path: Path, name: str) -> Document:
    """One file. Raises ValueError with the rest of a sentence that begins with the file's name."""
    kind = KINDS.get(path.suffix.lower(), "text")
    size, largest = path.stat().st_size, LARGEST_BYTES["pdf" if kind == "pdf" else "text"]
    if size == 0:
        raise ValueError("is empty")
    if size > largest:
        raise ValueError(f"is {size / 1e6:.0f} MB large; the page reads files of up to {largest / 1e6:.0f} MB")
    content = path.read_bytes()
    if kind == "pdf" or content.startswith(b"%PDF-"):
        text, pages = join_pages(read_pages(content))
        if not text.strip():
            raise ValueError("has no text in it: its pages are pictures, or empty; run text recognition (OCR) on it")
        return Document(name, "pdf", text, tuple(pages))
    decoded = decode_text(content, kind == "html")
    text = re.sub(r"\r\n?", "\n", extract_text(decoded) if kind == "html" else decoded)
    if not text.strip():
        raise ValueError("has no text in it")
    return Document(name, kind, text)


def decode_text(content: bytes, is_html: bool) -> str:
    """UTF-8, UTF-16 that says so, or what an HTML file says. Raises ValueError as `read_document` does."""
    wide = WIDE.get(content[:2])
    declared = CHARSET.search(content[:2048]) if is_html and not wide else None
    encoding = wide or (declared[1].decode() if declared else "utf-8")
    if not wide:
        _refuse_zeros(content[:65_536])
    try:
        text = content.decode(WESTERN.get(encoding.lower(), encoding)).removeprefix("\ufeff")
    except LookupError as error:
        raise ValueError(f'says that it is written in "{encoding}", which is not known') from error
    except UnicodeDecodeError as error:
        raise ValueError(f"is not written in {encoding.upper()}; save it as UTF-8") from error
    if len(CONTROLS.findall(text)) > len(text) * MOST_CONTROLS:
        raise ValueError("is a binary file, not a text")
    return text


def _refuse_zeros(content: bytes) -> None:
    """No text in UTF-8 has a zero byte; western text in UTF-16 has one in every second byte."""
    zeros = [content[parity::2].count(0) for parity in (0, 1)]
    if not any(zeros):
        return
    if min(zeros) == 0 and max(zeros) * 4 > len(content):
        raise ValueError("is written in UTF-16 without a mark that says so; save it as UTF-8")
    raise ValueError("is a binary file, not a text")
