"""Putting a Grad-CAM map into words: which band, which seconds."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from analysis.sound.mel import COLUMNS_PER_SECOND, mel_frequencies_hz

SECTION_SECONDS = 8.0

# The seven bands of the product, as far as the mel picture reaches (11,025 Hz).
BANDS_HZ: tuple[tuple[str, float, float], ...] = (
    ("sub-bass", 20, 60),
    ("bass", 60, 250),
    ("low mids", 250, 500),
    ("mids", 500, 2_000),
    ("high mids", 2_000, 4_000),
    ("presence", 4_000, 6_000),
    ("brilliance", 6_000, 11_025),
)


@dataclass(frozen=True)
class Attention:
    """Where the model looked. Shares are of the whole map's heat and sum to about 1 over bands.

    ``emphasis`` is the strongest band's share over the share that an even map would give it.
    """

    band_shares: dict[str, float]
    band: str
    low_hz: float
    high_hz: float
    emphasis: float
    start_s: float
    end_s: float
    section_share: float


def attention(heat: npt.NDArray[np.float32]) -> Attention | None:
    """Summarise a heat map (128, T); None if it is empty (the class had no evidence at all)."""
    total = float(heat.sum())
    if total <= 0:
        return None
    frequencies = mel_frequencies_hz()
    rows = heat.sum(axis=1)
    shares: dict[str, float] = {}
    emphasis: dict[str, float] = {}
    for name, low, high in BANDS_HZ:
        inside = (frequencies >= low) & (frequencies < high)
        shares[name] = float(rows[inside].sum()) / total
        emphasis[name] = shares[name] / max(float(inside.mean()), 1.0 / rows.size)
    # The band that says most: much heat for its size, but not a sliver of all heat.
    band = max(shares, key=lambda name: emphasis[name] * (shares[name] >= 0.05))
    low, high = next((low, high) for name, low, high in BANDS_HZ if name == band)
    columns = heat.sum(axis=0)
    length = min(columns.size, round(SECTION_SECONDS * COLUMNS_PER_SECOND))
    sums = np.convolve(columns, np.ones(length), mode="valid")
    start = int(sums.argmax())
    return Attention(
        band_shares=shares,
        band=band,
        low_hz=low,
        high_hz=high,
        emphasis=emphasis[band],
        start_s=start / COLUMNS_PER_SECOND,
        end_s=(start + length) / COLUMNS_PER_SECOND,
        section_share=float(sums[start]) / total,
    )


def clock(seconds: float) -> str:
    """``m:ss`` (or ``h:mm:ss``) of a time in seconds."""
    whole = round(seconds)
    hours, minutes, rest = whole // 3600, whole // 60 % 60, whole % 60
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"


def sentence(label: str, found: Attention | None, *, familiar: bool, decided: bool = True) -> str:
    """One plain sentence on why the model says ``label``.

    ``familiar``: the music is like what the model knows; ``decided``: it is sure enough to name a
    genre at all.
    """
    if found is None:
        return f"The model names {label}, but no single region of the spectrogram speaks for it."
    where = (
        f"{found.low_hz:,.0f}–{found.high_hz:,.0f} Hz ({found.band}), most of all between "
        f"{clock(found.start_s)} and {clock(found.end_s)}"
    )
    if familiar and not decided:
        return (
            "Not sure enough to name a genre. "
            f"What points to {label}, the likeliest, lies at {where}."
        )
    if familiar:
        return f"{label.capitalize()} mainly because of {where}."
    return (
        f"Closest known: {label}, but this is unlike what the model knows. "
        f"What reminded it of {label} lies at {where}."
    )
