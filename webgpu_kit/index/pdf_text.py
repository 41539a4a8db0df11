"""The text of a PDF, page by page. Words that were cut at a line's end are whole again, as in the page."""

from __future__ import annotations

import io
import itertools
import logging
import re

from webgpu_kit.errors import DocumentError

FIX = "pip install 'webgpu-kit[index]'"
HYPHEN_END = re.compile(r"[^\W\d_][-\u00ad\u2010]$")
SENTENCE_END = re.compile("[.!?…。！？:;][\"'”’»)\\]]*$")  # noqa: RUF001


def read_pages(content: bytes) -> list[str]:
    """The text of each page. Raises ValueError with the rest of a sentence that begins with the file's name.

    Raises: DocumentError if pypdf is not installed.
    """
    try:
        from pypdf import PdfReader
        from pypdf.errors import DependencyError, FileNotDecryptedError, PyPdfError
    except ImportError as error:
        raise DocumentError("reading a PDF needs the package pypdf.", fix=FIX) from error
    logging.getLogger("pypdf").setLevel(logging.CRITICAL)  # it tells of every flaw that it mends
    try:
        return [_join_lines(page.extract_text()) for page in PdfReader(io.BytesIO(content)).pages]
    except FileNotDecryptedError as error:
        raise ValueError("opens only with a password; save it without one") from error
    except DependencyError as error:
        raise ValueError(f"is encrypted: {error}") from error
    except (PyPdfError, ValueError, KeyError, TypeError, AttributeError, IndexError, RecursionError) as error:
        raise ValueError("is broken: it cannot be read as a PDF") from error


def join_pages(pages: list[str]) -> tuple[str, list[int]]:
    """The whole text, and where each page begins in it. A sentence may go on overleaf."""
    text, last, starts = "", "", []
    for page in pages:
        if last and page:
            text += "\n\n" if SENTENCE_END.search(last) else "\n"
        starts.append(len(text))
        text += page
        last = page or last
    return text, starts


def _join_lines(text: str) -> str:
    """Lines without the space around them, one blank one for several."""
    joined = ""
    lines = (" ".join(line.replace("\0", " ").split()) for line in text.split("\n"))
    for line, group in itertools.groupby(lines):
        for _ in group if line else [line]:
            if HYPHEN_END.search(joined) and line[:1].islower():
                joined = joined[:-1] + line
            else:
                joined += f"\n{line}" if joined else line
    return joined.strip()
