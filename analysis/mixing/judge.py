"""The mix engineer's judgement: all checks, then the rules that keep the advice sane.

* Nothing inside the corridor is advised, and no move exceeds 3 dB, nor do all of them together.
* Neighbours are not pulled in opposite directions: the smaller move is dropped.
* The advice as a whole leaves the loudness as it was: ``output_gain_db`` makes up for the moves.
* At most seven findings, gravest first.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Any, cast

import numpy as np
import numpy.typing as npt

from analysis.mixing import (
    dynamics_checks,
    level_checks,
    recording_checks,
    stereo_checks,
    tonal,
    vocal_checks,
)
from analysis.mixing.evidence import Evidence
from analysis.mixing.findings import (
    CHECKS,
    LARGEST_MOVE_DB,
    SEVERITY_RANK,
    SMALLEST_MOVE_DB,
    BandVerdict,
    Case,
    CurveVerdict,
    Finding,
    VocalVerdict,
)
from analysis.mixing.targets import GenreTarget, Targets, aligned_levels_db, alignment_db
from analysis.mixing.tonal_moves import level_free
from analysis.sound.equaliser import SHELF_Q, Move, Shape, response_db
from analysis.sound.spectrum import BandLevel
from analysis.sound.stem_evidence import StemEvidence

if TYPE_CHECKING:  # the measuring library takes most of a second to load: not for the web
    from analysis.sound.measure import SoundMeasurements

MOST_FINDINGS = 7
_RATE = 44_100
_HAS_A_PART_DB = 0.1
CHECK_MODULES = (
    tonal,
    vocal_checks,
    level_checks,
    dynamics_checks,
    recording_checks,
    stereo_checks,
)
"""Modules whose import registers their checks."""


@dataclass(frozen=True)
class MixReport:
    """Judgement of one mix against one genre.

    ``output_gain_db`` is the change of level that keeps the loudness when all equaliser moves of
    the findings are applied. ``stems_db`` are third octaves of each stem relative to all of them,
    None where none were at hand, and ``vocals`` the voice beside the genre's range, None where
    there were none or nobody sings. ``targets_version`` names the measured corridors.
    """

    genre: str
    n_tracks: int
    bands: list[BandVerdict]
    curve: CurveVerdict | None
    findings: list[Finding]
    output_gain_db: float
    stems_db: dict[str, list[float]] | None
    vocals: VocalVerdict | None
    targets_version: str


def judge(
    measurements: SoundMeasurements,
    *,
    genre: str,
    picture: npt.NDArray[np.uint8],
    targets: Targets,
    stems: StemEvidence | None = None,
) -> MixReport:
    """Judge a measured mix against a genre.

    Parameters
    ----------
    genre : a genre of *targets*; an unknown one is judged against all tracks together
    picture : mel picture (128, T) of the same sound, as the targets were measured on
    stems : findings then say which of them hold what stands out, and the voice is judged
    """
    evidence = Evidence.of(measurements, picture=picture, stems=stems)
    return judge_evidence(evidence, target=targets.of(genre), targets=targets)


def rejudge(
    document: Mapping[str, Any],
    *,
    genre: str | GenreTarget,
    targets: Targets,
    stems: StemEvidence | None = None,
) -> dict[str, Any]:
    """The ``mix`` part of a stored report, judged against another genre, or against an own
    target, and with stems that came later; plain data."""
    evidence = Evidence.from_document(document).with_stems(stems)
    target = targets.of(genre) if isinstance(genre, str) else genre
    return asdict(judge_evidence(evidence, target=target, targets=targets))


def judge_evidence(evidence: Evidence, *, target: GenreTarget, targets: Targets) -> MixReport:
    """Run every registered check, then apply the rules of this module.

    ``targets`` say how finished tracks differ from each other.
    """
    bands = band_verdicts(evidence.band_levels, target)
    curve = None if evidence.curve_db is None else curve_verdict(evidence.curve_db, target)
    judged = curve is not None and tonal.unjudged_because(evidence) is None
    case = Case(
        evidence=evidence,
        bands=bands,
        target=target,
        tonal=targets.model_for(target),
        curve=curve,
        deviation_db=deviation_db(curve, targets) if curve is not None and judged else None,
    )
    found = [finding for check in CHECKS for finding in check.findings(case)]
    kept = together_moderate(in_order(found)[:MOST_FINDINGS])
    return MixReport(
        genre=target.genre,
        n_tracks=target.n_tracks,
        bands=bands,
        curve=curve,
        findings=kept,
        output_gain_db=output_gain_db(kept, curve),
        stems_db=evidence.stems_db,
        vocals=vocal_checks.vocal_verdict(case),
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


def curve_verdict(levels_db: list[float], target: GenreTarget) -> CurveVerdict:
    """A mix's third octaves (from :func:`analysis.sound.balance.third_octaves_db`) beside the
    target's."""
    known = target.curve
    n = len(levels_db)
    offset = alignment_db(levels_db, known.median_db[:n])
    return CurveVerdict(
        frequencies_hz=known.frequencies_hz,
        level_db=[round(level - offset, 2) for level in levels_db],
        measured_db=levels_db,
        p10=known.p10_db,
        median=known.median_db,
        p90=known.p90_db,
        measured_up_to_hz=known.measured_up_to_hz,
    )


