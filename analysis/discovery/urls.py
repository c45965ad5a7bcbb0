"""Addresses of similar tracks."""

from django.urls import path

from analysis.discovery import views

urlpatterns = [
    path("tracks/<uuid:track_id>/similar.json", views.similar_json, name="similar_json"),
]
