"""What a known change does to the measures, without measuring again what it leaves as it was."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import numpy.typing as npt

from analysis.sound.voice import cepstrum, clipping, spectrum
from analysis.sound.voice.measures import RATE_HZ, measure
from analysis.sound.voice.pitch import PitchTrack, harmonics_to_noise_db, track

_NEUTRAL = ("band_limit", "quantise", "room")
_SHAKEN = ("overdrive", "growl")
_NOISY = ("breath_noise", "aspirate")

Measured = Mapping[str, float | None]


def after(
    family: str,
    sound: npt.NDArray[np.float32],
    *,
    own: npt.NDArray[np.float32],
    base: Measured,
    pitch: PitchTrack,
) -> Measured:
    """Measures of a changed clip: ``sound`` (n,) at 32 kHz, ``own`` at the recording's rate.

    ``base`` are the measures and ``pitch`` the track of the unchanged clip: changes do not move the
    pitch, shelves leave the cycles as they are, and a room or a band limit count as nothing.
    """
    if family in _NEUTRAL:
        return base
    if family in _SHAKEN:
        return measure(sound, clipped_percent=clipping.share_percent(own)).as_dict()
    changed = {**base, **vars(spectrum.measure(sound, RATE_HZ, pitch))}
    if family == "clip":
        changed["clipped_percent"] = clipping.share_percent(own)
        changed["cpps_db"] = cepstrum.prominence_db(sound, RATE_HZ, pitch)
    if family in _NOISY:
        heard = track(sound, RATE_HZ)
        voiced = heard.voiced
        changed["voiced_share"] = float(voiced.mean())
        changed["cpps_db"] = cepstrum.prominence_db(sound, RATE_HZ, pitch)
        changed["hnr_db"] = (
            float(harmonics_to_noise_db(heard.strength[voiced]).mean()) if voiced.any() else None
        )
    return changed
