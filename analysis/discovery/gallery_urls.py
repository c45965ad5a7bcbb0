"""Addresses of the pages that find, judge and keep similar tracks."""

from django.urls import path

from analysis.discovery import gallery_views, map_views, playlist_views

urlpatterns = [
    path("discover/", gallery_views.discover, name="discover"),
    path("discover/choices/", gallery_views.choices, name="discover_choices"),
    path("discover/snippet/", gallery_views.send_snippet, name="discover_snippet"),
    path("discover/verdict/", gallery_views.judge, name="discover_verdict"),
    path("discover/map/", map_views.catalogue_map, name="catalogue_map"),
    path("discover/map/points/", map_views.map_points, name="catalogue_map_points"),
    path("discover/map/<uuid:track_id>/", map_views.map_song, name="catalogue_map_song"),
    path("playlists/", playlist_views.playlists, name="playlists"),
    path("playlists/add/", playlist_views.add, name="playlist_add"),
    path("playlists/path/", playlist_views.path_between, name="playlist_path"),
    path("playlists/<uuid:playlist_id>/", playlist_views.playlist, name="playlist"),
    path("playlists/<uuid:playlist_id>/change/", playlist_views.change, name="playlist_change"),
    path("playlists/<uuid:playlist_id>/order/", playlist_views.order, name="playlist_order"),
    path("playlists/<uuid:playlist_id>/playlist.m3u8", playlist_views.m3u8, name="playlist_m3u8"),
    path(
        "playlists/<uuid:playlist_id>/playlist.json", playlist_views.as_json, name="playlist_json"
    ),
]
