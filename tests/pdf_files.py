"""Real PDFs for the tests, as other programs write them."""

from __future__ import annotations

import io
from collections.abc import Callable

from reportlab.lib.pagesizes import A4
from reportlab.lib.pdfencrypt import StandardEncryption
from reportlab.pdfbase import pdfmetrics
from reportlab.pdfbase.cidfonts import UnicodeCIDFont
from reportlab.pdfgen.canvas import Canvas

WIDTH, HEIGHT = A4
LINE = 15


def write_pdf(draw: Callable[[Canvas], None], encrypt: StandardEncryption | None = None) -> bytes:
    """A PDF with what `draw` puts on its pages."""
    content = io.BytesIO()
    canvas = Canvas(content, pagesize=A4, encrypt=encrypt, invariant=True)
    draw(canvas)
    canvas.save()
    return content.getvalue()


def write_pages(*pages: str, password: str = "", owner: str = "") -> bytes:
    """A PDF of pages of lines; with `password` it opens only so, with `owner` it is encrypted and opens."""

    def draw(canvas: Canvas) -> None:
        for page in pages:
            draw_lines(canvas, page.split("\n"), 60, HEIGHT - 80)
            canvas.showPage()

    return write_pdf(draw, StandardEncryption(password, ownerPassword=owner) if password or owner else None)


def write_columns(title: str, left: list[str], right: list[str]) -> bytes:
    """One page: a heading over two columns."""

    def draw(canvas: Canvas) -> None:
        draw_lines(canvas, [title], 60, HEIGHT - 60, size=22)
        draw_lines(canvas, left, 60, HEIGHT - 110)
        draw_lines(canvas, right, WIDTH / 2 + 20, HEIGHT - 110)

    return write_pdf(draw)


def write_picture() -> bytes:
    """A page of lines and boxes, as a scanner's: nothing on it is text."""

    def draw(canvas: Canvas) -> None:
        canvas.rect(60, 60, 300, 500, fill=1)
        canvas.line(0, 0, WIDTH, HEIGHT)

    return write_pdf(draw)


def write_chinese(text: str) -> bytes:
    """A page in a font that is not in the file, with codes that only a table outside of it explains."""
    pdfmetrics.registerFont(UnicodeCIDFont("STSong-Light"))

    def draw(canvas: Canvas) -> None:
        canvas.setFont("STSong-Light", 14)
        canvas.drawString(60, HEIGHT - 80, text)

    return write_pdf(draw)


def draw_lines(canvas: Canvas, lines: list[str], left: float, top: float, size: int = 11) -> None:
    """Lines below one another; an empty one leaves a gap."""
    canvas.setFont("Helvetica", size)
    for index, line in enumerate(lines):
        if line:
            canvas.drawString(left, top - index * LINE, line)
