"""The report of a file: what listening found, in short and whole."""

from __future__ import annotations

from typing import Any, ClassVar

from django.db.models import QuerySet
from rest_framework import serializers

from analysis.api.report_parts import report_in
from analysis.api.resources import Reading
from analysis.api.serializing import Output
from analysis.models import Report
from catalog.models import Revision


class ReportOut(Output):
    """What listening to a file found. `document` is the whole report, as the report's page saves
    it; leave it out with `fields`."""

    example: ClassVar[dict[str, Any]] = {
        "model_version": "m2+ears-1.0.0-1a2b3c4d",
        "created_at": "2026-02-01T10:00:30Z",
        "genre": "folk",
        "genre_decided": True,
        "genre_confidence": 0.81,
        "tempo_bpm": 96.0,
        "key": "A minor",
        "integrated_lufs": -14.2,
        "energy": 0.41,
        "document": {"tempo": {"bpm": 96.0}},
    }

    model_version = serializers.CharField()
    created_at = serializers.DateTimeField()
    genre = serializers.CharField(help_text="The likeliest.")
    genre_decided = serializers.BooleanField(
        help_text="Sure enough, and familiar enough, to be named."
    )
    genre_confidence = serializers.FloatField(allow_null=True)
    tempo_bpm = serializers.FloatField(allow_null=True)
    key = serializers.CharField()
    integrated_lufs = serializers.FloatField(allow_null=True, help_text="LUFS")
    energy = serializers.FloatField(allow_null=True, help_text="0 to 1")
    document = serializers.JSONField()


class RevisionReportView(Reading):
    """The newest report of a file; 404 until it has been listened to."""

    tag = "revisions"
    summaries = {"GET": "Read a file's report"}
    output = ReportOut
    key = "revision_id"

    def rows(self) -> QuerySet[Revision]:
        return Revision.objects.all()

    def one(self, scope: str) -> Report:
        """The report, if the caller may see the file. Raises Problem."""
        return report_in(super().one(scope))
