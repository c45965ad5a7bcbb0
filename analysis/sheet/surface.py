"""What a sheet is drawn on. Lengths are in points (1/72 inch), from the top left corner."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Literal, Protocol

FONT_DIR = Path(__file__).parent / "fonts" / "inter-5.3.0"
REGULAR_FILE = FONT_DIR / "Inter-Regular.ttf"
BOLD_FILE = FONT_DIR / "Inter-SemiBold.ttf"

PAGE_WIDTH = 595.0
PAGE_HEIGHT = 842.0

Align = Literal["left", "centre", "right"]
Point = tuple[float, float]

PAPER = "#ffffff"
INK = "#14181b"
INK_2 = "#515a63"
INK_3 = "#737d87"
RULE = "#d9dee3"
FIELD = "#e9edf0"
FIELD_PALE = "#f5f7f8"
ACCENT = "#0f7f6b"
ACCENT_SOFT = "#d7efe9"
WARN = "#a05a00"
DANGER = "#b3261e"


class Surface(Protocol):
    """A place to draw on; ``page_height`` is None where a page may be as high as it likes."""

    page_height: float | None

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
        """One line of text, its baseline at y."""

    def text_width(self, text: str, *, size: float, bold: bool = False) -> float:
        """How wide a text is."""

    def line(
        self, points: Sequence[Point], *, colour: str, width: float = 0.75, dashed: bool = False
    ) -> None:
        """A line through points."""

    def area(self, points: Sequence[Point], *, colour: str) -> None:
        """A filled polygon."""

    def box(
        self, x: float, y: float, width: float, height: float, *, colour: str, radius: float = 0.0
    ) -> None:
        """A filled rectangle."""

    def dot(self, x: float, y: float, radius: float, *, colour: str) -> None:
        """A filled circle."""

    def end_page(self) -> None:
        """Go on with a new page."""


def wrapped(
    surface: Surface, text: str, *, width: float, size: float, bold: bool = False
) -> Iterator[str]:
    """The lines of a text that is to be no wider than ``width``; a word that is, is cut."""
    line = ""
    for word in text.split():
        longer = f"{line} {word}" if line else word
        if surface.text_width(longer, size=size, bold=bold) <= width:
            line = longer
            continue
        if line:
            yield line
        line = shortened(surface, word, width=width, size=size, bold=bold)
    if line:
        yield line


def shortened(surface: Surface, text: str, *, width: float, size: float, bold: bool = False) -> str:
    """The text, its end replaced by an ellipsis where it is too wide."""
    if surface.text_width(text, size=size, bold=bold) <= width:
        return text
    while text and surface.text_width(f"{text}…", size=size, bold=bold) > width:
        text = text[:-1]
    return f"{text.rstrip()}…"
