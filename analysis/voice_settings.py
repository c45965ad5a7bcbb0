"""What somebody asks of the timbre simulation, and how it is written down for other programs."""

from __future__ import annotations

import json
import math
from dataclasses import dataclass
from urllib.parse import urlencode

from django.http import QueryDict

from analysis.charts import clock
from analysis.sound.equaliser import Move
from analysis.sound.timbre_simulation import TAGS, Recipe, recipe_for
from analysis.sound.timbre_simulation.air import (
    BREATH_FROM_HZ,
    BREATH_TO_HZ,
    FLUTTER_FROM_HZ,
    FLUTTER_TO_HZ,
    RISE_DB_PER_OCTAVE,
)
from analysis.sound.timbre_simulation.render import DRIVEN_AT_LUFS

FORMAT_VERSION = 1
LONGEST_S = 30.0
SHORTEST_S = 2.0
USUAL_S = 12.0

_SHAPES = {"bell": "Bell", "low_shelf": "Low shelf", "high_shelf": "High shelf"}


@dataclass(frozen=True)
class Wish:
    """What the address of a preview asks for.

    ``amounts`` and ``wet`` are 0 to 1. The stretch begins at ``start_s`` and lasts ``seconds``.
    ``in_mix`` puts the voice back among the other stems; ``original`` leaves the voice as it is.
    """

    amounts: dict[str, float]
    wet: float = 1.0
    start_s: float = 0.0
    seconds: float = USUAL_S
    in_mix: bool = False
    original: bool = False

    @property
    def recipe(self) -> Recipe:
        return recipe_for(self.amounts)

    @property
    def query(self) -> str:
        """The settings (without the stretch) as a query of an address."""
        parts = {tag: round(100 * amount) for tag, amount in self.amounts.items() if amount}
        return urlencode(parts | {"wet": round(100 * self.wet)})

    @property
    def summary(self) -> str:
        """Which tags, by how much: ``Warm 60 %, Breathy 30 %``."""
        parts = [
            f"{tag.capitalize()} {100 * amount:.0f} %"
            for tag, amount in self.amounts.items()
            if amount
        ]
        return ", ".join(parts) or "Nothing"


def wish_of(query: QueryDict) -> Wish:
    """Read ``?warm=60&breathy=30&wet=100&start=12.5&seconds=10&mix=1&original=1``.

    Amounts and ``wet`` are in per cent. What is missing or no number takes its default, what is
    out of range the nearest value that is allowed.
    """
    return Wish(
        amounts={tag: _number(query, tag, 0.0, 0.0, 100.0) / 100.0 for tag in TAGS},
        wet=_number(query, "wet", 100.0, 0.0, 100.0) / 100.0,
        start_s=_number(query, "start", 0.0, 0.0, 86_400.0),
        seconds=_number(query, "seconds", USUAL_S, SHORTEST_S, LONGEST_S),
        in_mix=query.get("mix") == "1",
        original=query.get("original") == "1",
    )


def _number(query: QueryDict, name: str, default: float, lowest: float, highest: float) -> float:
    try:
        value = float(query.get(name, default))
    except ValueError:
        return default
    return min(max(value, lowest), highest) if math.isfinite(value) else default


def as_json(wish: Wish, *, artist: str, title: str, revision: int) -> str:
    """All settings, with their units in the names of the keys, in the order of the chain."""
    recipe = wish.recipe
    document = {
        "format": "sonic-vision-pro/timbre-simulation",
        "format_version": FORMAT_VERSION,
        "artist": artist,
        "title": title,
        "revision": revision,
        "amounts": {tag: round(amount, 2) for tag, amount in wish.amounts.items()},
        "wet": round(wish.wet, 2),
        "chain": [
            {"stage": "cleaning", "most_db": round(recipe.cleaning_db, 2)},
            {
                "stage": "equaliser",
                "filters": "biquads of the W3C Web Audio API; shelves have slope 1 (Q 0.707)",
                "moves": [
                    {
                        "type": move.type,
                        "freq_hz": move.freq_hz,
                        "gain_db": round(move.gain_db, 2),
                        "q": round(move.q, 3),
                    }
                    for move in recipe.moves
                ],
            },
            {
                "stage": "saturation",
                "shape": "tanh",
                "drive_db": round(recipe.drive_db, 2),
                "for_a_voice_of_lufs": DRIVEN_AT_LUFS,
                "bias": round(recipe.bias, 3),
            },
            {
                "stage": "flutter",
                "depth_percent": round(100.0 * recipe.flutter_depth, 1),
                "from_hz": FLUTTER_FROM_HZ,
                "to_hz": FLUTTER_TO_HZ,
            },
            {
                "stage": "breath",
                "level_db": None if recipe.breath_db is None else round(recipe.breath_db, 1),
                "from_hz": BREATH_FROM_HZ,
                "to_hz": BREATH_TO_HZ,
                "rise_db_per_octave": RISE_DB_PER_OCTAVE,
                "carrier": "white noise in the vocal's spectral envelope",
            },
            {"stage": "level", "matched": "integrated loudness (BS.1770-4)", "ceiling_dbtp": -1.0},
        ],
    }
    return json.dumps(document, indent=2, ensure_ascii=False) + "\n"


def as_text(wish: Wish, *, artist: str, title: str, revision: int) -> str:
    """The settings to set up by hand, in any audio workstation."""
    lines = [
        f"{artist} - {title} (v{revision}), vocal",
        f"{wish.summary}; {100 * wish.wet:.0f} % wet",
        "",
        *(steps(wish.recipe) or ["Nothing is changed."]),
    ]
    return "\r\n".join(lines) + "\r\n"


def steps(recipe: Recipe) -> list[str]:
    """What to set, one line each, in the order of the chain; empty for nothing."""
    lines = []
    if recipe.cleaning_db:
        lines.append(
            f"Spectral noise reduction between the partials: up to {recipe.cleaning_db:.0f} dB"
        )
    lines += [move_text(move) for move in recipe.moves]
    if recipe.drive_db:
        text = f"Soft saturation (tanh): drive {recipe.drive_db:+.1f} dB, with the vocal at "
        text += f"{DRIVEN_AT_LUFS:.0f} LUFS before it"
        lines.append(text + (", some even harmonics (bias)" if recipe.bias else ""))
    if recipe.flutter_depth:
        lines.append(
            f"Random tremolo from {FLUTTER_FROM_HZ:.0f} to {FLUTTER_TO_HZ:.0f} Hz: depth "
            f"{100 * recipe.flutter_depth:.0f} %"
        )
    if recipe.breath_db is not None:
        lines.append(
            f"White noise through a vocoder that the vocal drives, {BREATH_FROM_HZ / 1000:.0f} to "
            f"{BREATH_TO_HZ / 1000:.0f} kHz, {RISE_DB_PER_OCTAVE:+.0f} dB per octave: "
            f"{-recipe.breath_db:.0f} dB below the vocal"
        )
    if lines:
        lines.append("Level: as loud as before, true peak under -1 dBTP")
    return lines


def move_text(move: Move) -> str:
    """One filter: ``Bell 260 Hz, +4.5 dB, Q 0.70``."""
    q = f", Q {move.q:.2f}" if move.type == "bell" else ""
    return f"{_SHAPES[move.type]} {move.freq_hz:.0f} Hz, {move.gain_db:+.1f} dB{q}"


def stretch_text(wish: Wish) -> str:
    """``0:12 to 0:24``."""
    return f"{clock(wish.start_s)} to {clock(wish.start_s + wish.seconds)}"
