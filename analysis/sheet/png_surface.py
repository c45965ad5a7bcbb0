"""A sheet as a picture: one page, as high as what is on it."""

from __future__ import annotations

import io
import itertools
import math
import unicodedata
from collections.abc import Callable, Sequence
from functools import cache

from PIL import Image, ImageDraw, ImageFont

from analysis.sheet import surface
from analysis.sheet.surface import INK, PAGE_WIDTH, PAPER, Align, Point

SCALE = 2.5
"""Pixels to the point: 1488 px wide, sharp on any screen."""

Moved = Callable[[Point], Point]

_FINER = 4
_HIGHEST = 2_000.0
_UNKNOWN = "?"


class PngSurface:
    """Draws with Pillow; :meth:`png` gives the file."""

    page_height: float | None = None

    def __init__(self) -> None:
        size = (round(PAGE_WIDTH * SCALE), round(_HIGHEST * SCALE))
        self._image = Image.new("RGB", size, PAPER)
        self._pen = ImageDraw.Draw(self._image)

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
        anchor = {"left": "ls", "centre": "ms", "right": "rs"}[align]
        place = (x * SCALE, y * SCALE)
        font = _font(size, bold)
        self._pen.text(place, _known(text), fill=colour, font=font, anchor=anchor)

    def text_width(self, text: str, *, size: float, bold: bool = False) -> float:
        return _font(size, bold).getlength(_known(text)) / SCALE

    def line(
        self, points: Sequence[Point], *, colour: str, width: float = 0.75, dashed: bool = False
    ) -> None:
        scaled = [_scaled(point) for point in points]
        strokes = _dashes(scaled) if dashed else [scaled]

        def draw(pen: ImageDraw.ImageDraw, moved: Moved) -> None:
            pixels = max(1, round(width * SCALE * _FINER))
            for stroke in strokes:
                pen.line([moved(point) for point in stroke], fill=255, width=pixels, joint="curve")

        self._smoothly(scaled, colour, draw, margin=width * SCALE)

    def area(self, points: Sequence[Point], *, colour: str) -> None:
        scaled = [_scaled(point) for point in points]
        self._smoothly(
            scaled,
            colour,
            lambda pen, moved: pen.polygon([moved(point) for point in scaled], fill=255),
        )

    def box(
        self, x: float, y: float, width: float, height: float, *, colour: str, radius: float = 0.0
    ) -> None:
        corners = [*_scaled((x, y)), *_scaled((x + width, y + height))]
        self._pen.rounded_rectangle(corners, radius=radius * SCALE, fill=colour)

    def dot(self, x: float, y: float, radius: float, *, colour: str) -> None:
        centre, reach = _scaled((x, y)), radius * SCALE
        self._smoothly(
            [centre],
            colour,
            lambda pen, moved: pen.circle(moved(centre), reach * _FINER, fill=255),
            margin=reach,
        )

    def _smoothly(
        self,
        points: Sequence[Point],
        colour: str,
        draw: Callable[[ImageDraw.ImageDraw, Moved], None],
        *,
        margin: float = 0.0,
    ) -> None:
        """Paint what ``draw`` draws around ``points`` (pixels), four times finer and averaged:
        Pillow's own shapes have jagged edges."""
        left = math.floor(min(x for x, _ in points) - margin) - 1
        top = math.floor(min(y for _, y in points) - margin) - 1
        width = math.ceil(max(x for x, _ in points) + margin) + 1 - left
        height = math.ceil(max(y for _, y in points) + margin) + 1 - top
        mask = Image.new("L", (width * _FINER, height * _FINER))
        draw(ImageDraw.Draw(mask), lambda at: ((at[0] - left) * _FINER, (at[1] - top) * _FINER))
        self._image.paste(colour, (left, top), mask.reduce(_FINER))

    def end_page(self) -> None:
        raise RuntimeError("a picture has one page")

    def png(self, *, height: float) -> bytes:
        """The picture down to ``height`` points."""
        cut = self._image.crop((0, 0, self._image.width, round(min(height, _HIGHEST) * SCALE)))
        file = io.BytesIO()
        # A few dozen colours: a palette makes the file a third as large and as sharp.
        cut.quantize(128, method=Image.Quantize.FASTOCTREE, dither=Image.Dither.NONE).save(
            file, "PNG", optimize=True
        )
        return file.getvalue()


@cache
def _font(size: float, bold: bool) -> ImageFont.FreeTypeFont:
    file = surface.BOLD_FILE if bold else surface.REGULAR_FILE
    return ImageFont.truetype(file, size * SCALE)


def _is_known(char: str) -> bool:
    font = _font(10.0, False)
    return char.isspace() or bytes(font.getmask(char)) != bytes(font.getmask("\ufffe"))


def _known(text: str) -> str:
    """One line: line breaks become spaces, what the typeface cannot write a question mark."""
    return "".join(_written(char) for char in text)


@cache
def _written(char: str) -> str:
    # Pillow measures no line breaks, and draws nothing useful for other control characters.
    if unicodedata.category(char) in {"Cc", "Zl", "Zp"}:
        return " " if char.isspace() else _UNKNOWN
    return char if _is_known(char) else _UNKNOWN


def _scaled(point: Point) -> Point:
    return point[0] * SCALE, point[1] * SCALE


def _dashes(points: Sequence[Point], *, length: float = 3.0 * SCALE) -> list[list[Point]]:
    """Every other stretch of ``length`` pixels along a line."""
    dashes: list[list[Point]] = []
    gone = 0.0
    for (x0, y0), (x1, y1) in itertools.pairwise(points):
        whole = ((x1 - x0) ** 2 + (y1 - y0) ** 2) ** 0.5
        at = 0.0
        while at < whole:
            step = min(length - gone % length, whole - at)
            if int(gone / length) % 2 == 0:
                a, b = at / whole, (at + step) / whole
                dashes.append(
                    [
                        (x0 + a * (x1 - x0), y0 + a * (y1 - y0)),
                        (x0 + b * (x1 - x0), y0 + b * (y1 - y0)),
                    ]
                )
            at += step
            gone += step + 1e-9
    return dashes
