"""Stems mixed as an artist set them: the settings, the law of gains and balance, and the sum.

The browser's mixer applies the same law (``static/js/mixer_levels.js``), so that what is rendered
is what was heard.

    gain      10 ^ ((gain_db + master_db) / 20), nothing at all for a stem that is not heard
    heard     not muted, and either soloed or no stem is soloed; a mute is stronger than a solo
    balance   angle = (pan + 1) π / 4; left √2 cos(angle), right √2 sin(angle)

The balance has constant power: the squares of both sides always sum to 2. In the middle nothing
changes; at an end the far side is silent and the near one 3 dB louder.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

LOWEST_DB = -60.0
HIGHEST_DB = 6.0
STEMS = ("vocals", "drums", "bass", "other", "guitar", "piano")
"""Stems that any engine makes. Settings may name others of them than a separation has."""

Block = npt.NDArray[np.float32]


class BadMix(ValueError):
    """Settings that cannot be used; the message says what is wrong in them."""


@dataclass(frozen=True)
class StemSetting:
    """One lane: level in dB, balance from -1 (left) to 1 (right), muted, alone."""

    gain_db: float = 0.0
    pan: float = 0.0
    mute: bool = False
    solo: bool = False


@dataclass(frozen=True)
class MixSettings:
    """A whole mix; a stem that is not named stands as it is."""

    stems: Mapping[str, StemSetting] = field(default_factory=dict)
    master_db: float = 0.0


INSTRUMENTAL = MixSettings({"vocals": StemSetting(mute=True)})
A_CAPPELLA = MixSettings({"vocals": StemSetting(solo=True)})


def parse(document: object) -> MixSettings:
    """Settings out of JSON that came from outside.

    Raises
    ------
    BadMix
        For anything that is not exactly such a document: unknown keys, other types, values out of
        range or not finite.
    """
    whole = _object(document, "the mix", {"stems", "master_db"})
    lanes = _object(whole.get("stems", {}), "the stems", set(STEMS))
    return MixSettings(
        stems={name: _setting(name, lane) for name, lane in lanes.items()},
        master_db=_number(whole.get("master_db", 0.0), "the master level", LOWEST_DB, HIGHEST_DB),
    )


def to_document(settings: MixSettings) -> dict[str, Any]:
    """The JSON that :func:`parse` reads."""
    return {
        "stems": {name: asdict(setting) for name, setting in settings.stems.items()},
        "master_db": settings.master_db,
    }


def balance(pan: float) -> tuple[float, float]:
    """What the left and the right side of a stereo stem are multiplied with."""
    if pan == 0.0:
        return 1.0, 1.0  # exactly: an untouched stem stays what it is, bit for bit
    angle = (pan + 1.0) * math.pi / 4.0
    return math.sqrt(2.0) * math.cos(angle), math.sqrt(2.0) * math.sin(angle)


def gains(settings: MixSettings, names: Sequence[str]) -> npt.NDArray[np.float64]:
    """What each stem's two channels are multiplied with, shape (stems, 2), the master included."""
    lanes = [settings.stems.get(name, StemSetting()) for name in names]
    any_solo = any(lane.solo for lane in lanes)
    found = np.zeros((len(names), 2))
    for row, lane in zip(found, lanes, strict=True):
        if lane.mute or (any_solo and not lane.solo):
            continue
        level = 10.0 ** ((lane.gain_db + settings.master_db) / 20.0)
        row[:] = level * np.array(balance(lane.pan))
    return found


def mixed(
    stems: Sequence[Iterable[Block]], factors: npt.NDArray[np.float64]
) -> Iterator[npt.NDArray[np.float64]]:
    """The sum of stems, block by block.

    Parameters
    ----------
    stems : for each stem its blocks of shape (n, 2), all stems cut alike
    factors : of :func:`gains`

    Yields
    ------
    blocks of shape (2, n); nothing is limited or clipped
    """
    for blocks in zip(*stems, strict=True):
        total = np.zeros((2, len(blocks[0])))
        for block, factor in zip(blocks, factors, strict=True):
            if factor.any():
                total += block.T * factor[:, None]
        yield total


def _setting(name: str, lane: object) -> StemSetting:
    known = _object(lane, f"the setting of {name}", {"gain_db", "pan", "mute", "solo"})
    return StemSetting(
        gain_db=_number(known.get("gain_db", 0.0), f"the level of {name}", LOWEST_DB, HIGHEST_DB),
        pan=_number(known.get("pan", 0.0), f"the balance of {name}", -1.0, 1.0),
        mute=_switch(known.get("mute", False), f"the mute of {name}"),
        solo=_switch(known.get("solo", False), f"the solo of {name}"),
    )


def _object(value: object, what: str, allowed: set[str]) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise BadMix(f"{what} must be a JSON object")
    unknown = sorted(str(key) for key in value.keys() - allowed)
    if unknown:
        raise BadMix(f"{what} has an unknown entry: {unknown[0][:40]}")
    return value


def _number(value: object, what: str, low: float, high: float) -> float:
    # In Python True is a number, and JSON's parser lets NaN through.
    if isinstance(value, bool) or not isinstance(value, int | float) or not low <= value <= high:
        raise BadMix(f"{what} must be a number from {low:g} to {high:g}")
    return float(value)


def _switch(value: object, what: str) -> bool:
    if not isinstance(value, bool):
        raise BadMix(f"{what} must be true or false")
    return value
