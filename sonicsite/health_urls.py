"""Addresses for load balancers and monitors."""

from django.urls import path

from sonicsite import health

urlpatterns = [
    path("healthz", health.alive, name="healthz"),
    path("readyz", health.ready, name="readyz"),
]
