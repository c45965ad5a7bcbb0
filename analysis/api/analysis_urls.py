"""Addresses of analyses, report parts, stems, lyrics, timbre, similar tracks and playlists, below
``/api/v1/``."""

from __future__ import annotations

from django.urls import URLPattern

urlpatterns: list[URLPattern] = []
