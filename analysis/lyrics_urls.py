"""Addresses of a track's lyrics."""

from django.urls import path

from analysis import lyrics_file_views
from analysis import lyrics_views as views

_LYRICS = "tracks/<uuid:track_id>/lyrics/"

urlpatterns = [
    path(_LYRICS, views.lyrics, name="lyrics"),
    path(f"{_LYRICS}status/", views.status, name="lyrics_status"),
    path(f"{_LYRICS}listen/", views.listen, name="lyrics_listen"),
    path(f"{_LYRICS}again/", views.again, name="lyrics_again"),
    path(f"{_LYRICS}stop/", views.stop, name="lyrics_stop"),
    path(f"{_LYRICS}save/", views.save, name="lyrics_save"),
    path(f"{_LYRICS}import/", views.import_text, name="lyrics_import"),
    path(f"{_LYRICS}carry-over/", views.carry_over, name="lyrics_carry_over"),
    path(f"{_LYRICS}restore/", views.restore, name="lyrics_restore"),
    path(f"{_LYRICS}export/<slug:kind>/", lyrics_file_views.export, name="lyrics_export"),
    path(f"{_LYRICS}voice.flac", lyrics_file_views.voice, name="lyrics_voice"),
]
