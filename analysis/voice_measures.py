"""What is measured of a voice, in words for musicians, and which tag each measure speaks for."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType


@dataclass(frozen=True)
class Measure:
    """``low`` and ``high`` are what a low and a high value sound like; ``decimals`` is how many are
    worth showing; ``clear_beyond`` is the smallest difference, in the measure's unit, that counts
    as one at all."""

    name: str
    label: str
    unit: str
    low: str
    high: str
    decimals: int = 1
    clear_beyond: float = 1.0


MEASURES: Mapping[str, Measure] = MappingProxyType(
    {
        measure.name: measure
        for measure in (
            Measure("cpps_db", "Pitch out of the noise (CPPS)", "dB", "breathy or rough", "firm"),
            Measure("hnr_db", "Tone to noise (HNR)", "dB", "noisy", "pure"),
            Measure("h1_h2_db", "First partial over the second", "dB", "pressed", "soft, airy"),
            Measure("above_6k_db", "Air above 6 kHz", "dB", "covered", "airy"),
            Measure(
                "tilt_db_per_octave",
                "Spectral tilt",
                "dB/octave",
                "steep: dark",
                "flat: bright",
                clear_beyond=0.5,
            ),
            Measure("brightness", "Brightness (AudioCommons)", "", "dark", "bright", decimals=0),
            Measure(
                "centroid_hz",
                "Spectral centroid",
                "Hz",
                "dark",
                "bright",
                decimals=0,
                clear_beyond=100.0,
            ),
            Measure("low_mid_db", "Low mids against mids", "dB", "thin", "full"),
            Measure("first_harmonics_db", "First partials", "dB", "thin", "full"),
            Measure("alpha_ratio_db", "1 to 5 kHz over below (alpha)", "dB", "soft", "projecting"),
            Measure("hammarberg_db", "Hammarberg index", "dB", "sharp", "mellow"),
            Measure("sibilance_db", "Sibilance", "dB", "soft s", "sharp s"),
            Measure(
                "modulation_percent",
                "Flutter, 50 to 200 Hz",
                "%",
                "steady",
                "rough",
                clear_beyond=0.5,
            ),
            Measure("subharmonics_db", "Subharmonics", "dB", "none", "growl"),
            Measure(
                "jitter_percent",
                "Irregular periods (jitter)",
                "%",
                "regular",
                "irregular",
                decimals=2,
                clear_beyond=0.1,
            ),
            Measure(
                "shimmer_percent",
                "Irregular level (shimmer)",
                "%",
                "regular",
                "irregular",
                clear_beyond=0.5,
            ),
            Measure("flatness_db", "Spectral flatness", "dB", "tonal", "noisy"),
            Measure("clipped_percent", "Clipped", "%", "none", "distorted", 2, 0.05),
        )
    }
)

MEASURES_OF_TAG: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "warm": ("low_mid_db", "first_harmonics_db", "tilt_db_per_octave", "sibilance_db"),
        "bright": ("brightness", "tilt_db_per_octave", "alpha_ratio_db", "above_6k_db"),
        "breathy": ("cpps_db", "hnr_db", "h1_h2_db", "above_6k_db"),
        "rough": ("modulation_percent", "subharmonics_db", "shimmer_percent", "jitter_percent"),
        "clean": ("hnr_db", "cpps_db", "jitter_percent", "modulation_percent"),
    }
)
"""Which measures stand beside a tag, the most telling first."""
