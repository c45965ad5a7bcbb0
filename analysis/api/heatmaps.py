"""Heat maps: where in a track a genre was heard, as the stored picture and as numbers."""

from __future__ import annotations

from typing import Any, ClassVar

from django.core.files.storage import default_storage
from rest_framework import serializers
from rest_framework.renderers import JSONRenderer
from rest_framework.request import Request

from analysis.api.filters import Filter, a_number
from analysis.api.problems import Problem
from analysis.api.report_parts import ReportPart, report_in
from analysis.api.resources import ApiView
from analysis.api.serializing import Output
from analysis.heat_array import read_heat
from analysis.models import Report
from analysis.pictures import HEAT_FILES, MAX_COLUMNS
from analysis.services import derived_name
from catalog.models import Revision
from catalog.streaming import ranged_response

USUAL_COLUMNS = 512
_PLACES = tuple(str(place) for place in range(1, len(HEAT_FILES) + 1))
PLACE = Filter(
    "place", "", help="Of the likeliest genres the first (if not given) to third.", choices=_PLACES
)
COLUMNS = Filter(
    "columns",
    "",
    a_number,
    f"At most so many columns; {USUAL_COLUMNS} if not given.",
    bounds=(1, MAX_COLUMNS),
)


class HeatmapOut(Output):
    """Evidence for a genre over time and frequency: `values` has one list for each mel band, the
    lowest first. 1 is as hot as the hottest 1 % of the track; steps are those of the picture (235
    shades). `column_s` is what one column of this answer spans."""

    example: ClassVar[dict[str, Any]] = {
        "label": "folk",
        "probability": 0.81,
        "bands_hz": [31.2, 53.9],
        "column_s": 0.0775,
        "columns": 3,
        "picture_columns": 3,
        "values": [[0.0, 0.12, 0.4], [0.05, 0.3, 1.0]],
        "model_version": "m3+ears-1.0.0-1a2b3c4d",
        "created_at": "2026-02-01T10:00:30Z",
    }

    label = serializers.CharField(help_text="The genre that the map is of.")
    probability = serializers.FloatField(allow_null=True)
    bands_hz = serializers.ListField(
        child=serializers.FloatField(), help_text="Centre of each band in Hz, the lowest first."
    )
    column_s = serializers.FloatField(help_text="Seconds.")
    columns = serializers.IntegerField()
    picture_columns = serializers.IntegerField(help_text="As many as the picture has, and no more.")
    values = serializers.ListField(
        child=serializers.ListField(child=serializers.FloatField()), help_text="0 to 1"
    )
    model_version = serializers.CharField()
    created_at = serializers.DateTimeField()


class HeatmapView(ReportPart):
    """Where a genre was heard, as an array: 128 mel bands by time. Computed from the picture, whose
    resolution it has: 77.5 ms a column, or the whole track in 4,096."""

    summaries = {"GET": "Read a heat map as an array"}
    output = HeatmapOut
    costly = frozenset({"GET"})
    parameters = {"GET": (PLACE, COLUMNS)}

    def part(self, revision: Revision, report: Report) -> dict[str, Any]:
        place = int(PLACE.value_in(self.request, default="1"))
        most = COLUMNS.value_in(self.request, default=USUAL_COLUMNS)
        if not 1 <= most <= MAX_COLUMNS:
            raise Problem("invalid_parameter", f"columns is 1 to {MAX_COLUMNS}.")
        explanations = (report.document.get("genre") or {}).get("explanations") or []
        name = derived_name(report, HEAT_FILES[place - 1])
        if len(explanations) < place or not default_storage.exists(name):
            raise Problem("not_found", "There is no such heat map of this file.")
        of = explanations[place - 1]
        duration_s = (report.document.get("file") or {}).get("duration_s") or revision.duration_s
        with default_storage.open(name) as file:
            heat = read_heat(file.read(), duration_s=duration_s, most_columns=most)
        return {
            "label": of["label"],
            "probability": of.get("probability"),
            "bands_hz": heat.bands_hz,
            "column_s": heat.column_s,
            "columns": heat.columns,
            "picture_columns": heat.picture_columns,
            "values": heat.values,
        }


class _PictureRenderer(JSONRenderer):
    """So that who asks for a picture alone is served; problems stay JSON."""

    media_type = "image/png"
    format = "png"


class _Picture(ApiView):
    tag = "reports"
    renderer_classes = (JSONRenderer, _PictureRenderer)
    problems: ClassVar[dict[str, Any]] = {"GET": (416,)}
    answers: ClassVar[dict[str, Any]] = {
        "GET": {(200, "image/png"): bytes, (206, "image/png"): bytes, 304: None}
    }

    def picture(self, request: Request, revision_id: Any, name: str) -> Any:
        """The stored picture. Raises Problem, Http404."""
        revision = self.caller.get(Revision.objects.all(), revision_id)
        report = report_in(revision)
        return ranged_response(
            request._request,
            storage=default_storage,
            name=derived_name(report, name),
            content_type="image/png",
            etag=f"{report.pk.hex}-{report.created_at.timestamp():.0f}-{name}",
        )


class HeatmapPictureView(_Picture):
    """Where a genre was heard: a picture to lay over the spectrogram of the same size, low
    frequencies at the bottom. Evidence is its opacity."""

    summaries = {"GET": "Download a heat map"}
    parameters = {"GET": (PLACE,)}

    def get(self, request: Request, revision_id: Any) -> Any:
        place = int(PLACE.value_in(request, default="1"))
        return self.picture(request, revision_id, HEAT_FILES[place - 1])


class SpectrogramView(_Picture):
    """The mel spectrogram, 128 bands high, low frequencies at the bottom."""

    summaries = {"GET": "Download a spectrogram"}

    def get(self, request: Request, revision_id: Any) -> Any:
        return self.picture(request, revision_id, "spectrogram.png")
