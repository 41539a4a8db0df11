"""The text of an HTML file, by the rules of the page (`site_templates/kit/documents/html.js`)."""

from __future__ import annotations

import re
from html.parser import HTMLParser

LEFT_OUT = re.compile("script|style|noscript|template|nav|svg|iframe|object|select|textarea")
VOID = re.compile("area|base|br|col|embed|hr|img|input|link|meta|source|track|wbr")
BLOCK = re.compile(
    "address|article|aside|blockquote|dd|div|dl|dt|figcaption|figure|footer|header|hr|li|main|ol|p|pre|section|table|tr|ul"
)
HEADING = re.compile(r"h([1-6])")


def extract_text(html: str) -> str:
    """Paragraphs with a blank line between them, headings as Markdown has them; the title where no heading is one."""
    reader = _Reader()
    reader.feed(html)
    reader.close()
    lines = [re.sub(r"[ \t\u00a0]+", " ", line).strip() for line in "".join(reader.parts).split("\n")]
    title = " ".join(reader.title.split())
    head = f"# {title}\n\n" if title and not reader.has_main_heading else ""
    return head + re.sub(r"\n{3,}", "\n\n", "\n".join(lines)).strip()


class _Reader(HTMLParser):
    """Collects the text, tag by tag. Elements that are left out count how deep they lie in one another."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.parts: list[str] = []
        self.title = ""
        self.has_main_heading = False
        self._hidden: list[str] = []
        self._heading: list[str] | None = None
        self._in_title = False
        self._in_pre = 0
        self._open_items = [False]  # of each list that is open: whether an item is

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        if self._hidden or LEFT_OUT.fullmatch(tag) or "hidden" in given or given.get("aria-hidden") == "true":
            if not VOID.fullmatch(tag):
                self._hidden.append(tag)
            return
        self._in_title |= tag == "title"
        self._in_pre += tag == "pre"
        if HEADING.fullmatch(tag):
            self._heading = []
            self.has_main_heading |= tag == "h1"
        elif tag == "br":
            self.parts.append("\n")
        elif tag in ("td", "th"):
            self.parts.append(" ")
        elif tag == "li":
            self.parts.append("\n\n- " if self._open_items[-1] else "\n- ")  # an item ends where the next begins
            self._open_items[-1] = True
        elif BLOCK.fullmatch(tag):
            self.parts.append("\n\n")
        if tag in ("ul", "ol"):
            self._open_items.append(False)

    def handle_endtag(self, tag: str) -> None:
        if self._hidden:
            if tag in self._hidden:  # what lies in it may have lost its own end
                del self._hidden[len(self._hidden) - 1 - self._hidden[::-1].index(tag) :]
            return
        self._in_title &= tag != "title"
        self._in_pre -= tag == "pre" and self._in_pre > 0
        level = HEADING.fullmatch(tag)
        if level and self._heading is not None:
            words = " ".join("".join(self._heading).split())
            self.parts.append(f"\n\n{'#' * int(level[1])} {words}\n\n")
            self._heading = None
        elif tag == "li":
            self.parts.append("\n")
            self._open_items[-1] = False
        elif BLOCK.fullmatch(tag):
            self.parts.append("\n\n")
        if tag in ("ul", "ol") and len(self._open_items) > 1:
            self._open_items.pop()

    def handle_data(self, data: str) -> None:
        if self._hidden:
            return
        if self._in_title:
            self.title += data
        elif self._heading is not None:
            self._heading.append(data)
        else:
            self.parts.append(data if self._in_pre else re.sub(r"\s+", " ", data))
