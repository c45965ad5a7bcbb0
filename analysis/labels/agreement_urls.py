"""Addresses of agreement, disputes, tags, guidelines and tables of labels."""

from django.urls import path

from analysis.labels import (
    agreement_views,
    dispute_views,
    guideline_views,
    table_views,
    tag_views,
)

urlpatterns = [
    path("labels/agreement/", agreement_views.agreement_page, name="label_agreement"),
    path("labels/raters/<int:user_id>/", agreement_views.rater_page, name="label_rater"),
    path("labels/disputed/", dispute_views.disputes, name="label_disputed"),
    path("labels/disputed/<uuid:clip_id>/<slug:slug>/", dispute_views.decide, name="label_decide"),
    path("labels/tags/", tag_views.tags, name="label_tags"),
    path("labels/tags/<slug:slug>/", tag_views.change, name="label_tag_change"),
    path("labels/guidelines/", guideline_views.guidelines, name="label_guidelines"),
    path("labels/guidelines/<slug:slug>/", guideline_views.edit, name="label_guideline_edit"),
    path("labels/import/", table_views.tables, name="label_import"),
    path("labels/import/<uuid:import_id>/", table_views.preview, name="label_import_preview"),
    path("labels/export.csv", table_views.export, name="label_export"),
]
