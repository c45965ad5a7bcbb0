"""A sheet as PDF, on pages of A4."""

from __future__ import annotations

import io
import itertools
import unicodedata
from collections.abc import Iterator, Sequence

from reportlab.lib.colors import HexColor
from reportlab.pdfbase import pdfmetrics
from reportlab.pdfbase.cidfonts import UnicodeCIDFont
from reportlab.pdfbase.ttfonts import TTFont
from reportlab.pdfgen.canvas import Canvas

from analysis.sheet import surface
from analysis.sheet.surface import INK, PAGE_HEIGHT, PAGE_WIDTH, Align, Point

_REGULAR, _BOLD = "Inter", "Inter-SemiBold"
_JAPANESE, _KOREAN = "HeiseiKakuGo-W5", "HYGothic-Medium"
_UNKNOWN = "?"


class PdfSurface:
    """Draws with ReportLab; :meth:`pdf` gives the file.

    Chinese, Japanese and Korean names are written in typefaces that PDF viewers bring themselves.
    """

    page_height: float | None = PAGE_HEIGHT

    def __init__(self, *, title: str, author: str, product: str) -> None:
        _register_fonts()
        self._file = io.BytesIO()
        self._canvas = Canvas(self._file, pagesize=(PAGE_WIDTH, PAGE_HEIGHT), pageCompression=1)
        self._canvas.setTitle(title)
        self._canvas.setAuthor(author)
        self._canvas.setCreator(product)
        self._canvas.setLineJoin(1)

    def text(
        self,
        x: float,
        y: float,
        text: str,
        *,
        size: float,
        bold: bool = False,
        colour: str = INK,
        align: Align = "left",
    ) -> None:
        width = self.text_width(text, size=size, bold=bold)
        x -= {"left": 0.0, "centre": width / 2, "right": width}[align]
        self._canvas.setFillColor(HexColor(colour))
        for font, run in _runs(text, bold):
            self._canvas.setFont(font, size)
            self._canvas.drawString(x, PAGE_HEIGHT - y, run)
            x += pdfmetrics.stringWidth(run, font, size)

    def text_width(self, text: str, *, size: float, bold: bool = False) -> float:
        return float(
            sum(pdfmetrics.stringWidth(run, font, size) for font, run in _runs(text, bold))
        )

    def line(
        self, points: Sequence[Point], *, colour: str, width: float = 0.75, dashed: bool = False
    ) -> None:
        self._canvas.setStrokeColor(HexColor(colour))
        self._canvas.setLineWidth(width)
        self._canvas.setDash([3, 3] if dashed else [])
        self._canvas.drawPath(self._path(points), stroke=1, fill=0)

    def area(self, points: Sequence[Point], *, colour: str) -> None:
        self._canvas.setFillColor(HexColor(colour))
        self._canvas.drawPath(self._path(points), stroke=0, fill=1)

    def box(
        self, x: float, y: float, width: float, height: float, *, colour: str, radius: float = 0.0
    ) -> None:
        self._canvas.setFillColor(HexColor(colour))
        bottom = PAGE_HEIGHT - y - height
        self._canvas.roundRect(x, bottom, width, height, radius, stroke=0, fill=1)

    def dot(self, x: float, y: float, radius: float, *, colour: str) -> None:
        self._canvas.setFillColor(HexColor(colour))
        self._canvas.circle(x, PAGE_HEIGHT - y, radius, stroke=0, fill=1)

    def end_page(self) -> None:
        self._canvas.showPage()
        self._canvas.setLineJoin(1)

    def pdf(self) -> bytes:
        """The finished file."""
        self._canvas.showPage()
        self._canvas.save()
        return self._file.getvalue()

    def _path(self, points: Sequence[Point]) -> object:
        path = self._canvas.beginPath()
        for number, (x, y) in enumerate(points):
            (path.lineTo if number else path.moveTo)(x, PAGE_HEIGHT - y)
        return path


def _register_fonts() -> None:
    if _REGULAR in pdfmetrics.getRegisteredFontNames():
        return
    pdfmetrics.registerFont(UnicodeCIDFont(_JAPANESE))
    pdfmetrics.registerFont(UnicodeCIDFont(_KOREAN))
    pdfmetrics.registerFont(TTFont(_BOLD, str(surface.BOLD_FILE)))
    pdfmetrics.registerFont(TTFont(_REGULAR, str(surface.REGULAR_FILE)))


def _runs(text: str, bold: bool) -> Iterator[tuple[str, str]]:
    """Stretches of text with the font that can write them."""
    own = _BOLD if bold else _REGULAR
    fonts = [(_font_of(char, own), char) for char in text]
    for font, chars in itertools.groupby(fonts, key=lambda pair: pair[0]):
        run = "".join(char for _, char in chars)
        yield (font, run) if font else (own, _UNKNOWN * len(run))


def _font_of(char: str, own: str) -> str:
    """The font for a character; empty where none can write it."""
    if ord(char) in pdfmetrics.getFont(own).face.charToGlyph:
        return own
    name = unicodedata.name(char, "")
    if name.startswith("HANGUL"):
        return _KOREAN
    east_asian = ("CJK", "HIRAGANA", "KATAKANA", "FULLWIDTH", "IDEOGRAPHIC")
    return _JAPANESE if name.startswith(east_asian) else ""
