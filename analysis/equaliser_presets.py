"""The advised equaliser as text that other programs and people read."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Sequence
from dataclasses import dataclass

from analysis.mixing.moves import AdvisedMove

FORMAT_VERSION = 1
_APO_NAMES = {"bell": "PK", "low_shelf": "LSC", "high_shelf": "HSC"}


@dataclass(frozen=True)
class EqualiserSettings:
    """An equaliser as it was set on the page of a track.

    ``moves`` are all of the report's, scaled by ``amount`` (0..1), with those bypassed marked.
    ``output_gain_db`` keeps the loudness. ``target`` is what the mix was compared with.
    """

    artist: str
    title: str
    revision: int
    target: str
    amount: float
    sample_rate: int
    output_gain_db: float
    moves: Sequence[AdvisedMove]

    @property
    def summary(self) -> str:
        """One line: which moves are on, and the change of level."""
        parts = [
            f"{move.shape_name} {move.freq_hz:.0f} Hz {move.gain_db:+.1f} dB"
            + (f" Q {move.q:.2f}" if move.type == "bell" else "")
            for move in self.moves
            if move.is_on
        ]
        return "; ".join([*parts, f"output {_gain(self.output_gain_db)} dB"])


def as_json(settings: EqualiserSettings) -> str:
    """All settings with their units in the names of the keys."""
    document = {
        "format": "sonic-vision-pro/equaliser",
        "format_version": FORMAT_VERSION,
        "filters": "biquads of the W3C Web Audio API; shelves have slope 1 (Q 0.707)",
        "artist": settings.artist,
        "title": settings.title,
        "revision": settings.revision,
        "target": settings.target,
        "amount": settings.amount,
        "sample_rate_hz": settings.sample_rate,
        "output_gain_db": round(settings.output_gain_db, 2),
        "moves": [
            {
                "id": move.key,
                "finding": move.title,
                "on": move.is_on,
                "type": move.type,
                "freq_hz": move.freq_hz,
                "gain_db": round(move.gain_db, 2),
                "q": round(move.q, 3),
            }
            for move in settings.moves
        ],
    }
    return json.dumps(document, indent=2, ensure_ascii=False) + "\n"


def as_csv(settings: EqualiserSettings) -> str:
    """One row per move, and the output gain as the last one; decimal points, commas between."""
    text = io.StringIO()
    rows = csv.writer(text)
    rows.writerow(["id", "on", "type", "freq_hz", "gain_db", "q", "finding"])
    for move in settings.moves:
        rows.writerow(
            [
                move.key,
                "yes" if move.is_on else "no",
                move.type,
                f"{move.freq_hz:g}",
                f"{move.gain_db:.2f}",
                f"{move.q:.3f}",
                move.title,
            ]
        )
    rows.writerow(["output", "yes", "gain", "", f"{settings.output_gain_db + 0.0:.2f}", "", ""])
    return text.getvalue()


def as_equalizer_apo(settings: EqualiserSettings) -> str:
    """A configuration of Equalizer APO, which many parametric equalisers import.

    Its LSC and HSC shelves have their frequency where half the gain is reached, as ours have.
    """
    lines = [f"Preamp: {settings.output_gain_db + 0.0:.2f} dB"]
    for number, move in enumerate(settings.moves, 1):
        lines.append(
            f"Filter {number}: {'ON' if move.is_on else 'OFF'} {_APO_NAMES[move.type]} "
            f"Fc {move.freq_hz:g} Hz Gain {move.gain_db + 0.0:.2f} dB Q {move.q:.3f}"
        )
    return "\r\n".join(lines) + "\r\n"


def as_plain_text(settings: EqualiserSettings) -> str:
    """The settings to type into any equaliser by hand."""
    lines = [
        f"{settings.artist} - {settings.title} (v{settings.revision})",
        f"Compared with {settings.target}; amount {100 * settings.amount:.0f} %",
        "",
        "   Type        Frequency      Gain      Q",
    ]
    for number, move in enumerate(settings.moves, 1):
        lines.append(
            f"{number}  {move.shape_name:<10} {move.freq_hz:>8.0f} Hz {_gain(move.gain_db):>6} dB"
            f"   {move.q:.2f}   {move.title}{'' if move.is_on else ' (bypassed)'}"
        )
    lines += [
        "",
        f"Output gain {_gain(settings.output_gain_db)} dB, so that it is as loud as before.",
        "Shelves: the frequency is where half the gain is reached.",
    ]
    return "\r\n".join(lines) + "\r\n"


def _gain(gain_db: float) -> str:
    """Decibels with their sign; zero has none."""
    return f"{gain_db:+.1f}" if abs(gain_db) >= 0.05 else "0.0"
