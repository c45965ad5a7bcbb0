"""Parts of a file's report: genre, features, loudness, and the mix judged against any target."""

from __future__ import annotations

from typing import Any, ClassVar

from django.db.models import QuerySet
from rest_framework import serializers

from analysis import mix_targets, presentation
from analysis.api.filters import Filter
from analysis.api.problems import Problem
from analysis.api.resources import Reading
from analysis.api.serializing import Output
from analysis.models import Report
from analysis.selectors import report_of
from catalog.models import Revision

_MADE: dict[str, Any] = {
    "model_version": "m3+ears-1.0.0-1a2b3c4d",
    "created_at": "2026-02-01T10:00:30Z",
}


def _numbers(help_text: str = "") -> serializers.ListField:
    number = serializers.FloatField(allow_null=True)
    return serializers.ListField(child=number, allow_null=True, help_text=help_text)


def _number(help_text: str = "") -> serializers.FloatField:
    return serializers.FloatField(allow_null=True, help_text=help_text)


def _documents(help_text: str = "") -> serializers.ListField:
    return serializers.ListField(
        child=serializers.DictField(), allow_null=True, help_text=help_text
    )


class _PartOut(Output):
    """When, and by which version of the models. What an older report lacks is null."""

    model_version = serializers.CharField()
    created_at = serializers.DateTimeField()


class GenrePartOut(_PartOut):
    """Which genre the model heard, how sure it is, and what speaks for it."""

    example: ClassVar[dict[str, Any]] = {
        **_MADE,
        "label": "folk",
        "probabilities": {"folk": 0.81, "jazz": 0.07},
        "confidence": 0.81,
        "familiarity": 0.64,
        "familiar": True,
        "decided": True,
        "course": [{"start_s": 0.0, "end_s": 30.0, "label": "folk", "confidence": 0.84}],
        "attention": {"low_hz": 200.0, "high_hz": 900.0},
        "sentence": "Mostly because of the mids from 0:20 to 0:35.",
        "explanations": [{"label": "folk", "probability": 0.81}],
        "stems": None,
    }

    label = serializers.CharField(allow_null=True, help_text="The likeliest.")
    probabilities = serializers.DictField(child=serializers.FloatField(), allow_null=True)
    confidence = _number("Probability of the label, 0 to 1.")
    familiarity = _number("0 to 1; below 0.1 the music is unlike all that the model knows.")
    familiar = serializers.BooleanField(allow_null=True)
    decided = serializers.BooleanField(allow_null=True, help_text="Sure enough to be named.")
    course = _documents("Stretches of the track, with what is heard in each.")
    attention = serializers.DictField(allow_null=True, help_text="Where the evidence lies.")
    sentence = serializers.CharField(allow_null=True, help_text="The same, for people.")
    explanations = _documents("The three likeliest genres, the best first.")
    stems = serializers.DictField(allow_null=True, help_text="What each stem is worth to it.")


class FeaturesPartOut(_PartOut):
    """Energy, danceability and so on, tempo and key."""

    example: ClassVar[dict[str, Any]] = {
        **_MADE,
        "features": {"energy": 0.41, "danceability": 0.52, "acousticness": 0.7, "valence": 0.3},
        "percentiles": {"energy": 34.0},
        "reference": {"corpus": "GTZAN", "tracks": 639},
        "tempo": {"bpm": 96.0, "confidence": 0.8, "onset_rate_hz": 2.1},
        "key": {"tonic": "A", "mode": "minor", "confidence": 0.71},
    }

    features = serializers.DictField(
        child=serializers.FloatField(), allow_null=True, help_text="0 to 1"
    )
    percentiles = serializers.DictField(
        child=serializers.FloatField(allow_null=True),
        allow_null=True,
        help_text="Share of the reference music that lies below, 0 to 100.",
    )
    reference = serializers.DictField(allow_null=True, help_text="What that music is.")
    tempo = serializers.DictField(allow_null=True, help_text="`bpm` is null for a drone.")
    key = serializers.DictField(allow_null=True, help_text="`tonic` and `mode`, or nulls.")


class LoudnessPartOut(_PartOut):
    """Loudness, peaks, clipping and silence (ITU-R BS.1770, EBU Tech 3342)."""

    example: ClassVar[dict[str, Any]] = {
        **_MADE,
        "integrated_lufs": -14.2,
        "loudness_range_lu": 6.1,
        "true_peak_dbtp": -0.8,
        "sample_peak_dbfs": -1.0,
        "peak_to_loudness_lu": 13.4,
        "max_momentary_lufs": -9.7,
        "max_short_term_lufs": -11.2,
        "short_term_step_s": 1.0,
        "short_term_lufs": [-14.0, -13.6],
        "momentary_step_s": 0.5,
        "momentary_lufs": [-13.1, -12.9],
        "psr_min_lu": 9.1,
        "psr_median_lu": 12.0,
        "psr_min_at_s": 61.0,
        "inter_sample_overs": 0,
        "inter_sample_overs_at_s": [],
        "clipped_runs": 0,
        "clipped_samples": 0,
        "clipped_at_s": [],
        "dc_offset": [0.0, 0.0],
        "silence_head_s": 0.1,
        "silence_tail_s": 1.4,
    }

    integrated_lufs = _number()
    loudness_range_lu = _number()
    true_peak_dbtp = _number()
    sample_peak_dbfs = _number()
    peak_to_loudness_lu = _number()
    max_momentary_lufs = _number()
    max_short_term_lufs = _number()
    short_term_step_s = _number()
    short_term_lufs = _numbers("One value for each `short_term_step_s`.")
    momentary_step_s = _number()
    momentary_lufs = _numbers("The loudest 400 ms within each `momentary_step_s`.")
    psr_min_lu = _number("Least peak to short-term loudness.")
    psr_median_lu = _number()
    psr_min_at_s = _number()
    inter_sample_overs = serializers.IntegerField(allow_null=True)
    inter_sample_overs_at_s = _numbers()
    clipped_runs = serializers.IntegerField(allow_null=True)
    clipped_samples = serializers.IntegerField(allow_null=True)
    clipped_at_s = _numbers()
    dc_offset = _numbers("Of each channel, as a fraction of full scale.")
    silence_head_s = _number()
    silence_tail_s = _number()


