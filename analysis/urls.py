"""Addresses of reports and jobs."""

from django.urls import URLPattern

urlpatterns: list[URLPattern] = []
