"""Which settings push a voice toward a tag.

Each tag has shelves and bells, and what an equaliser cannot do: saturation, flutter, breath, and
cleaning between the partials. The directions are those of the literature on voices: warmth is
energy between 100 and 500 Hz and a steep tilt, brightness energy above 2 kHz, breath noise between
the partials and above 6 kHz, roughness envelope modulation at 50 to 200 Hz, cleanness little of
either. The sizes are chosen by ear and by measuring; ``docs/voice-page.md`` has the figures.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from analysis.sound.equaliser import SHELF_Q, Move

TAGS = ("warm", "bright", "breathy", "rough", "clean")
_LEAST_GAIN_DB = 0.05


@dataclass(frozen=True)
class Recipe:
    """Everything that is done to a voice, in the order in which it is done.

    cleaning_db : by how much what lies between the partials is lowered, in dB, at most
    moves : bells and shelves
    drive_db : gain into the soft clipper, in dB, for a voice of -30 LUFS; 0 is none
    bias : how much sooner one half of the wave saturates than the other, which makes even
        harmonics, as a share of the clipper's full scale
    flutter_depth : RMS of the fast random change of level, as a share of the level
    breath_db : level of the added breath below the voice, in dB; None adds none
    """

    cleaning_db: float = 0.0
    moves: tuple[Move, ...] = ()
    drive_db: float = 0.0
    bias: float = 0.0
    flutter_depth: float = 0.0
    breath_db: float | None = None

    @property
    def is_nothing(self) -> bool:
        """Whether it leaves a voice as it is."""
        return self == Recipe()


@dataclass(frozen=True)
class _Push:
    """What the full amount of one tag adds."""

    moves: tuple[Move, ...]
    cleaning_db: float = 0.0
    drive_db: float = 0.0
    bias: float = 0.0
    flutter_depth: float = 0.0
    breath_ratio: float = 0.0


_FULL: Mapping[str, _Push] = MappingProxyType(
    {
        "warm": _Push(
            moves=(
                Move("bell", 260.0, 6.0, 0.7),
                Move("bell", 3_200.0, -2.0, 0.8),
                Move("high_shelf", 5_500.0, -5.0, SHELF_Q),
            ),
            drive_db=16.0,
            bias=0.25,
        ),
        "bright": _Push(
            moves=(
                Move("bell", 260.0, -2.5, 0.7),
                Move("high_shelf", 3_000.0, 5.5, SHELF_Q),
                Move("high_shelf", 9_000.0, 2.5, SHELF_Q),
            )
        ),
        "breathy": _Push(
            moves=(
                Move("bell", 1_600.0, -1.5, 0.7),
                Move("high_shelf", 5_000.0, -1.5, SHELF_Q),
            ),
            breath_ratio=0.35,
        ),
        "rough": _Push(
            moves=(Move("bell", 1_800.0, 1.5, 0.8),),
            drive_db=30.0,
            flutter_depth=0.30,
        ),
        "clean": _Push(
            moves=(Move("high_shelf", 7_000.0, -2.0, SHELF_Q),),
            cleaning_db=24.0,
        ),
    }
)


def recipe_for(amounts: Mapping[str, float]) -> Recipe:
    """Settings for chosen amounts (0 to 1) of any of :data:`TAGS`; tags left out count as 0.

    Gains in dB add up, also where two tags move the same band.

    Raises
    ------
    ValueError
        If a tag is not known, or an amount is not between 0 and 1.
    """
    for tag, amount in amounts.items():
        if tag not in TAGS:
            raise ValueError(f"no such tag: {tag!r}; there are {', '.join(TAGS)}")
        if not 0.0 <= amount <= 1.0:
            raise ValueError(f"the amount of {tag} must be between 0 and 1, not {amount}")
    pushes = [(_FULL[tag], amounts.get(tag, 0.0)) for tag in TAGS]
    # Random parts of two tags add up in power, gains in dB add up as they are.
    breath = sum((amount * push.breath_ratio) ** 2 for push, amount in pushes) ** 0.5
    return Recipe(
        cleaning_db=sum(amount * push.cleaning_db for push, amount in pushes),
        moves=_moves(pushes),
        # One clipper for all: the one who asks for most has it.
        drive_db=max(amount * push.drive_db for push, amount in pushes),
        bias=sum(amount * push.bias for push, amount in pushes),
        flutter_depth=sum((amount * push.flutter_depth) ** 2 for push, amount in pushes) ** 0.5,
        breath_db=_decibels(breath) if breath > 0.0 else None,
    )


def _moves(pushes: list[tuple[_Push, float]]) -> tuple[Move, ...]:
    gains: dict[tuple[str, float, float], tuple[Move, float]] = {}
    for push, amount in pushes:
        for move in push.moves:
            key = (move.type, move.freq_hz, move.q)
            gains[key] = (move, gains.get(key, (move, 0.0))[1] + amount * move.gain_db)
    moves = [
        Move(move.type, move.freq_hz, gain_db, move.q)
        for move, gain_db in gains.values()
        if abs(gain_db) >= _LEAST_GAIN_DB
    ]
    return tuple(sorted(moves, key=lambda move: (move.freq_hz, move.type)))


def _decibels(ratio: float) -> float:
    return 20.0 * math.log10(ratio)
