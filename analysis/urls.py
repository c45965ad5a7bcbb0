"""Addresses of reports and jobs."""

from django.urls import path

from analysis import views

urlpatterns = [
    path("tracks/<uuid:track_id>/", views.track, name="track"),
    path("tracks/<uuid:track_id>/status/", views.track_status, name="track_status"),
    path("tracks/<uuid:track_id>/report.json", views.report_json, name="report_json"),
    path("jobs/<uuid:job_id>/retry/", views.retry_job, name="job_retry"),
    path("reports/<uuid:revision_id>/<str:name>", views.derived_file, name="derived_file"),
    path("s/<str:token>/", views.shared, name="shared"),
    path("s/<str:token>/<str:name>", views.shared_file, name="shared_file"),
]
