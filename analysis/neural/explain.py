"""Putting a heat map into words: which frequencies, which seconds."""

from __future__ import annotations

from analysis.neural.attention import Attention, row_edges_hz

# A range or stretch this wide is no place any more.
_EVERYWHERE = 0.85


def clock(seconds: float) -> str:
    """``m:ss`` (or ``h:mm:ss``) of a time in seconds."""
    whole = round(seconds)
    hours, minutes, rest = whole // 3600, whole // 60 % 60, whole % 60
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"


def hertz_range(low_hz: float, high_hz: float) -> str:
    """A range as people write it, to the precision that a mel band has: ``40–90 Hz``,
    ``350 Hz–1.2 kHz``, ``2–4.1 kHz``."""
    low, high = _rounded(low_hz), _rounded(high_hz)
    if high < 1_000:
        return f"{low:.0f}–{high:.0f} Hz"
    if low < 1_000:
        return f"{low:.0f} Hz–{high / 1_000:.3g} kHz"
    return f"{low / 1_000:.3g}–{high / 1_000:.3g} kHz"


def _rounded(hz: float) -> float:
    """To tens, and from 1 kHz on to hundreds."""
    return round(hz, -1) if round(hz, -1) < 1_000 else round(hz, -2)


def place(found: Attention) -> str:
    """Where the evidence lies: ``40–90 Hz between 0:48 and 1:12``."""
    edges = row_edges_hz()
    rows = ((edges >= found.low_hz) & (edges <= found.high_hz)).sum() - 1
    everywhere = rows >= _EVERYWHERE * (edges.size - 1)
    frequencies = (
        "all frequencies alike" if everywhere else hertz_range(found.low_hz, found.high_hz)
    )
    end_s = found.sections[-1].end_s
    if found.end_s - found.start_s >= _EVERYWHERE * end_s:
        return f"{frequencies}, all through the track"
    return f"{frequencies} between {clock(found.start_s)} and {clock(found.end_s)}"


def sentence(
    label: str,
    found: Attention | None,
    *,
    familiar: bool,
    decided: bool = True,
    runner_up: bool = False,
    seen: bool = True,
) -> str:
    """One plain sentence on why the model says ``label``.

    ``familiar``: the music is like what the model knows; ``decided``: it is sure enough to name a
    genre at all; ``runner_up``: ``label`` is not the likeliest genre; ``seen``: the spectrogram,
    over which the map is drawn, would be enough to name it.
    """
    if found is None and runner_up:
        return f"Nothing in the spectrogram speaks for {label} more than for the other genres."
    if found is None:
        return f"The model names {label}, but no single region of the spectrogram speaks for it."
    where = place(found)
    if runner_up:
        return f"What there is of {label} comes from {where}."
    if not familiar:
        return (
            f"Closest known: {label}, but this is unlike what the model knows. "
            f"What reminded it of {label}: {where}."
        )
    if not decided:
        return f"Not sure enough to name a genre. What points to {label}, the likeliest: {where}."
    if not seen:
        return (
            f"{label.capitalize()} by the sound; the spectrogram alone would not tell. What there "
            f"is of {label} in it: {where}."
        )
    return f"{label.capitalize()} mainly because of {where}."
