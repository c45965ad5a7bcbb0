"""Where in time a tonal deviation is strongest."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

SMOOTH_S = 4.0
LEAST_RISE_DB = 1.5
"""A stretch is named where the band stands out by this much more than it usually does."""

MOST_SHARE = 0.6
"""What lasts longer than this share of the track is everywhere."""

_HEARD_DB = 20.0


def strongest_stretch(
    levels_db: Mapping[str, Sequence[float]], *, step_s: float, band: str, too_much: bool
) -> tuple[float, float] | None:
    """First and last second in which a band stands out most; None if it is so all along.

    Parameters
    ----------
    levels_db : bands' levels over time (:class:`analysis.sound.band_course.BandCourse`)
    band : the band, compared with all of them together at the same time
    too_much : whether it is too loud, or else too quiet

    Steps more than 20 dB quieter than the loudest one do not count.
    """
    if band not in levels_db:
        return None
    power = {name: 10.0 ** (np.asarray(row) / 10.0) for name, row in levels_db.items()}
    width = max(1, round(SMOOTH_S / step_s))
    kernel = np.ones(width) / width
    whole = np.convolve(np.sum(list(power.values()), axis=0), kernel, mode="same")
    own = np.convolve(power[band], kernel, mode="same")
    if whole.size < 3 * width or whole.max() <= 0.0:
        return None
    heard = whole > whole.max() * 10.0 ** (-_HEARD_DB / 10.0)
    share_db = 10.0 * np.log10(np.maximum(own, 1e-12) / np.maximum(whole, 1e-12))
    badness = share_db if too_much else -share_db
    usual = float(np.median(badness[heard]))
    badness = np.where(heard, badness, -np.inf)
    peak = int(badness.argmax())
    if badness[peak] < usual + LEAST_RISE_DB:
        return None
    edge = usual + LEAST_RISE_DB / 2
    first = last = peak
    while first > 0 and badness[first - 1] >= edge:
        first -= 1
    while last + 1 < badness.size and badness[last + 1] >= edge:
        last += 1
    if last + 1 - first > MOST_SHARE * badness.size:
        return None
    return first * step_s, (last + 1) * step_s
