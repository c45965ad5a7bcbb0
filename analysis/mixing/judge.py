"""The mix engineer's judgement: all checks, then the rules that keep the advice sane.

* Nothing inside the corridor is advised, and no move exceeds 3 dB.
* Neighbouring bands are not pulled in opposite directions: the smaller move is dropped.
* The advice as a whole leaves the loudness as it was: ``output_gain_db`` makes up for the moves.
* At most seven findings, gravest first.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from analysis.mixing import level_checks, stereo_checks, tonal
from analysis.mixing.evidence import Evidence
from analysis.mixing.findings import CHECKS, SEVERITY_RANK, BandVerdict, Case, Finding
from analysis.mixing.targets import GenreTarget, Targets, aligned_levels_db
from analysis.sound.spectrum import BandLevel

if TYPE_CHECKING:  # the measuring library takes most of a second to load: not for the web
    from analysis.sound.measure import SoundMeasurements

MOST_FINDINGS = 7
CHECK_MODULES = (tonal, level_checks, stereo_checks)
"""Modules whose import registers their checks."""


@dataclass(frozen=True)
class MixReport:
    """Judgement of one mix against one genre.

    ``output_gain_db`` is the change of level that keeps the loudness when all equaliser moves of
    the findings are applied. ``targets_version`` names the measured corridors.
    """

    genre: str
    n_tracks: int
    bands: list[BandVerdict]
    findings: list[Finding]
    output_gain_db: float
    targets_version: str


def judge(
    measurements: SoundMeasurements,
    *,
    genre: str,
    band_levels: list[BandLevel],
    targets: Targets,
) -> MixReport:
    """Judge a measured mix against a genre.

    Parameters
    ----------
    genre : a genre of *targets*; an unknown one is judged against all tracks together
    band_levels : from :func:`analysis.sound.spectrum.band_levels_from_mel`, as the targets are
    """
    evidence = Evidence.of(measurements, band_levels=band_levels)
    return judge_evidence(evidence, genre=genre, targets=targets)


def rejudge(document: Mapping[str, Any], *, genre: str, targets: Targets) -> dict[str, Any]:
    """The ``mix`` part of a stored report, judged against another genre; plain data."""
    evidence = Evidence.from_document(document)
    return asdict(judge_evidence(evidence, genre=genre, targets=targets))


def judge_evidence(evidence: Evidence, *, genre: str, targets: Targets) -> MixReport:
    """Run every registered check, then apply the rules of this module."""
    target = targets.of(genre)
    bands = band_verdicts(evidence.band_levels, target)
    case = Case(evidence=evidence, bands=bands, target=target)
    found = [finding for check in CHECKS for finding in check.findings(case)]
    kept = in_order(without_conflicts(found, [band.name for band in bands]))[:MOST_FINDINGS]
    return MixReport(
        genre=target.genre,
        n_tracks=target.n_tracks,
        bands=bands,
        findings=kept,
        output_gain_db=output_gain_db(kept, bands),
        targets_version=targets.version,
    )


def band_verdicts(levels: list[BandLevel], target: GenreTarget) -> list[BandVerdict]:
    """Each band beside its corridor."""
    aligned = aligned_levels_db(levels, target.bands)
    return [
        BandVerdict(
            name=corridor.name,
            label=tonal.WORDS[corridor.name].label,
            low_hz=corridor.low_hz,
            high_hz=corridor.high_hz,
            level_db=round(level_db, 2),
            measured_db=level.level_db,
            p10=corridor.p10_db,
            median=corridor.median_db,
            p90=corridor.p90_db,
            outside_db=round(corridor.outside_db(round(level_db, 2)), 2),
        )
        for corridor, level, level_db in zip(target.bands, levels, aligned, strict=True)
    ]


def without_conflicts(findings: list[Finding], band_names: list[str]) -> list[Finding]:
    """Drop the smaller of two opposite moves in neighbouring bands: they would fight."""
    moves = {
        finding.id.removeprefix("tonal_"): finding
        for finding in findings
        if finding.category == "tonal" and finding.advice.gain_db
    }
    dropped: set[str] = set()
    by_size = sorted(moves.values(), key=lambda finding: -abs(finding.amount_db or 0.0))
    for finding in by_size:
        if finding.id in dropped:
            continue
        at = band_names.index(finding.id.removeprefix("tonal_"))
        for neighbour in (at - 1, at + 1):
            other = moves.get(band_names[neighbour]) if 0 <= neighbour < len(band_names) else None
            if other and other.id not in dropped and _gain(other) * _gain(finding) < 0:
                dropped.add(other.id)
    return [finding for finding in findings if finding.id not in dropped]


def in_order(findings: list[Finding]) -> list[Finding]:
    """Gravest first; within a severity the most important times certain first."""
    return sorted(
        findings,
        key=lambda finding: (
            -SEVERITY_RANK[finding.severity],
            -finding.importance * finding.confidence,
            finding.id,
        ),
    )


def output_gain_db(findings: list[Finding], bands: list[BandVerdict]) -> float:
    """Gain that keeps the total power when the findings' moves are applied band by band."""
    gains = {finding.id.removeprefix("tonal_"): _gain(finding) for finding in findings}
    power = np.array([10.0 ** (band.measured_db / 10.0) for band in bands])
    factor = np.array([10.0 ** (gains.get(band.name, 0.0) / 10.0) for band in bands])
    return round(-10.0 * float(np.log10((power * factor).sum() / power.sum())), 2) + 0.0


def _gain(finding: Finding) -> float:
    return finding.advice.gain_db or 0.0
