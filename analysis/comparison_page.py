"""From two revisions of a track to what the page that compares them shows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from django.urls import reverse

from analysis import mix_targets, selectors
from analysis.comparison_charts import spectra_chart
from analysis.mixing import load_targets
from analysis.mixing.comparison import Comparison, NotComparable, against_one_target, compare
from analysis.mixing.targets import GenreTarget
from analysis.models import Report
from analysis.presentation import job_context, target_name
from catalog.models import Revision, Track

SMALLEST_DIFFERENCE_S = 0.02
"""Versions whose lengths or beginnings differ by less are treated as equally long."""


@dataclass(frozen=True)
class Side:
    """One of the two versions; ``document`` is its report as judged for this comparison."""

    letter: str
    revision: Revision
    report: Report | None
    document: dict[str, Any] | None

    @property
    def name(self) -> str:
        return f"v{self.revision.number}"

    @property
    def audio_url(self) -> str:
        return reverse("revision_audio", args=[self.revision.pk])

    @property
    def waveform_url(self) -> str:
        if self.report is None:
            return ""
        return reverse("derived_file", args=[self.revision.pk, "waveform.json"])

    @property
    def duration_s(self) -> float:
        known = (self.document or {}).get("file", {}).get("duration_s")
        return float(known or self.revision.duration_s)

    @property
    def loudness(self) -> dict[str, Any]:
        return dict((self.document or {}).get("loudness", {}))


def chosen_pair(
    revisions: Sequence[Revision], *, a: str, b: str
) -> tuple[Revision, Revision] | None:
    """The two versions that ``?a=`` and ``?b=`` name; None where there is only one.

    Without names: the newest and the one before. With one name: the other is its neighbour.

    Parameters
    ----------
    revisions : all of a track, newest first

    Raises
    ------
    LookupError
        If a name is no version's number.
    """
    by_number = {str(revision.number): revision for revision in revisions}
    for name in (a, b):
        if name and name not in by_number:
            raise LookupError(f"no version {name!r}")
    if len(revisions) < 2:
        return None
    if a and b:
        return by_number[a], by_number[b]
    if a:
        first = by_number[a]
        newer = [one for one in revisions if one.number > first.number]
        return first, newer[-1] if newer else revisions[1]
    second = by_number[b] if b else revisions[0]
    older = [one for one in revisions if one.number < second.number]
    return (older[0] if older else revisions[-2]), second


def comparison_context(track: Track, *, a: str, b: str) -> dict[str, Any]:
    """Everything that the page needs. Raises LookupError for numbers that no version has."""
    revisions = list(track.revisions.order_by("-number"))
    pair = chosen_pair(revisions, a=a, b=b)
    context: dict[str, Any] = {"track": track, "artist": track.artist, "revisions": revisions}
    if pair is None or pair[0] == pair[1]:
        return context | {"pair": pair}
    sides = [
        Side(letter, revision, report, None if report is None else report.document)
        for letter, revision in zip("AB", pair, strict=True)
        for report in [selectors.report_of(revision)]
    ]
    context |= {"pair": pair, "missing": [_missing(side) for side in sides if side.report is None]}
    if not context["missing"]:
        default = mix_targets.chosen(track.artist, "")
        sides, compared = _compared(sides, None if default is None else default.target)
        context |= compared
    return context | {"sides": sides, **_listening(sides)}


def _missing(side: Side) -> dict[str, Any]:
    """A version without a report, with the job that is to make it."""
    job = selectors.job_of(side.revision)
    return {"side": side, "revision": side.revision, **job_context(job)}


def _compared(sides: list[Side], default: GenreTarget | None) -> tuple[list[Side], dict[str, Any]]:
    """Both sides judged against one target, and what they differ in."""
    documents = [side.document or {} for side in sides]
    newest = max(sides, key=lambda side: side.revision.number)
    genre = default or (newest.document or {})["mix"]["genre"]
    versions = [document.get("models", {}).get("measurements") for document in documents]
    context: dict[str, Any] = {"is_one_version": versions[0] == versions[1]}
    try:
        judged = against_one_target(documents, genre=genre, targets=load_targets())
    except NotComparable:
        return sides, context | {"is_comparable": False}
    comparison = compare(*judged)
    spectra = comparison.spectra
    sides = [
        Side(side.letter, side.revision, side.report, document)
        for side, document in zip(sides, judged, strict=True)
    ]
    return sides, context | {
        "is_comparable": True,
        "comparison": comparison,
        "summary": summary(comparison),
        "target_name": target_name(comparison.target),
        "chart": None if spectra is None else spectra_chart(spectra),
        "most_changed": None if spectra is None else spectra.most_changed(),
    }


def summary(comparison: Comparison) -> str:
    """What happened to the findings, in one sentence.

    >>> summary(Comparison("any", [], [], [], [], [], None))
    'No findings in either version.'
    """
    gone, come, stayed = len(comparison.gone), len(comparison.come), len(comparison.stayed)
    if not gone + come + stayed:
        return "No findings in either version."
    parts = [
        f"{gone or 'No'} {'finding' if gone == 1 else 'findings'} gone",
        f"{come or 'none'} new",
    ]
    if stayed:
        parts.append(f"{stayed} stayed")
    return ", ".join(parts) + "."


def _listening(sides: list[Side]) -> dict[str, Any]:
    """What the switch needs to say: who is turned down, whose length or beginning differs."""
    one, other = sides
    longer_s = other.duration_s - one.duration_s
    context: dict[str, Any] = {
        "longer_s": longer_s,
        "is_as_long": abs(longer_s) < SMALLEST_DIFFERENCE_S,
    }
    louder_db = _difference(sides, "integrated_lufs")
    if louder_db is not None:
        context["louder"] = other if louder_db > 0 else one
        context["turned_down_db"] = abs(louder_db)
    later_s = _difference(sides, "silence_head_s")
    if later_s is not None and abs(later_s) >= SMALLEST_DIFFERENCE_S:
        context["suggested_offset_ms"] = round(1000 * later_s)
    return context


def _difference(sides: list[Side], name: str) -> float | None:
    """A figure of the second version's ``loudness`` minus the first one's; None if unknown."""
    before, after = (side.loudness.get(name) for side in sides)
    return None if before is None or after is None else float(after) - float(before)
