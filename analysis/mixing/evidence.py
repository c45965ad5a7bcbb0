"""What the mix is judged on: a small set of numbers, from fresh measurements or a stored report.

Judging never needs the sound itself, so a stored report can be judged again against another
genre at once.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Self

import numpy as np
import numpy.typing as npt

from analysis.sound.balance import pictured_frequencies_hz, third_octaves_db
from analysis.sound.band_course import BandCourse
from analysis.sound.hum import Hum
from analysis.sound.resonances import Resonance
from analysis.sound.spectrum import BandLevel, band_levels_from_mel
from analysis.sound.stem_evidence import StemEvidence
from analysis.sound.stereo_bands import BandImage
from analysis.sound.vocal_balance import VocalBalance

if TYPE_CHECKING:  # the measuring library takes most of a second to load: not for the web
    from analysis.sound.measure import SoundMeasurements


@dataclass(frozen=True)
class Evidence:
    """Measurements that checks may look at; units as in :mod:`analysis.sound`, None if unknown."""

    duration_s: float
    sample_rate: int
    channels: int
    lossless: bool
    integrated_lufs: float | None
    true_peak_dbtp: float | None
    plr_lu: float | None
    clipped_runs: int
    clipped_at_s: list[float]
    dc_offset: list[float]
    silence_head_s: float
    silence_tail_s: float
    correlation: float | None
    correlation_curve: list[float | None]
    width: float
    balance_db: float | None
    mono_loss_db: float
    low_band_correlation: float | None
    band_levels: list[BandLevel]
    curve_db: list[float] | None
    stems_db: dict[str, list[float]] | None
    psr_min_lu: float | None = None
    psr_median_lu: float | None = None
    psr_min_at_s: float | None = None
    limited_share: float | None = None
    inter_sample_overs: int | None = None
    inter_sample_overs_at_s: list[float] = field(default_factory=list)
    codec_cutoff_hz: float | None = None
    resonances: list[Resonance] = field(default_factory=list)
    hum: Hum | None = None
    band_images: list[BandImage] = field(default_factory=list)
    low_end: BandImage | None = None
    band_course: BandCourse | None = None
    vocal_balance: VocalBalance | None = None

    @classmethod
    def of(
        cls,
        measured: SoundMeasurements,
        *,
        picture: npt.NDArray[np.uint8],
        stems: StemEvidence | None = None,
    ) -> Self:
        """Evidence from fresh measurements; the tonal balance comes from the mel picture (128, T)
        of the same sound, as that of the targets does."""
        levels, stereo, loudness = measured.levels, measured.stereo, measured.loudness
        return cls(
            duration_s=measured.info.duration_s,
            sample_rate=measured.info.sample_rate,
            channels=measured.info.channels,
            lossless=measured.info.lossless,
            integrated_lufs=loudness.integrated_lufs,
            true_peak_dbtp=loudness.true_peak_dbtp,
            plr_lu=loudness.plr_lu,
            clipped_runs=levels.clipped_runs,
            clipped_at_s=levels.clipped_at_s,
            dc_offset=levels.dc_offset,
            silence_head_s=levels.silence_head_s,
            silence_tail_s=levels.silence_tail_s,
            correlation=stereo.correlation,
            correlation_curve=stereo.correlation_curve,
            width=stereo.width,
            balance_db=stereo.balance_db,
            mono_loss_db=stereo.mono_loss_db,
            low_band_correlation=_low_band_correlation(
                (band.name, band.correlation, band.level_db) for band in measured.spectrum.bands
            ),
            band_levels=band_levels_from_mel(picture),
            curve_db=[round(float(level), 2) for level in third_octaves_db(picture)],
            stems_db=stems.stems_db if stems else None,
            psr_min_lu=loudness.psr_min_lu,
            psr_median_lu=loudness.psr_median_lu,
            psr_min_at_s=loudness.psr_min_at_s,
            limited_share=measured.dynamics.limited_share,
            inter_sample_overs=loudness.inter_sample_overs,
            inter_sample_overs_at_s=loudness.inter_sample_overs_at_s,
            codec_cutoff_hz=measured.spectrum.codec_cutoff_hz,
            resonances=measured.spectrum.resonances,
            hum=measured.hum,
            band_images=stereo.bands,
            low_end=stereo.low_end,
            band_course=measured.spectrum.band_course,
            vocal_balance=stems.vocals if stems else None,
        )

    def with_stems(self, stems: StemEvidence | None) -> Self:
        """The same with what stems tell, that were separated after the report was made."""
        if stems is None:
            return self
        return replace(self, stems_db=stems.stems_db, vocal_balance=stems.vocals)

    @classmethod
    def from_document(cls, document: Mapping[str, Any]) -> Self:
        """Evidence from a stored report (the keys of ``manage.py analyze --json``).

        Raises KeyError where the document is not such a report.
        """
        loudness, stereo = document["loudness"], document["stereo"]
        return cls(
            duration_s=document["file"]["duration_s"],
            sample_rate=document["file"]["sample_rate"],
            channels=document["file"]["channels"],
            lossless=document["file"]["lossless"],
            integrated_lufs=loudness["integrated_lufs"],
            true_peak_dbtp=loudness["true_peak_dbtp"],
            plr_lu=loudness["peak_to_loudness_lu"],
            clipped_runs=loudness["clipped_runs"],
            clipped_at_s=loudness["clipped_at_s"],
            dc_offset=loudness["dc_offset"],
            silence_head_s=loudness["silence_head_s"],
            silence_tail_s=loudness["silence_tail_s"],
            correlation=stereo["correlation"],
            correlation_curve=stereo["correlation_curve"],
            width=stereo["width"],
            balance_db=stereo["balance_db"],
            mono_loss_db=stereo["mono_loss_db"],
            low_band_correlation=_low_band_correlation(
                (band["name"], band["correlation"], band["level_db"])
                for band in document["spectrum"]["bands"]
            ),
            band_levels=[
                BandLevel(
                    name=band["name"],
                    low_hz=band["low_hz"],
                    high_hz=band["high_hz"],
                    level_db=band["measured_db"],
                )
                for band in document["mix"]["bands"]
            ],
            curve_db=_curve_db(document["mix"]),
            stems_db=document["mix"].get("stems_db"),
            vocal_balance=_vocal_balance(document["mix"]),
            **_since_version_3(document),
        )


def _vocal_balance(mix: Mapping[str, Any]) -> VocalBalance | None:
    """None where no stems were at hand, or nobody sings."""
    found = mix.get("vocals")
    if found is None:
        return None
    names = ("ratio_lu", "sung_share", "buried_at_s", "leading_at_s")
    return VocalBalance(**{name: found[name] for name in names})


def _low_band_correlation(bands: Any) -> float | None:
    """Left-right correlation below 250 Hz, weighted by power."""
    weighted, total = 0.0, 0.0
    for name, correlation, level_db in bands:
        if name in ("sub", "bass") and correlation is not None:
            power = 10.0 ** (level_db / 10.0)
            weighted += power * correlation
            total += power
    return weighted / total if total > 0 else None


def _since_version_3(document: Mapping[str, Any]) -> dict[str, Any]:
    """What reports hold since version 3 of the measurements; left out where an older one has not,
    so that the checks which need it stay silent."""
    loudness, stereo, spectrum = document["loudness"], document["stereo"], document["spectrum"]
    hum, low_end = document.get("hum"), stereo.get("low_end")
    course = spectrum.get("band_course")
    return {
        **{
            name: loudness[name]
            for name in (
                "psr_min_lu",
                "psr_median_lu",
                "psr_min_at_s",
                "inter_sample_overs",
                "inter_sample_overs_at_s",
            )
            if name in loudness
        },
        "limited_share": document.get("dynamics", {}).get("limited_share"),
        "codec_cutoff_hz": spectrum.get("codec_cutoff_hz"),
        "resonances": [Resonance(**one) for one in spectrum.get("resonances", [])],
        "hum": None if hum is None else Hum(**hum),
        "band_images": [BandImage(**one) for one in stereo.get("bands", [])],
        "low_end": None if low_end is None else BandImage(**low_end),
        "band_course": None if course is None else BandCourse(**course),
    }


def _curve_db(mix: Mapping[str, Any]) -> list[float] | None:
    """Third octaves of a stored report; None in one that was made before they were kept."""
    curve = mix.get("curve")
    if not curve:
        return None
    levels: list[float] = curve["measured_db"][: pictured_frequencies_hz().size]
    return levels
