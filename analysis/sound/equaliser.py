"""Parametric equaliser: bells and shelves as second-order sections, the same in every place.

Formulas and shapes are those of the Web Audio API's BiquadFilterNode (W3C Recommendation 2021,
after R. Bristow-Johnson, "Cookbook formulae for audio EQ biquad filter coefficients"), so what a
browser plays is what the server renders. A shelf there has the fixed slope 1, which is Q = 0.707.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np
import numpy.typing as npt

Shape = Literal["bell", "low_shelf", "high_shelf"]
SHAPES: tuple[str, ...] = get_args(Shape)
SHELF_Q = 0.5**0.5
_HIGHEST_SHARE_OF_NYQUIST = 0.98

Array = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Move:
    """One band of an equaliser.

    ``freq_hz`` is a bell's centre, or where a shelf has half its gain in decibels. ``q`` is a
    bell's quality; a shelf's is always 0.707.
    """

    type: Shape
    freq_hz: float
    gain_db: float
    q: float = SHELF_Q

    def __post_init__(self) -> None:
        if self.type not in SHAPES:
            raise ValueError(f"type must be one of {', '.join(SHAPES)}, not {self.type!r}")
        if not (self.freq_hz > 0 and self.q > 0 and np.isfinite(self.gain_db)):
            raise ValueError(f"not a filter: {self}")


def sections(moves: Sequence[Move], sample_rate: int) -> Array:
    """Second-order sections (n, 6) of *moves*, as :func:`scipy.signal.sosfilt` takes them.

    A frequency at or above half the sample rate in Hz is taken as a little below it.
    """
    return np.array([_section(move, sample_rate) for move in moves]).reshape(-1, 6)


def response_db(moves: Sequence[Move], frequencies_hz: Array, sample_rate: int) -> Array:
    """Gain of all *moves* together at each of *frequencies_hz*, shape (n,), in dB."""
    if not moves:
        return np.zeros(len(frequencies_hz))
    delay = np.exp(-2j * np.pi * np.asarray(frequencies_hz) / sample_rate)
    b0, b1, b2, a0, a1, a2 = sections(moves, sample_rate).T[:, :, None]
    gains = (b0 + delay * (b1 + delay * b2)) / (a0 + delay * (a1 + delay * a2))
    return np.asarray(20.0 * np.log10(np.maximum(np.abs(gains), 1e-12)).sum(axis=0))


class Equaliser:
    """Filters blocks of shape (channels, n) one after the other, as if they were one sound."""

    def __init__(self, moves: Sequence[Move], *, sample_rate: int, channels: int) -> None:
        self._sections = sections(moves, sample_rate)
        self._state = np.zeros((len(self._sections), channels, 2))

    def __call__(self, block: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
        """The next samples (channels, n), filtered."""
        if not len(self._sections):
            return block
        import scipy.signal  # takes most of a second to load: not where only responses are asked

        filtered, self._state = scipy.signal.sosfilt(
            self._sections, block.astype(np.float64), axis=1, zi=self._state
        )
        return filtered.astype(np.float32)


def _section(move: Move, sample_rate: int) -> list[float]:
    nyquist = sample_rate / 2
    w = np.pi * min(move.freq_hz / nyquist, _HIGHEST_SHARE_OF_NYQUIST)
    cos, sin = float(np.cos(w)), float(np.sin(w))
    amp = 10.0 ** (move.gain_db / 40.0)
    if move.type == "bell":
        alpha = sin / (2.0 * move.q)
        b = [1.0 + alpha * amp, -2.0 * cos, 1.0 - alpha * amp]
        a = [1.0 + alpha / amp, -2.0 * cos, 1.0 - alpha / amp]
    else:
        side = 1.0 if move.type == "low_shelf" else -1.0
        root = 2.0 * amp**0.5 * sin / (2.0 * SHELF_Q)
        up, down = amp + 1.0, amp - 1.0
        b = [
            amp * (up - side * down * cos + root),
            side * 2.0 * amp * (down - side * up * cos),
            amp * (up - side * down * cos - root),
        ]
        a = [
            up + side * down * cos + root,
            -side * 2.0 * (down + side * up * cos),
            up + side * down * cos - root,
        ]
    return [value / a[0] for value in (*b, *a)]
