"""Addresses of the models' pages."""

from django.urls import path

from analysis.registry import actions, upload_views, views

urlpatterns = [
    path("models/", views.models, name="models"),
    path("models/ears/train/", actions.train_ears, name="model_train_ears"),
    path("models/versions/<uuid:version_id>/", views.version, name="model_version"),
    path("models/versions/<uuid:version_id>/promote/", actions.promote, name="model_promote"),
    path("models/versions/<uuid:version_id>/compare/", actions.compare, name="model_compare"),
    path("models/versions/<uuid:version_id>/delete/", actions.delete, name="model_delete"),
    *(
        path(
            f"models/versions/<uuid:version_id>/{kind}/",
            views.download,
            {"kind": kind},
            name=f"model_{kind}",
        )
        for kind in ("weights", "manifest", "card")
    ),
    path("models/<slug:model>/", views.history, name="model_history"),
    path("models/<slug:model>/work/", views.work, name="model_work"),
    path("models/<slug:model>/upload/", upload_views.upload, name="model_upload"),
    path("models/<slug:model>/roll-back/", actions.roll_back, name="model_roll_back"),
    path("models/<slug:model>/retagging/stop/", actions.stop_retagging, name="retagging_stop"),
    path("models/<slug:model>/retagging/go-on/", actions.go_on_retagging, name="retagging_go_on"),
]
