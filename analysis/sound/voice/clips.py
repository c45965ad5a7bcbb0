"""Clips of a voice that are good enough to be judged, and why the others are not."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from analysis.sound.voice import clipping, phrases
from analysis.sound.voice.measures import RATE_HZ, at_measuring_rate
from analysis.sound.voice.phrases import Phrase
from analysis.sound.voice.pitch import PitchTrack, track

# A separated voice this far beneath what accompanies it is what the separation left over.
FAINTEST_OVER_ACCOMPANIMENT_DB = -18.0

Float = npt.NDArray[np.float32]


@dataclass(frozen=True)
class Clip:
    """``samples`` (n,) at 32 kHz from ``phrase``, with their pitch; ``clipped_percent`` was found
    at the recording's own rate; ``over_accompaniment_db`` is None where none was given."""

    phrase: Phrase
    samples: Float
    pitch: PitchTrack
    clipped_percent: float
    over_accompaniment_db: float | None


@dataclass(frozen=True)
class Clips:
    """The clips that are kept, in the order of time; ``faint`` were too faint beside the
    accompaniment, ``left_out`` were good, but more than asked for."""

    kept: list[Clip]
    faint: int
    left_out: int
    duration_s: float


def cut(
    samples: npt.NDArray[np.floating],
    rate: int,
    *,
    accompaniment: npt.NDArray[np.floating] | None = None,
    most: int | None = None,
) -> Clips:
    """Cut clips of 3 to 5 s from a voice, mono (n,), by energy and voicing.

    ``accompaniment`` is the rest of the mix, mono at the same rate. Of more than ``most`` clips
    some are taken, spread evenly.
    """
    sound = at_measuring_rate(samples, rate)
    pitch = track(sound, RATE_HZ)
    good: list[tuple[Phrase, float | None]] = []
    faint = 0
    for phrase in phrases.find(pitch):
        over = None
        if accompaniment is not None:
            over = _over(_part(samples, rate, phrase), _part(accompaniment, rate, phrase))
            if over < FAINTEST_OVER_ACCOMPANIMENT_DB:
                faint += 1
                continue
        good.append((phrase, over))
    chosen = _spread(len(good), most)
    kept = [
        Clip(
            phrase=phrase,
            samples=_part(sound, RATE_HZ, phrase),
            pitch=pitch.between(phrase.start_s, phrase.end_s),
            clipped_percent=clipping.share_percent(_part(samples, rate, phrase)),
            over_accompaniment_db=over,
        )
        for phrase, over in (good[index] for index in chosen)
    ]
    return Clips(kept, faint, len(good) - len(kept), len(samples) / rate)


def _part(sound: npt.NDArray[np.floating], rate: int, phrase: Phrase) -> npt.NDArray[np.floating]:
    return sound[round(phrase.start_s * rate) : round(phrase.end_s * rate)]


def _over(voice: npt.NDArray[np.floating], rest: npt.NDArray[np.floating]) -> float:
    power = [float(np.mean(np.square(part, dtype=np.float64))) for part in (voice, rest)]
    return 10.0 * float(np.log10(max(power[0], 1e-20) / max(power[1], 1e-20)))


def _spread(count: int, most: int | None) -> list[int]:
    if most is None or count <= most:
        return list(range(count))
    return np.linspace(0, count - 1, most).round().astype(int).tolist()
