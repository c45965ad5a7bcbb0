"""Addresses of stems."""

from django.urls import path

from analysis import stem_file_views, stem_mix_views, stem_render_views, stem_views

_OF_TRACK = "tracks/<uuid:track_id>/stems/"
_OF_REPORT = f"{_OF_TRACK}<uuid:report_id>/"

urlpatterns = [
    path(_OF_TRACK, stem_views.stems, name="stems"),
    path(f"{_OF_TRACK}status/", stem_views.stems_status, name="stems_status"),
    path(f"{_OF_TRACK}separate/", stem_views.stems_separate, name="stems_separate"),
    path(f"{_OF_TRACK}cancel/", stem_views.stems_cancel, name="stems_cancel"),
    path(f"{_OF_TRACK}manifest.json", stem_views.stems_manifest, name="stems_manifest"),
    path(f"{_OF_TRACK}mixes/", stem_mix_views.stem_mixes, name="stem_mixes"),
    path(f"{_OF_TRACK}mixes/<uuid:mix_id>/", stem_mix_views.stem_mix, name="stem_mix"),
    path(f"{_OF_REPORT}files/<str:name>", stem_file_views.stem_file, name="stem_file"),
    path(
        f"{_OF_REPORT}download/<slug:stem>.flac",
        stem_file_views.stem_download,
        name="stem_download",
    ),
    path(f"{_OF_REPORT}stems.zip", stem_file_views.stems_zip, name="stems_zip"),
    path(
        f"{_OF_REPORT}render/plan/", stem_render_views.stems_render_plan, name="stems_render_plan"
    ),
    path(f"{_OF_REPORT}render/", stem_render_views.stems_render, name="stems_render"),
]
