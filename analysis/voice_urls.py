"""Addresses of voices: a track's own, two compared, the trend over all songs."""

from django.urls import path

from analysis import voice_preview_views as previews
from analysis import voice_views as views

_VOICE = "tracks/<uuid:track_id>/voice/"

urlpatterns = [
    path(_VOICE, views.voice, name="voice"),
    path(f"{_VOICE}status/", views.status, name="voice_status"),
    path(f"{_VOICE}listen/", views.listen, name="voice_listen"),
    path(f"{_VOICE}stop/", views.stop, name="voice_stop"),
    path(f"{_VOICE}voice.json", views.voice_json, name="voice_json"),
    path(f"{_VOICE}compare/", views.compare, name="voice_compare"),
    path(f"{_VOICE}file/<str:name>", previews.voice_file, name="voice_file"),
    path(f"{_VOICE}preview.flac", previews.preview, name="voice_preview"),
    path(f"{_VOICE}settings/", previews.settings_text, name="voice_settings"),
    path(f"{_VOICE}settings.<slug:kind>", previews.settings_file, name="voice_settings_file"),
    path("voice/trend/", views.trend, name="voice_trend"),
]