def deviation_db(curve: CurveVerdict, targets: Targets) -> npt.NDArray[np.float64]:
    """How a curve differs from its target's middle, (points,), free of level.

    Raises ValueError if it was not measured on the points of the targets' tonal model.
    """
    n = targets.tonal.frequencies_hz.size
    if len(curve.measured_db) != n:
        raise ValueError(f"expected a curve of {n} points, got {len(curve.measured_db)}")
    return level_free(np.array(curve.measured_db) - np.array(curve.median[:n]))


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


def together_moderate(findings: list[Finding]) -> list[Finding]:
    """Make moves smaller that would add up to more than the largest move at any frequency, all
    that have a part in it alike; leave out the last ones where too little would be left of them."""
    wanted = {at: move for at, one in enumerate(findings) for move in moves_of_findings([one])}
    moves = _scaled_down(wanted)
    while too_small := [at for at, move in moves.items() if abs(move.gain_db) < SMALLEST_MOVE_DB]:
        wanted = {at: move for at, move in wanted.items() if at != max(too_small)}
        moves = _scaled_down(wanted)
    kept = []
    for at, finding in enumerate(findings):
        if finding.advice.gain_db:
            gain_db = _towards_zero(moves[at].gain_db) if at in moves else 0.0
            if gain_db != finding.advice.gain_db:
                finding = replace(finding, advice=finding.advice.at_gain(gain_db))
        kept.append(finding)
    return kept


def _scaled_down(moves: Mapping[int, Move]) -> dict[int, Move]:
    hertz = np.geomspace(20.0, 20_000.0, 961)
    scaled = dict(moves)
    while scaled:
        parts = {at: response_db([move], hertz, _RATE) for at, move in scaled.items()}
        total = np.sum(list(parts.values()), axis=0)
        worst = int(np.abs(total).argmax())
        if abs(total[worst]) <= LARGEST_MOVE_DB + 0.05:
            break
        for at, part in parts.items():
            if part[worst] * total[worst] > 0 and abs(part[worst]) > _HAS_A_PART_DB:
                scaled[at] = replace(scaled[at], gain_db=scaled[at].gain_db * 0.97)
    return scaled


def _towards_zero(gain_db: float) -> float:
    """To 0.1 dB, never up: rounding must not lift a sum over its limit again."""
    return float(np.trunc(round(gain_db * 10.0, 6))) / 10.0


def output_gain_db(findings: list[Finding], curve: CurveVerdict | None) -> float:
    """Gain that keeps the total power when the findings' moves are applied."""
    moves = moves_of_findings(findings)
    if curve is None or not moves:
        return 0.0
    levels = np.array(curve.measured_db)
    hertz = np.array(curve.frequencies_hz[: levels.size])
    power = 10.0 ** (levels / 10.0)
    factor = 10.0 ** (response_db(moves, hertz, _RATE) / 10.0)
    return round(-10.0 * float(np.log10((power * factor).sum() / power.sum())), 2) + 0.0


def moves_of_findings(findings: Sequence[Finding]) -> list[Move]:
    """The equaliser that the findings advise."""
    return [
        Move(cast(Shape, advice.type), advice.freq_hz or 0.0, advice.gain_db, advice.q or SHELF_Q)
        for advice in (finding.advice for finding in findings)
        if advice.type is not None and advice.gain_db
    ]
