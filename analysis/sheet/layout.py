"""What stands where on the sheet, from the top down."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any

from analysis.charts import clock, signed
from analysis.equaliser_presets import EqualiserSettings
from analysis.sheet.charts import (
    Frame,
    draw_bands,
    draw_curve,
    draw_equaliser,
    draw_loudness,
    number_dot,
)
from analysis.sheet.pdf_surface import PdfSurface
from analysis.sheet.png_surface import PngSurface
from analysis.sheet.surface import (
    ACCENT,
    DANGER,
    INK,
    INK_2,
    INK_3,
    PAGE_HEIGHT,
    PAGE_WIDTH,
    RULE,
    WARN,
    Surface,
    shortened,
    wrapped,
)

MARGIN = 42.0
_WIDTH = PAGE_WIDTH - 2 * MARGIN
_GUTTER = 24.0
_FOOT = 40.0
_INDENT = 70.0
_TEXT_SIZE = 8.0
_LEADING = 11.0
_SEVERITIES = {
    "warning": ("Fix this", DANGER),
    "advice": ("Worth a try", WARN),
    "info": ("Good to know", INK_2),
}
_CHANNELS = {1: "mono", 2: "stereo", 6: "5.1", 8: "7.1"}


@dataclass(frozen=True)
class Sheet:
    """What a sheet tells: a report's document, the equaliser as it was set, and when it was made.

    ``product`` is the name that stands at the foot.
    """

    document: Mapping[str, Any]
    equaliser: EqualiserSettings
    measured_on: date
    product: str

    @property
    def name(self) -> str:
        return f"{self.equaliser.artist} - {self.equaliser.title}"


def sheet_pdf(sheet: Sheet) -> bytes:
    """The sheet as PDF, on as few pages of A4 as it needs."""
    surface = PdfSurface(
        title=f"{sheet.name} (report)", author=sheet.equaliser.artist, product=sheet.product
    )
    _Writer(surface, sheet).write()
    return surface.pdf()


def sheet_png(sheet: Sheet) -> bytes:
    """The sheet as one picture."""
    surface = PngSurface()
    bottom = _Writer(surface, sheet).write()
    return surface.png(height=bottom + _FOOT / 2)


class _Writer:
    """Writes a sheet from the top down; ``y`` is how far it has come."""

    def __init__(self, surface: Surface, sheet: Sheet) -> None:
        self.surface = surface
        self.sheet = sheet
        self.document = sheet.document
        self.y = MARGIN
        self.page = 1

    def write(self) -> float:
        """Write all of it; returns where it ended on the last page, in points."""
        self._head()
        self._loudness()
        self._balance()
        self._equaliser()
        self._findings()
        self._foot()
        return self.y

    def _room(self, height: float) -> None:
        """Go to the next page if ``height`` points do not fit on this one."""
        page_height = self.surface.page_height
        if page_height is not None and self.y + height > page_height - _FOOT - 8.0:
            self._foot()
            self.surface.end_page()
            self.page += 1
            self.y = MARGIN

    def _head(self) -> None:
        surface, equaliser, file = self.surface, self.sheet.equaliser, self.document["file"]
        surface.box(0, 0, PAGE_WIDTH, 5, colour=ACCENT)
        artist = shortened(surface, equaliser.artist, width=_WIDTH, size=10)
        surface.text(MARGIN, self.y + 6, artist, size=10, colour=INK_2)
        self.y += 28
        lines = list(wrapped(surface, equaliser.title, width=_WIDTH, size=19, bold=True))
        for line in lines[:2]:
            surface.text(MARGIN, self.y, line, size=19, bold=True)
            self.y += 22
        facts = [
            clock(file["duration_s"]),
            _CHANNELS.get(file["channels"], f"{file['channels']} channels"),
            f"{file['sample_rate'] / 1000:g} kHz",
            "lossless" if file["lossless"] else "lossy",
            f"version {equaliser.revision}",
            f"listened to on {self.sheet.measured_on.strftime('%-d %B %Y')}",
        ]
        surface.text(MARGIN, self.y - 4, "  ·  ".join(facts), size=8, colour=INK_3)
        self.y += 12

    def _title(self, text: str, aside: str = "") -> None:
        surface = self.surface
        surface.line([(MARGIN, self.y), (MARGIN + _WIDTH, self.y)], colour=RULE)
        self.y += 19
        surface.text(MARGIN, self.y, text, size=12, bold=True)
        if aside:
            surface.text(MARGIN + _WIDTH, self.y, aside, size=8, colour=INK_3, align="right")
        self.y += 12

    def _loudness(self) -> None:
        surface, loudness = self.surface, self.document["loudness"]
        self._title("Loudness", "measured after ITU-R BS.1770-4 and EBU Tech 3342")
        figures = [
            ("Integrated", "integrated_lufs", "LUFS", "how loud the whole track is to the ear"),
            ("Loudness range", "loudness_range_lu", "LU", "from its quiet to its loud parts"),
            ("True peak", "true_peak_dbtp", "dBTP", "highest point of the real wave"),
            ("Peak to loudness", "peak_to_loudness_lu", "LU", "room for hits above the average"),
        ]
        column = _WIDTH / len(figures)
        for number, (name, key, unit, explanation) in enumerate(figures):
            x = MARGIN + number * column
            value = loudness.get(key)
            text = "–" if value is None else f"{value:.1f}".replace("-", "−")
            surface.text(x, self.y + 8, name, size=8, colour=INK_2)
            surface.text(x, self.y + 27, text, size=17, bold=True)
            shift = surface.text_width(text, size=17, bold=True) + 4
            surface.text(x + shift, self.y + 27, unit, size=8, colour=INK_3)
            surface.text(x, self.y + 38, explanation, size=6.5, colour=INK_3)
        self.y += 52
        frame = Frame(MARGIN + _GUTTER, self.y, _WIDTH - _GUTTER, 46)
        duration_s = float(self.document["file"]["duration_s"])
        draw_loudness(surface, frame, loudness, duration_s=duration_s)
        surface.text(
            MARGIN + _WIDTH,
            self.y + 67,
            "short-term loudness in LUFS over time, dashed: integrated",
            size=6.5,
            colour=INK_3,
            align="right",
        )
        self.y += 80

    def _balance(self) -> None:
        bands = self.document["mix"]["bands"]
        if not bands:
            return
        self._title("Tonal balance", f"against {self.sheet.equaliser.target}")
        if curve := self.document["mix"].get("curve"):
            frame = Frame(MARGIN + _GUTTER, self.y, _WIDTH - _GUTTER, 76)
            draw_curve(self.surface, frame, curve)
            self.y += 98
        frame = Frame(MARGIN + _GUTTER, self.y, _WIDTH - _GUTTER, 66)
        draw_bands(self.surface, frame, bands)
        self.y += 98
        note = "0 dB is the middle of the target; eight of ten of its tracks lie in the grey"
        right = MARGIN + _WIDTH
        self.surface.text(right, self.y, note, size=6.5, colour=INK_3, align="right")
        self.y += 16

    def _equaliser(self) -> None:
        surface, equaliser = self.surface, self.sheet.equaliser
        if not equaliser.moves:
            return
        rows = (len(equaliser.moves) + 1) // 2
        self._room(134 + 14 * rows)
        self._title("Advised equaliser", f"amount {100 * equaliser.amount:.0f} %")
        frame = Frame(MARGIN + _GUTTER, self.y, _WIDTH - _GUTTER, 60)
        draw_equaliser(surface, frame, equaliser.moves, sample_rate=equaliser.sample_rate)
        self.y += 86
        for number, move in enumerate(equaliser.moves, 1):
            x = MARGIN + ((number - 1) % 2) * _WIDTH / 2
            y = self.y + 14 * ((number - 1) // 2)
            number_dot(surface, x + 6, y - 3, number, is_on=move.is_on)
            q = f", Q {move.q:.2f}" if move.type == "bell" else ""
            text = f"{move.shape_name} {move.freq_hz:,.0f} Hz, {signed(move.gain_db, 1)} dB{q}"
            colour = INK if move.is_on else INK_3
            surface.text(x + 17, y, text if move.is_on else f"{text} (off)", size=8, colour=colour)
        self.y += 14 * rows + 2
        gain = f"Output {signed(equaliser.output_gain_db, 1)} dB, so that it is as loud as before."
        surface.text(MARGIN, self.y, gain, size=8, colour=INK_2)
        self.y += 14

    def _findings(self) -> None:
        findings = self.document["mix"]["findings"]
        texts = [self._texts_of(finding) for finding in findings]
        # Together on the next page rather than torn over two, if that is enough for them.
        height = 44 + sum(_height(*pair) for pair in texts)
        self._room(height if height < PAGE_HEIGHT - MARGIN - _FOOT else 80)
        self._title("Findings", "the most important first" if findings else "")
        if not findings:
            text = "Balance, loudness, dynamics and stereo lie where the target's tracks lie."
            self.surface.text(MARGIN, self.y + 2, text, size=8.5, colour=INK_2)
            self.y += 16
        for finding, (why, todo) in zip(findings, texts, strict=True):
            self._room(_height(why, todo))
            self._finding(finding, why, todo)

    def _texts_of(self, finding: Mapping[str, Any]) -> tuple[list[str], list[str]]:
        """The lines of a finding's explanation, and of its advice."""
        advice = (finding.get("advice") or {}).get("text") or ""
        why, todo = (
            list(wrapped(self.surface, text, width=_WIDTH - _INDENT, size=_TEXT_SIZE))
            for text in (finding["explanation"], advice)
        )
        return why, todo

    def _finding(self, finding: Mapping[str, Any], why: list[str], todo: list[str]) -> None:
        surface, text_x = self.surface, MARGIN + _INDENT
        label, colour = _SEVERITIES.get(finding["severity"], _SEVERITIES["info"])
        self.y += 4
        surface.text(MARGIN, self.y, label, size=8, bold=True, colour=colour)
        facts = "  ·  ".join(_facts(finding))
        surface.text(MARGIN + _WIDTH, self.y, facts, size=7.5, colour=INK_2, align="right")
        room = _WIDTH - _INDENT - surface.text_width(facts, size=7.5) - 12
        title = shortened(surface, finding["title"], width=room, size=9, bold=True)
        surface.text(text_x, self.y, title, size=9, bold=True)
        self.y += _LEADING + 1
        for lines, ink in ((why, INK_2), (todo, INK)):
            for line in lines:
                surface.text(text_x, self.y, line, size=_TEXT_SIZE, colour=ink)
                self.y += _LEADING
        self.y += 3

    def _foot(self) -> None:
        surface = self.surface
        at = self.y + 16 if surface.page_height is None else PAGE_HEIGHT - _FOOT + 14
        models = ", ".join(f"{name} {version}" for name, version in self.document["models"].items())
        surface.text(MARGIN, at, f"{self.sheet.product}  ·  {models}", size=6.5, colour=INK_3)
        if surface.page_height is not None:
            page = f"page {self.page}"
            surface.text(MARGIN + _WIDTH, at, page, size=6.5, colour=INK_3, align="right")
        self.y = at


def _height(why: list[str], todo: list[str]) -> float:
    """What a finding takes, in points."""
    return 8.0 + _LEADING * (1 + len(why) + len(todo))


def _facts(finding: Mapping[str, Any]) -> list[str]:
    """How much, where in frequency, and when."""
    facts = []
    where = finding.get("where") or {}
    if finding.get("amount_db"):
        facts.append(f"{signed(finding['amount_db'], 1)} dB")
    low, high = where.get("low_hz"), where.get("high_hz")
    if low is not None and high is not None:
        facts.append(f"{_hertz(low)} – {_hertz(high)}")
    if where.get("start_s") is not None:
        facts.append(clock(where["start_s"]))
    return facts


def _hertz(frequency_hz: float) -> str:
    if frequency_hz >= 1000:
        return f"{frequency_hz / 1000:.3g} kHz"
    return f"{frequency_hz:.0f} Hz"
