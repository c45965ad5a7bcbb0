"""Addresses of trainings and comparisons."""

from django.urls import path, register_converter
from django.urls.converters import IntConverter

from analysis.registry import training_views as views


class RowNumber(IntConverter):
    """A number that fits the database's."""

    regex = "[0-9]{1,18}"


register_converter(RowNumber, "row")

urlpatterns = [
    path("models/timbre/train/", views.new, name="training_new"),
    path("models/runs/<uuid:run_id>/", views.run, name="training_run"),
    path("models/runs/<uuid:run_id>/state/", views.state, name="training_state"),
    path("models/runs/<uuid:run_id>/stop/", views.stop, name="training_stop"),
    path("models/runs/<uuid:run_id>/go-on/", views.go_on, name="training_go_on"),
    path("models/comparisons/<row:comparison_id>/", views.comparison, name="model_comparison"),
]
