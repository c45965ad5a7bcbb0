"""Addresses of analyses, report parts, targets, stems, lyrics, timbre and similar tracks, below
``/api/v1/``."""

from __future__ import annotations

from django.urls import URLPattern, path

from analysis.api import (
    analyses,
    analyses_bulk,
    heatmaps,
    lyrics,
    report_parts,
    similar,
    snippets,
    stems,
    targets,
    timbre,
)

_FILE = "revisions/<uuid:revision_id>/"
_REPORT = f"{_FILE}report/"
_LYRICS = f"{_FILE}lyrics/"
_SNIPPET = "snippets/<uuid:snippet_id>/"

urlpatterns: list[URLPattern] = [
    path("analyses/bulk/", analyses_bulk.AnalysesBulkView.as_view(), name="analyses_bulk"),
    path(f"{_FILE}analyses/", analyses.AnalysesView.as_view(), name="analyses"),
    path(f"{_FILE}analyses/<slug:stage>/", analyses.AnalysisView.as_view(), name="analysis"),
    path(f"{_REPORT}genre/", report_parts.GenrePartView.as_view(), name="report_genre"),
    path(f"{_REPORT}features/", report_parts.FeaturesPartView.as_view(), name="report_features"),
    path(f"{_REPORT}loudness/", report_parts.LoudnessPartView.as_view(), name="report_loudness"),
    path(f"{_REPORT}mix/", report_parts.MixPartView.as_view(), name="report_mix"),
    path(f"{_REPORT}heatmap/", heatmaps.HeatmapView.as_view(), name="report_heatmap"),
    path(
        f"{_REPORT}heatmap/picture/",
        heatmaps.HeatmapPictureView.as_view(),
        name="report_heatmap_picture",
    ),
    path(f"{_REPORT}spectrogram/", heatmaps.SpectrogramView.as_view(), name="report_spectrogram"),
    path("targets/", targets.TargetsView.as_view(), name="targets"),
    path("targets/genres/", targets.GenreTargetsView.as_view(), name="genre_targets"),
    path("targets/<uuid:target_id>/", targets.TargetView.as_view(), name="target"),
    path(f"{_FILE}stems/", stems.StemsView.as_view(), name="stems"),
    path(f"{_FILE}stems/<slug:stem>/", stems.StemView.as_view(), name="stem"),
    path(_LYRICS, lyrics.LyricsView.as_view(), name="lyrics"),
    path(f"{_LYRICS}align/", lyrics.LyricsAlignView.as_view(), name="lyrics_align"),
    path(f"{_LYRICS}files/<slug:kind>/", lyrics.LyricsFileView.as_view(), name="lyrics_file"),
    path(f"{_FILE}timbre/", timbre.TimbreView.as_view(), name="timbre"),
    path("tracks/<uuid:track_id>/similar/", similar.SimilarView.as_view(), name="similar"),
    path("snippets/", snippets.SnippetsView.as_view(), name="snippets"),
    path(_SNIPPET, snippets.SnippetView.as_view(), name="snippet"),
    path(f"{_SNIPPET}similar/", snippets.SnippetSimilarView.as_view(), name="snippet_similar"),
]
