"""The report on paper: what it says, and that all of it stays on the sheet."""

from __future__ import annotations

import io
import re
from dataclasses import dataclass, field
from datetime import date
from typing import Any

import pytest
from PIL import Image

from analysis.equaliser_presets import EqualiserSettings
from analysis.mixing.moves import moves_of, with_settings
from analysis.sheet import Sheet, sheet_pdf, sheet_png
from analysis.sheet.layout import _Writer
from analysis.sheet.pdf_surface import PdfSurface
from analysis.sheet.png_surface import PngSurface
from analysis.sheet.surface import PAGE_HEIGHT, PAGE_WIDTH, shortened, wrapped

BANDS = ["Sub bass", "Bass", "Low mids", "Mids", "High mids", "Presence", "Brilliance"]


@dataclass
class Recorder(PdfSurface):
    """A PDF surface that remembers what was written where."""

    texts: list[tuple[int, float, float, str]] = field(default_factory=list)
    page: int = 1

    def __post_init__(self) -> None:
        super().__init__(title="t", author="a", product="p")

    def text(self, x: float, y: float, text: str, **style: Any) -> None:
        width = self.text_width(text, size=style["size"], bold=style.get("bold", False))
        left = x - {"left": 0, "centre": width / 2, "right": width}[style.get("align", "left")]
        self.texts.append((self.page, left, left + width, text))
        assert 0 < y < PAGE_HEIGHT
        super().text(x, y, text, **style)

    def end_page(self) -> None:
        self.page += 1
        super().end_page()


def sheet(*, n_findings: int = 2, artist: str = "Žofie", title: str = "Lemon Tree") -> Sheet:
    findings = [
        {
            "id": f"tonal_{number}",
            "severity": ["warning", "advice", "info"][number % 3],
            "title": f"Finding number {number}",
            "explanation": "Too much here makes the mix boomy and hides the kick. " * 3,
            "where": {"low_hz": 60.0, "high_hz": 2_500.0, "start_s": 75.0, "end_s": 80.0},
            "amount_db": -2.25,
            "advice": {
                "text": "Cut a little, and compare at equal loudness.",
                "type": "bell",
                "freq_hz": 100.0 * (number + 1),
                "q": 1.0,
                "gain_db": -2.0,
            },
        }
        for number in range(n_findings)
    ]
    bands = [
        {
            "name": name,
            "label": name,
            "low_hz": 20.0,
            "high_hz": 60.0,
            "level_db": -10.0 + number,
            "p10": -14.0,
            "median": -11.0,
            "p90": -8.0,
            "outside_db": 0.0,
        }
        for number, name in enumerate(BANDS)
    ]
    document = {
        "file": {"duration_s": 200.0, "channels": 2, "sample_rate": 44_100, "lossless": True},
        "loudness": {
            "integrated_lufs": -11.84,
            "loudness_range_lu": 9.61,
            "true_peak_dbtp": -0.96,
            "peak_to_loudness_lu": None,
            "short_term_lufs": [None, -14.0, -12.0, -11.0, None, -13.0, -12.5],
        },
        "mix": {"genre": "hiphop", "bands": bands, "findings": findings},
        "models": {"ears": "2.0.0"},
    }
    equaliser = EqualiserSettings(
        artist=artist,
        title=title,
        revision=2,
        target="hiphop",
        amount=0.5,
        sample_rate=44_100,
        output_gain_db=0.84,
        moves=with_settings(moves_of(document["mix"]), amount=0.5, off=["tonal_1"]),
    )
    return Sheet(document, equaliser, date(2026, 11, 26), "Sonic Vision Pro")


def written(one: Sheet) -> Recorder:
    surface = Recorder()
    _Writer(surface, one).write()
    return surface


def test_every_figure_has_its_unit():
    texts = [text for *_, text in written(sheet()).texts]
    for figure, unit in (("−11.8", "LUFS"), ("9.6", "LU"), ("−1.0", "dBTP"), ("–", "LU")):
        assert texts[texts.index(figure) + 1] == unit
    assert "3:20  ·  stereo  ·  44.1 kHz  ·  lossless  ·  version 2" in texts[2]
    assert "26 November 2026" in texts[2]
    assert "Bell 100 Hz, −1.0 dB, Q 1.00" in texts
    assert "Bell 200 Hz, −1.0 dB, Q 1.00 (off)" in texts
    assert "Output +0.8 dB, so that it is as loud as before." in texts
    assert "−2.2 dB  ·  60 Hz – 2.5 kHz  ·  1:15" in texts
    assert set(BANDS) <= set(texts)


@pytest.mark.parametrize("n_findings", [0, 1, 7])
def test_nothing_runs_off_the_paper(n_findings):
    surface = written(sheet(n_findings=n_findings, title="Pneumonoultramicroscopic " * 12))
    assert surface.page <= 2
    for _, left, right, text in surface.texts:
        assert left > 20, text
        assert right < PAGE_WIDTH - 20, text


def test_a_mix_without_findings_is_told_so():
    texts = [text for *_, text in written(sheet(n_findings=0)).texts]
    assert "Balance, loudness, dynamics and stereo lie where the target's tracks lie." in texts
    assert "Advised equaliser" not in texts


def test_the_pdf_carries_its_typeface_and_names():
    content = sheet_pdf(sheet(artist="Žofie 日本 한국 Ελλάς"))
    assert content.startswith(b"%PDF-1.")
    assert re.search(rb"/BaseFont /[A-Z]{6}\+Inter-SemiBold", content)
    assert b"/HeiseiKakuGo-W5" in content
    assert b"/HYGothic-Medium" in content


def test_the_picture_is_as_high_as_what_is_on_it():
    low, high = (Image.open(io.BytesIO(sheet_png(sheet(n_findings=n)))) for n in (1, 7))
    assert low.width == high.width == 1_488
    assert high.height > low.height + 6 * 100
    # The foot is written, and below it only paper.
    last = [row for row in range(low.height) if _has_ink(low, row)][-1]
    assert low.height - 80 < last < low.height - 10


def _has_ink(picture: Image.Image, row: int) -> bool:
    line = picture.convert("L").crop((0, row, picture.width, row + 1))
    return line.getextrema()[0] < 200


def test_long_texts_are_wrapped_and_shortened():
    surface = Recorder()
    lines = list(wrapped(surface, "one two three " * 10, width=100, size=8))
    assert " ".join(lines) == ("one two three " * 10).strip()
    assert all(surface.text_width(line, size=8) <= 100 for line in lines)
    cut = shortened(surface, "x" * 200, width=100, size=8)
    assert cut.endswith("…")
    assert surface.text_width(cut, size=8) <= 100


@pytest.mark.parametrize("make", [sheet_png, sheet_pdf])
def test_control_characters_in_names_do_no_harm(make):
    assert make(sheet(artist="A\nB\r\x00", title="One\ttwo\u2028three\x1b[31m\x7f"))


def test_a_line_break_is_as_wide_as_a_space():
    surface = PngSurface()
    wanted = surface.text_width("a b c?", size=10.0)
    assert surface.text_width("a\nb\tc\x00", size=10.0) == pytest.approx(wanted)
