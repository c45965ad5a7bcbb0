"""Addresses of labelling: its home, the work, the settings of the queue."""

from django.urls import path

from analysis.labels import labelling_api as api
from analysis.labels import labelling_views as views

_WORK = "labels/work/"

urlpatterns = [
    path("labels/", views.home, name="labels_home"),
    path("labels/settings/", views.settings_page, name="label_settings"),
    path(_WORK, views.work, name="labelling"),
    path(f"{_WORK}next/", api.next_clip, name="labelling_next"),
    path(f"{_WORK}hold/", api.hold, name="labelling_hold"),
    path(f"{_WORK}release/", api.release, name="labelling_release"),
    path(f"{_WORK}ballots/", api.submit, name="labelling_submit"),
    path(f"{_WORK}ballots/before/", api.before, name="labelling_before"),
    path(f"{_WORK}ballots/<uuid:ballot_id>/", api.one, name="labelling_ballot"),
    path(f"{_WORK}ballots/<uuid:ballot_id>/change/", api.change, name="labelling_change"),
    path(f"{_WORK}ballots/<uuid:ballot_id>/undo/", api.take_back, name="labelling_undo"),
]
