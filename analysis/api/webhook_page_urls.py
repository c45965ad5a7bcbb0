"""Addresses of the webhooks' pages."""

from django.urls import path, re_path

from analysis.api import webhook_pages as pages

_UUID = "[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}"

urlpatterns = [
    path("webhooks/", pages.webhooks, name="webhooks"),
    path("webhooks/new/", pages.webhook_new, name="webhook_new"),
    path("webhooks/<uuid:endpoint_id>/", pages.webhook, name="webhook"),
    path("webhooks/<uuid:endpoint_id>/edit/", pages.webhook_edit, name="webhook_edit"),
    re_path(
        rf"^webhooks/(?P<endpoint_id>{_UUID})/(?P<action>ping|rotate|replay|on|off|delete)/$",
        pages.webhook_action,
        name="webhook_action",
    ),
    path(
        "webhooks/<uuid:endpoint_id>/deliveries/<uuid:delivery_id>/replay/",
        pages.webhook_replay,
        name="webhook_replay",
    ),
]
