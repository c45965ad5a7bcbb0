"""Addresses of server-sent events under ``/api/v1/``."""

from django.urls import path

from analysis.api import event_views as views

urlpatterns = [
    path("jobs/<uuid:job_id>/events/", views.JobEventsView.as_view(), name="job_events"),
    path("events/", views.TrackEventsView.as_view(), name="events"),
]