class MixPartOut(_PartOut):
    """The mix engineer's findings and the tonal balance beside a target."""

    example: ClassVar[dict[str, Any]] = {
        **_MADE,
        "genre": "folk",
        "bands": [{"name": "low", "level_db": -8.1, "p10": -9.0, "median": -7.2, "p90": -5.0}],
        "curve": {"frequencies_hz": [100.0], "level_db": [-8.0]},
        "findings": [
            {
                "id": "harsh",
                "severity": "warning",
                "title": "Harsh around 3 kHz",
                "advice": {"type": "bell", "freq_hz": 3000.0, "q": 1.4, "gain_db": -2.5},
            }
        ],
        "output_gain_db": -0.4,
        "vocals": None,
        "stems_db": None,
        "targets_version": "3",
        "n_tracks": 64,
        "is_older": False,
    }

    genre = serializers.CharField(
        allow_null=True, help_text="What it is judged against; `any`: all genres together."
    )
    bands = _documents("The seven bands beside the target.")
    curve = serializers.DictField(allow_null=True, help_text="Third octaves beside the target.")
    findings = _documents("What to look at, the most important first, with moves to make.")
    output_gain_db = _number("Keeps the level when all advised moves are made.")
    vocals = serializers.DictField(allow_null=True)
    stems_db = serializers.DictField(allow_null=True)
    targets_version = serializers.CharField(allow_null=True)
    n_tracks = serializers.IntegerField(allow_null=True, help_text="That the target is made of.")
    is_older = serializers.BooleanField(
        help_text="The report was made before curves were kept, and cannot be judged anew."
    )


def report_in(revision: Revision) -> Report:
    """The newest report of a file. Raises Problem until it has been listened to."""
    report = report_of(revision)
    if report is None:
        raise Problem("not_found", "It has not been listened to yet.")
    return report


class ReportPart(Reading):
    """A part of the newest report of a file."""

    tag = "reports"
    key = "revision_id"

    def rows(self) -> QuerySet[Revision]:
        return Revision.objects.select_related("track", "artist__user")

    def one(self, scope: str) -> dict[str, Any]:
        """The part, if the caller may see the file. Raises Problem."""
        revision: Revision = super().one(scope)
        report = report_in(revision)
        made = {"model_version": report.model_version, "created_at": report.created_at}
        return {**self.part(revision, report), **made}

    def part(self, revision: Revision, report: Report) -> dict[str, Any]:
        """What ``output`` writes. Raises Problem."""
        raise NotImplementedError


class GenrePartView(ReportPart):
    """The genre, and what speaks for it. Pictures of where: `report/heatmap/`."""

    summaries = {"GET": "Read a file's genre"}
    output = GenrePartOut

    def part(self, revision: Revision, report: Report) -> dict[str, Any]:
        return report.document.get("genre") or {}


class FeaturesPartView(ReportPart):
    """What a file sounds like, in numbers."""

    summaries = {"GET": "Read a file's features, tempo and key"}
    output = FeaturesPartOut

    def part(self, revision: Revision, report: Report) -> dict[str, Any]:
        document = report.document
        return {
            "features": document.get("features"),
            "percentiles": document.get("feature_percentiles"),
            "reference": document.get("feature_reference"),
            "tempo": document.get("tempo"),
            "key": document.get("key"),
        }


class LoudnessPartView(ReportPart):
    """How loud a file is."""

    summaries = {"GET": "Read a file's loudness"}
    output = LoudnessPartOut

    def part(self, revision: Revision, report: Report) -> dict[str, Any]:
        return report.document.get("loudness") or {}


class MixPartView(ReportPart):
    """The mix, judged against `target`: a genre, or a target of the artist's own (`own:ID`);
    without it her default, or else the genre that was heard. `targets/` lists both."""

    summaries = {"GET": "Read a file's mix findings"}
    output = MixPartOut
    problems: ClassVar[dict[str, Any]] = {"GET": (409,)}
    parameters = {"GET": (Filter("target", "", help="As `value` in the lists of targets."),)}

    def part(self, revision: Revision, report: Report) -> dict[str, Any]:
        (asked,) = self.parameters["GET"]
        target = asked.value_in(self.request, default="")
        is_older = not presentation.can_be_rejudged(report.document)
        if target and mix_targets.resolve(revision.artist, target) is None:
            raise Problem("invalid_parameter", "target is no genre, and no target of this artist.")
        if target and is_older:
            raise Problem(
                "conflict", "The report is too old; ask to listen again.", reason="older_report"
            )
        document = presentation.document_for(report, revision, target)
        return {**(document.get("mix") or {}), "is_older": is_older}
