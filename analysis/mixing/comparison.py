"""Two versions of one mix, judged against one target: what went, what came, what moved.

Works on report documents (the keys of ``manage.py analyze --json``), never on the sound.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from analysis.mixing.figure_comparison import FigureChange, figure_changes
from analysis.mixing.findings import SEVERITY_RANK
from analysis.mixing.judge import rejudge
from analysis.mixing.spectrum_comparison import SpectrumPair, compare_spectra
from analysis.mixing.targets import GenreTarget, Targets
from analysis.mixing.trend import Trend, trend, trend_of_badness

Document = Mapping[str, Any]

SAME_PLACE_OCTAVES = 1 / 3
"""Findings of one kind whose centres lie nearer than this are one finding."""

SMALLEST_CHANGE_DB = 0.1
"""Smaller changes of decibels are not told: the page shows one decimal."""


class NotComparable(ValueError):
    """A report lacks what judging it again needs: it was made by an older version of the meters."""


@dataclass(frozen=True)
class Gone:
    """A finding of the first mix that the second does not have.

    ``still_outside_db`` is how far the second mix still lies outside the corridor there, on the
    same side: too little to be a finding, or hidden behind graver ones. None: nothing is left, or
    it cannot be said.
    """

    finding: Document
    still_outside_db: float | None


@dataclass(frozen=True)
class Stayed:
    """A finding that both mixes have. ``trend`` says which way it moved."""

    before: Document
    after: Document
    trend: Trend


@dataclass(frozen=True)
class BandChange:
    """One band of both mixes.

    Levels in dB relative to each mix's own loudness, from the average spectra; None where there
    are none. ``…outside_db`` is how far each lies outside the target's corridor, 0 inside;
    ``trend`` tells whether it came nearer, None where both lie inside.
    """

    name: str
    label: str
    low_hz: float
    high_hz: float
    before_db: float | None
    after_db: float | None
    change_db: float | None
    before_outside_db: float
    after_outside_db: float
    trend: Trend | None


@dataclass(frozen=True)
class Comparison:
    """Everything that two reports differ in. ``target`` is the genre both were judged against."""

    target: str
    gone: list[Gone]
    come: list[Document]
    stayed: list[Stayed]
    bands: list[BandChange]
    figures: list[FigureChange]
    spectra: SpectrumPair | None


def against_one_target(
    documents: Sequence[Document], *, genre: str | GenreTarget, targets: Targets
) -> list[dict[str, Any]]:
    """The documents with their mixes judged against one genre of *targets*, or against an own
    target, by the same checks.

    A mix whose judgement is already of that genre and version is left alone, unless the reports
    come from different versions of the meters: then all are judged anew.

    Raises
    ------
    NotComparable
        If a document lacks what judging needs, such as the curve that tones are judged by.
    """
    target = targets.of(genre) if isinstance(genre, str) else genre
    one_version = len(
        {str(document.get("models", {}).get("measurements")) for document in documents}
    )
    judged = []
    for document in documents:
        mix = document["mix"]
        fits = mix["genre"] == target.genre and mix.get("targets_version") == targets.version
        if not (fits and one_version == 1) or target.is_own:
            try:
                mix = rejudge(document, genre=target, targets=targets)
            except (KeyError, TypeError, ValueError) as error:
                raise NotComparable(f"the report cannot be judged again: {error!r}") from error
            if not mix.get("curve"):
                raise NotComparable("the report has no curve, so tones cannot be judged")
        judged.append({**document, "mix": mix})
    if len({bool(document["mix"].get("curve")) for document in judged}) > 1:
        raise NotComparable("the tonal curve is missing in one of the reports")
    return judged


def compare(before: Document, after: Document) -> Comparison:
    """Compare two report documents whose mixes are judged against the same genre.

    Raises
    ------
    ValueError
        If they are judged against different ones (see :func:`against_one_target`).
    """
    if before["mix"]["genre"] != after["mix"]["genre"]:
        raise ValueError(
            f"judged against {before['mix']['genre']!r} and {after['mix']['genre']!r}: "
            "judge both against one target first"
        )
    old, new = before["mix"]["findings"], after["mix"]["findings"]
    pairs = matched(old, new)
    paired_old, paired_new = {i for i, _ in pairs}, {j for _, j in pairs}
    bands = after["mix"]["bands"]
    spectra = compare_spectra(before.get("spectrum", {}), after.get("spectrum", {}))
    return Comparison(
        target=after["mix"]["genre"],
        gone=[
            Gone(finding, still_outside_db(finding, bands))
            for number, finding in enumerate(old)
            if number not in paired_old
        ],
        come=[finding for number, finding in enumerate(new) if number not in paired_new],
        stayed=[
            Stayed(old[i], new[j], finding_trend(old[i], new[j]))
            for i, j in sorted(pairs, key=lambda pair: pair[1])
        ],
        bands=band_changes(before["mix"]["bands"], bands, spectra=spectra),
        figures=figure_changes(before, after),
        spectra=spectra,
    )


def centre_hz(finding: Document) -> float | None:
    """Where a finding lies: its advised filter's frequency, or the middle of its range."""
    freq_hz = finding["advice"].get("freq_hz")
    if freq_hz:
        return float(freq_hz)
    low_hz, high_hz = finding["where"].get("low_hz"), finding["where"].get("high_hz")
    return math.sqrt(low_hz * high_hz) if low_hz and high_hz else None


