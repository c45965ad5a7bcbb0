"""All measures of a voice at once."""

from __future__ import annotations

from dataclasses import dataclass, fields

import numpy as np
import numpy.typing as npt
import soxr

from analysis.sound.voice import cepstrum, clipping, cycles, roughness, spectrum
from analysis.sound.voice.pitch import PitchTrack, harmonics_to_noise_db, track

RATE_HZ = 32_000
_LEAST_F0_FRAMES = 5


@dataclass(frozen=True)
class VoiceMeasures:
    """Figures of one stretch of a voice; None where there is nothing to measure it on.

    Names carry their units; the modules of this package say how each is measured.
    """

    f0_hz: float | None
    f0_spread_semitones: float | None
    voiced_share: float
    hnr_db: float | None
    cpps_db: float | None
    jitter_percent: float | None
    shimmer_percent: float | None
    h1_h2_db: float | None
    tilt_db_per_octave: float | None
    alpha_ratio_db: float | None
    hammarberg_db: float | None
    above_6k_db: float | None
    centroid_hz: float | None
    brightness: float | None
    low_mid_db: float | None
    first_harmonics_db: float | None
    sibilance_db: float | None
    flatness_db: float | None
    modulation_percent: float | None
    subharmonics_db: float | None
    clipped_percent: float

    def as_dict(self) -> dict[str, float | None]:
        """Every measure by its name."""
        return {field.name: getattr(self, field.name) for field in fields(self)}


NAMES = tuple(field.name for field in fields(VoiceMeasures))


def at_measuring_rate(samples: npt.NDArray[np.floating], rate: int) -> npt.NDArray[np.float32]:
    """Mono sound (n,) at 32 kHz: enough for breath, and one rate for every recording."""
    sound = np.ascontiguousarray(samples, dtype=np.float32)
    return sound if rate == RATE_HZ else soxr.resample(sound, rate, RATE_HZ, quality="HQ")


def measure(
    samples: npt.NDArray[np.floating],
    rate: int = RATE_HZ,
    *,
    pitch: PitchTrack | None = None,
    clipped_percent: float | None = None,
) -> VoiceMeasures:
    """Measure a stretch of a voice, shape (n,) mono; no figure depends on its level.

    ``pitch`` is its track where that is known already. ``clipped_percent`` is what
    :func:`clipping.share_percent` found at the recording's own rate, where that was another.
    """
    if clipped_percent is None:
        clipped_percent = clipping.share_percent(samples)
    sound = at_measuring_rate(samples, rate)
    sound = sound - sound.mean() if sound.size else sound
    pitch = pitch or track(sound, RATE_HZ)
    voiced = pitch.voiced
    f0 = pitch.f0_hz[voiced]
    heard = f0.size >= _LEAST_F0_FRAMES
    regular = cycles.irregularity(cycles.runs(sound, RATE_HZ, pitch))
    colour = spectrum.measure(sound, RATE_HZ, pitch)
    return VoiceMeasures(
        f0_hz=float(np.median(f0)) if heard else None,
        f0_spread_semitones=float(np.std(12.0 * np.log2(f0))) if heard else None,
        voiced_share=float(voiced.mean()),
        hnr_db=float(harmonics_to_noise_db(pitch.strength[voiced]).mean()) if heard else None,
        cpps_db=cepstrum.prominence_db(sound, RATE_HZ, pitch),
        jitter_percent=regular.jitter_percent,
        shimmer_percent=regular.shimmer_percent,
        modulation_percent=roughness.modulation_percent(sound, RATE_HZ, pitch),
        subharmonics_db=roughness.subharmonics_db(sound, RATE_HZ, pitch),
        clipped_percent=clipped_percent,
        **vars(colour),
    )
