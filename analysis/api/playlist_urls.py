"""Addresses of playlists, below ``/api/v1/``."""

from __future__ import annotations

from django.urls import URLPattern, path

from analysis.api import playlist_items, playlists

_ONE = "playlists/<uuid:playlist_id>/"

urlpatterns: list[URLPattern] = [
    path("playlists/", playlists.PlaylistsView.as_view(), name="playlists"),
    path("playlists/path/", playlists.PlaylistWayView.as_view(), name="playlist_path"),
    path(_ONE, playlists.PlaylistView.as_view(), name="playlist"),
    path(f"{_ONE}items/", playlist_items.PlaylistItemsView.as_view(), name="playlist_items"),
    path(
        f"{_ONE}files/<slug:extension>/", playlists.PlaylistFileView.as_view(), name="playlist_file"
    ),
]
