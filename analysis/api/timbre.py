"""Timbre: what the voice of a file is like."""

from __future__ import annotations

from typing import Any, ClassVar

from django.db.models import QuerySet
from rest_framework import serializers

from analysis.api.problems import Problem
from analysis.api.resources import Reading
from analysis.api.serializing import Output
from analysis.models import Stage
from analysis.selectors import report_of
from analysis.voice_document import voice_of
from catalog.models import Revision


class TagOut(serializers.Serializer):
    """One tag of the whole voice."""

    name = serializers.CharField()
    probability = serializers.FloatField(help_text="0 to 1; 0.4 to 0.6 says nothing.")
    low = serializers.FloatField(allow_null=True, help_text="10th percentile of the clips.")
    high = serializers.FloatField(allow_null=True, help_text="90th percentile of the clips.")
    verdict = serializers.CharField(help_text="In words.")


class TimbreOut(Output):
    """The voice of a file. `document` is the voice's whole document: tags and measures of the whole
    and of every clip."""

    example: ClassVar[dict[str, Any]] = {
        "model_version": "v1+timbre-1.0.0-1a2b3c4d",
        "created_at": "2026-02-01T10:05:00Z",
        "singing": True,
        "reason": "",
        "summary": "Clearly warm, somewhat breathy.",
        "sung_s": 96.0,
        "tags": [
            {"name": "warm", "probability": 0.86, "low": 0.7, "high": 0.93, "verdict": "clearly"}
        ],
        "document": {"singing": True, "tags": {"warm": {"probability": 0.86}}},
    }

    model_version = serializers.CharField()
    created_at = serializers.DateTimeField()
    singing = serializers.BooleanField()
    reason = serializers.CharField(help_text="Why nobody was heard singing, for people.")
    summary = serializers.CharField(help_text="For people.")
    sung_s = serializers.FloatField(help_text="Seconds of all clips that were judged.")
    tags = TagOut(many=True)
    document = serializers.JSONField()


class TimbreView(Reading):
    """What the voice of a file is like; 404 until the stage `voice` is done."""

    tag = "timbre"
    summaries = {"GET": "Read a voice's timbre"}
    output = TimbreOut
    key = "revision_id"

    def rows(self) -> QuerySet[Revision]:
        return Revision.objects.all()

    def one(self, scope: str) -> dict[str, Any]:
        """The voice, if the caller may see the file. Raises Problem."""
        report = report_of(super().one(scope), Stage.VOICE)
        if report is None:
            raise Problem("not_found", "The voice has not been listened to yet.")
        voice = voice_of(report.document)
        return {
            "model_version": report.model_version,
            "created_at": report.created_at,
            "singing": voice.is_singing,
            "reason": voice.reason,
            "summary": voice.summary if voice.is_singing else "",
            "sung_s": round(voice.sung_s, 3),
            "tags": voice.tags,
            "document": report.document,
        }
