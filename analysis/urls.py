"""Addresses of reports and jobs."""

from django.urls import path

from analysis import (
    compare_views,
    export_views,
    lyrics_urls,
    release_views,
    stem_urls,
    target_views,
    views,
    voice_urls,
)
from analysis.api import webhook_page_urls
from analysis.discovery import gallery_urls
from analysis.discovery import urls as discovery_urls
from analysis.labels import agreement_urls, labelling_urls, pool_urls
from analysis.registry import training_urls
from analysis.registry import urls as registry_urls

urlpatterns = [
    path("tracks/<uuid:track_id>/", views.track, name="track"),
    path("tracks/<uuid:track_id>/status/", views.track_status, name="track_status"),
    path("tracks/<uuid:track_id>/compare/", compare_views.compare, name="compare"),
    path("tracks/<uuid:track_id>/report.json", views.report_json, name="report_json"),
    path(
        "tracks/<uuid:track_id>/equaliser/<slug:kind>/",
        export_views.equaliser_preset,
        name="equaliser_preset",
    ),
    path(
        "tracks/<uuid:track_id>/equalised/plan/",
        export_views.equalised_plan,
        name="equalised_plan",
    ),
    path("tracks/<uuid:track_id>/equalised.wav", export_views.equalised_wav, name="equalised_wav"),
    path(
        "tracks/<uuid:track_id>/report.pdf",
        export_views.report_sheet,
        {"kind": "pdf"},
        name="report_pdf",
    ),
    path(
        "tracks/<uuid:track_id>/report.png",
        export_views.report_sheet,
        {"kind": "png"},
        name="report_png",
    ),
    path("tracks/<uuid:track_id>/release/", release_views.release_check, name="release_check"),
    *lyrics_urls.urlpatterns,
    *voice_urls.urlpatterns,
    *stem_urls.urlpatterns,
    *pool_urls.urlpatterns,
    *labelling_urls.urlpatterns,
    *agreement_urls.urlpatterns,
    *training_urls.urlpatterns,
    *registry_urls.urlpatterns,
    *discovery_urls.urlpatterns,
    *gallery_urls.urlpatterns,
    *webhook_page_urls.urlpatterns,
    path("targets/", target_views.targets, name="mix_targets"),
    path("targets/new/catalogue/", target_views.new_of_catalogue, name="mix_target_of_catalogue"),
    path("targets/new/tracks/", target_views.new_of_tracks, name="mix_target_of_tracks"),
    path("targets/new/file/", target_views.new_of_file, name="mix_target_of_file"),
    path("targets/<uuid:target_id>/edit/", target_views.edit, name="mix_target_edit"),
    path("targets/<uuid:target_id>/delete/", target_views.delete, name="mix_target_delete"),
    path("targets/<uuid:target_id>/target.json", target_views.export, name="mix_target_export"),
    path("jobs/<uuid:job_id>/retry/", views.retry_job, name="job_retry"),
    path("reports/<uuid:revision_id>/<str:name>", views.derived_file, name="derived_file"),
    path("s/<str:token>/", views.shared, name="shared"),
    path("s/<str:token>/<str:name>", views.shared_file, name="shared_file"),
]
