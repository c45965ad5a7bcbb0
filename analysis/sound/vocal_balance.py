"""How loud the voice stands against everything else while it sings.

The vocal-to-accompaniment ratio of mix research: the K-weighted level of the voice less that of the
rest, over the moments that are sung. It needs stems.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from analysis.sound.k_weighting import k_weighting_sos

STEP_S = 0.1
MOMENT_STEPS = 4
"""Moments of 400 ms, as BS.1770's momentary loudness has them."""

PHRASE_STEPS = 30
SUNG_ABOVE_REST_DB = -18.0
"""What a separation leaves of instruments in the voice's stem lies below this, mostly."""

BELOW_LOUDEST_DB = 20.0
LEAST_SUNG_S = 3.0
LEAST_SUNG_SHARE = 0.1
_LOUDEST_PERCENTILE = 95.0
_TINY = 1e-12

Mono = npt.NDArray[np.float32]
Array = npt.NDArray[np.float64]


@dataclass(frozen=True)
class VocalBalance:
    """``ratio_lu``: loudness of the voice less that of the rest, over the sung moments.

    ``sung_share`` is their share of the whole. ``buried_at_s`` and ``leading_at_s`` are the middles
    of the sung three seconds in which the voice stands lowest and highest.
    """

    ratio_lu: float
    sung_share: float
    buried_at_s: float | None
    leading_at_s: float | None


def vocal_balance(vocals: Mono, rest: Mono, sample_rate: int) -> VocalBalance | None:
    """Balance of a voice's stem (n,) against the sum of all others (n,), mono, as in the mix.

    None where too little is sung to say so: less than 3 s, or a tenth of the whole.

    Raises
    ------
    ValueError
        If the two are not of one length.
    """
    if vocals.shape != rest.shape:
        raise ValueError(f"the stems differ in length: {vocals.size} and {rest.size} samples")
    return balance_of_powers(
        k_weighted_power(vocals, sample_rate), k_weighted_power(rest, sample_rate)
    )


class WeightedPower:
    """Mean K-weighted power of every whole tenth of a second of a sound that comes in blocks."""

    def __init__(self, sample_rate: int) -> None:
        self._sos = k_weighting_sos(sample_rate)
        self._state = np.zeros((len(self._sos), 2))
        self._step = round(STEP_S * sample_rate)
        self._left = np.zeros(0)
        self._powers: list[Array] = []

    def add(self, sound: Mono) -> None:
        """Take the next samples, (n,)."""
        if sound.size == 0:
            return
        # Every process of the site loads this module, and few ever get here.
        from scipy.signal import sosfilt

        weighted, self._state = sosfilt(self._sos, sound, zi=self._state)
        squares = np.concatenate([self._left, np.square(weighted)])
        steps = squares.size // self._step
        whole = squares[: steps * self._step].reshape(steps, self._step)
        self._powers.append(whole.mean(axis=1))
        self._left = squares[steps * self._step :]

    def result(self) -> Array:
        """All powers so far, (steps,)."""
        return np.concatenate([np.zeros(0), *self._powers])


def k_weighted_power(sound: Mono, sample_rate: int) -> Array:
    """The same of a whole sound (n,)."""
    meter = WeightedPower(sample_rate)
    meter.add(sound)
    return meter.result()


def balance_of_powers(voice: Array, rest: Array) -> VocalBalance | None:
    """The same from the powers (steps,) of :func:`k_weighted_power`."""
    sung = sung_steps(voice, rest)
    if sung.sum() * STEP_S < LEAST_SUNG_S or sung.mean() < LEAST_SUNG_SHARE:
        return None
    buried, leading = _extremes(voice, rest, sung)
    return VocalBalance(
        ratio_lu=round(_ratio_db(voice[sung].sum(), rest[sung].sum()), 2),
        sung_share=round(float(sung.mean()), 3),
        buried_at_s=buried,
        leading_at_s=leading,
    )


def sung_steps(voice: Array, rest: Array) -> npt.NDArray[np.bool_]:
    """Which tenths of a second tell about the balance, (steps,): voice and rest are both near
    their own loudest, and the voice is not so far below that it may be what the separation left
    there. Where a guitar pauses for the singer there is nothing to balance."""
    if voice.size < MOMENT_STEPS:
        return np.zeros(voice.size, dtype=bool)
    window = np.ones(MOMENT_STEPS) / MOMENT_STEPS
    moment = np.convolve(voice, window, mode="same")
    around = np.convolve(rest, window, mode="same")
    floor = around * 10.0 ** (SUNG_ABOVE_REST_DB / 10.0)
    heard = moment > np.maximum(floor, _TINY)
    return np.asarray(heard & _near_loudest(moment) & _near_loudest(around))


def _near_loudest(moment: Array) -> npt.NDArray[np.bool_]:
    loudest = np.percentile(moment, _LOUDEST_PERCENTILE)
    return np.asarray(moment > loudest * 10.0 ** (-BELOW_LOUDEST_DB / 10.0))


def _extremes(
    voice: Array, rest: Array, sung: npt.NDArray[np.bool_]
) -> tuple[float | None, float | None]:
    """Middles in seconds of the phrases with the lowest and the highest ratio; a phrase counts
    where at least half of it is sung."""
    if sung.size < PHRASE_STEPS:
        return None, None
    window = np.ones(PHRASE_STEPS)
    counted = np.convolve(sung, window, mode="valid") >= PHRASE_STEPS / 2
    if not counted.any():
        return None, None
    up = np.convolve(voice * sung, window, mode="valid")
    down = np.convolve(rest * sung, window, mode="valid")
    ratio = np.log10(up + _TINY) - np.log10(down + _TINY)
    middle_s = (np.arange(ratio.size) + PHRASE_STEPS / 2) * STEP_S
    lowest = int(np.where(counted, ratio, np.inf).argmin())
    highest = int(np.where(counted, ratio, -np.inf).argmax())
    return round(float(middle_s[lowest]), 1), round(float(middle_s[highest]), 1)


def _ratio_db(one: float, other: float) -> float:
    return 10.0 * float(np.log10((one + _TINY) / (other + _TINY)))