def matched(old: Sequence[Document], new: Sequence[Document]) -> list[tuple[int, int]]:
    """Pairs (index in *old*, index in *new*) of findings that are the same one.

    The same id, the same direction (too loud is not too quiet) and, where both have a frequency,
    centres within a third of an octave. Of several that fit, the nearest are paired first.
    """
    candidates = []
    for i, one in enumerate(old):
        for j, other in enumerate(new):
            if one["id"] != other["id"] or _sign(one) * _sign(other) < 0:
                continue
            hz, other_hz = centre_hz(one), centre_hz(other)
            octaves = abs(math.log2(other_hz / hz)) if hz and other_hz else 0.0
            if octaves <= SAME_PLACE_OCTAVES:
                candidates.append((octaves, _seconds_apart(one, other), i, j))
    pairs: list[tuple[int, int]] = []
    for _, _, i, j in sorted(candidates):
        if all(i != one and j != other for one, other in pairs):
            pairs.append((i, j))
    return pairs


def _sign(finding: Document) -> int:
    amount = finding["amount_db"] or 0.0
    return (amount > 0) - (amount < 0)


def _seconds_apart(one: Document, other: Document) -> float:
    start, other_start = one["where"].get("start_s"), other["where"].get("start_s")
    return abs(start - other_start) if start is not None and other_start is not None else 0.0


def finding_trend(before: Document, after: Document) -> Trend:
    """Whether a finding became smaller; without an amount, whether it became less grave."""
    sizes = before["amount_db"], after["amount_db"]
    if None not in sizes:
        return trend(abs(sizes[0]), abs(sizes[1]), least=SMALLEST_CHANGE_DB)
    ranks = [SEVERITY_RANK.get(finding["severity"], 0) for finding in (before, after)]
    return trend(ranks[0], ranks[1], least=1)


def still_outside_db(finding: Document, bands: Sequence[Document]) -> float | None:
    """How far *bands* still lie outside the corridor where a tonal finding of before was."""
    hz = centre_hz(finding)
    if finding["category"] != "tonal" or hz is None:
        return None
    for band in bands:
        if band["low_hz"] <= hz < band["high_hz"]:
            outside = _outside_db(band)
            return outside if outside * (finding["amount_db"] or 0.0) > 0 else None
    return None


def band_changes(
    before: Sequence[Document], after: Sequence[Document], *, spectra: SpectrumPair | None
) -> list[BandChange]:
    """The bands that both mixes have, lowest first."""
    old = {band["name"]: band for band in before}
    changes = []
    for band in after:
        earlier = old.get(band["name"])
        if earlier is None:
            continue
        outside = _outside_db(earlier), _outside_db(band)
        levels = spectra.band_levels_db(band["low_hz"], band["high_hz"]) if spectra else None
        changes.append(
            BandChange(
                name=band["name"],
                label=band.get("label") or band["name"],
                low_hz=band["low_hz"],
                high_hz=band["high_hz"],
                before_db=levels[0] if levels else None,
                after_db=levels[1] if levels else None,
                change_db=round(levels[1] - levels[0], 2) if levels else None,
                before_outside_db=outside[0],
                after_outside_db=outside[1],
                trend=trend_of_badness(abs(outside[0]), abs(outside[1]), SMALLEST_CHANGE_DB),
            )
        )
    return changes


def _outside_db(band: Document) -> float:
    """How far a band lies outside the corridor; what would be shown as 0.0 dB is 0."""
    outside = float(band["outside_db"])
    return 0.0 if abs(outside) < SMALLEST_CHANGE_DB / 2 else outside
