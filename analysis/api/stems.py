"""Stems: which separations a file has, and their files."""

from __future__ import annotations

from typing import Any, ClassVar
from urllib.parse import urlencode

from django.core.files.storage import default_storage
from django.urls import reverse
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from analysis import services
from analysis.api import conditions
from analysis.api.filters import Filter
from analysis.api.problems import Problem
from analysis.api.resources import ApiView
from analysis.api.serializing import Output
from analysis.downloads import file_name
from analysis.models import Report
from analysis.stem_downloads import stem_file_name
from analysis.stem_files import NoStems, stem_entry, stems_report, stems_reports
from catalog.models import Revision
from catalog.partner_models import Scope
from catalog.streaming import ranged_response

_ROWS = Revision.objects.select_related("track", "artist")


class StemOut(Output):
    """One stem: 44.1 kHz stereo FLAC, as long as the song. Together they add up to the mix."""

    example: ClassVar[dict[str, Any]] = {
        "name": "vocals",
        "label": "Vocals",
        "bytes": 21_400_331,
        "peak_dbfs": -2.1,
        "level_db": -18.4,
        "url": "https://music.example.org/api/v1/revisions/"
        "5e5b7cf8-0dd4-4b35-8a4d-8d3a6f3b7c20/stems/vocals/?engine=htdemucs",
    }

    name = serializers.CharField()
    label = serializers.CharField(allow_null=True)
    bytes = serializers.IntegerField(allow_null=True, help_text="Of the file.")
    peak_dbfs = serializers.FloatField(allow_null=True, help_text="Null: silent all through.")
    level_db = serializers.FloatField(allow_null=True, help_text="Root mean square, dBFS.")
    url = serializers.URLField(help_text="The file; needs the scope `audio`.")


class SeparationOut(Output):
    """The stems that one engine made."""

    example: ClassVar[dict[str, Any]] = {
        "engine": "htdemucs",
        "engine_label": "Demucs (hybrid transformer)",
        "is_starter": False,
        "sample_rate": 44_100,
        "duration_s": 213.4,
        "lowered_db": 0.0,
        "model_version": "s1+htdemucs-955717e8",
        "created_at": "2026-02-01T10:02:00Z",
        "stems": [StemOut.example],
    }

    engine = serializers.CharField()
    engine_label = serializers.CharField(allow_null=True)
    is_starter = serializers.BooleanField(allow_null=True)
    sample_rate = serializers.IntegerField(allow_null=True, help_text="Hz")
    duration_s = serializers.FloatField(allow_null=True)
    lowered_db = serializers.FloatField(
        allow_null=True, help_text="By how much all were lowered, so that none clips."
    )
    model_version = serializers.CharField()
    created_at = serializers.DateTimeField()
    stems = StemOut(many=True)


class SeparationsOut(serializers.Serializer):
    """All separations of a file, the newest first; empty until it has been separated."""

    example: ClassVar[dict[str, Any]] = {"results": [SeparationOut.example]}

    results = SeparationOut(many=True)


class StemsView(ApiView):
    """The stems of a file, by engine. The stage `separate` of its analyses makes them."""

    tag = "stems"
    summaries = {"GET": "List stems"}
    answers: ClassVar[dict[str, Any]] = {"GET": {200: SeparationsOut, 304: None}}

    def get(self, request: Request, revision_id: Any) -> Response:
        revision = self.caller.get(_ROWS.all(), revision_id)
        rows = [self._separation(revision, report) for report in stems_reports(revision)]
        data = {"results": SeparationOut(rows, many=True, context=self.context()).data}
        return self.conditional(data, conditions.tag_of(data))

    def _separation(self, revision: Revision, report: Report) -> dict[str, Any]:
        document = report.document
        query = urlencode({"engine": document["engine"]})

        def url(name: str) -> str:
            address = reverse("api:stem", args=[revision.pk, name])
            return self.request.build_absolute_uri(f"{address}?{query}")

        return {
            **document,
            "model_version": report.model_version,
            "created_at": report.created_at,
            "stems": [{**entry, "url": url(entry["name"])} for entry in document["stems"]],
        }


class StemView(ApiView):
    """A whole stem as FLAC. One byte range can be asked for."""

    tag = "stems"
    summaries = {"GET": "Download a stem"}
    scopes = {"GET": Scope.AUDIO}
    costly = frozenset({"GET"})
    problems: ClassVar[dict[str, Any]] = {"GET": (416,)}
    answers: ClassVar[dict[str, Any]] = {
        "GET": {(200, "audio/flac"): bytes, (206, "audio/flac"): bytes, 304: None}
    }
    parameters = {"GET": (Filter("engine", "", help="Made by it; the newest if not given."),)}

    def get(self, request: Request, revision_id: Any, stem: str) -> Any:
        revision = self.caller.get(_ROWS.all(), revision_id, scope=Scope.AUDIO)
        (engine,) = self.parameters["GET"]
        report = stems_report(revision, engine.value_in(request, default=""))
        if report is None:
            raise Problem("not_found", "There are no such stems of this file yet.")
        try:
            stored = stem_entry(report, stem)["file"]
        except NoStems as error:
            raise Problem("not_found", "There is no stem of that name.") from error
        return ranged_response(
            request._request,
            storage=default_storage,
            name=services.derived_name(report, stored),
            content_type="audio/flac",
            etag=f"{report.pk.hex}-{report.created_at.timestamp():.0f}-{stored}",
            download_name=file_name(stem_file_name(revision, report, stem)),
        )
