"""Addresses of webhooks under ``/api/v1/``."""

from django.urls import path

from analysis.api import webhook_resources as views

_ONE = "webhooks/<uuid:webhook_id>/"

urlpatterns = [
    path("webhooks/", views.WebhooksView.as_view(), name="webhooks"),
    path(_ONE, views.WebhookView.as_view(), name="webhook"),
    path(f"{_ONE}ping/", views.WebhookPingView.as_view(), name="webhook_ping"),
    path(f"{_ONE}rotate/", views.WebhookRotateView.as_view(), name="webhook_rotate"),
    path(f"{_ONE}replay/", views.WebhookReplayView.as_view(), name="webhook_replay"),
    path(f"{_ONE}deliveries/", views.DeliveriesView.as_view(), name="webhook_deliveries"),
    path(
        f"{_ONE}deliveries/<uuid:delivery_id>/",
        views.DeliveryView.as_view(),
        name="webhook_delivery",
    ),
    path(
        f"{_ONE}deliveries/<uuid:delivery_id>/replay/",
        views.DeliveryReplayView.as_view(),
        name="webhook_delivery_replay",
    ),
]
