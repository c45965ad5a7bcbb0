"""Addresses of the catalogue."""

from django.urls import path

from catalog.views import albums, consent, library, media, pages, tracks, tus, uploading

urlpatterns = [
    path("", pages.home, name="home"),
    path("profile/", pages.profile, name="profile"),
    path("profile/artist/", pages.artist_create, name="artist_create"),
    path("profile/consent/", consent.artist_consent, name="artist_consent"),
    path("account/delete/", pages.account_delete, name="account_delete"),
    path("library/", library.library, name="library"),
    path("library/bulk/", library.library_bulk, name="library_bulk"),
    path("library/<uuid:track_id>/", library.library_track, name="library_track"),
    path("upload/", uploading.upload, name="upload"),
    path("upload/recent/", uploading.upload_recent, name="upload_recent"),
    path("uploads/", tus.uploads, name="uploads"),
    path("uploads/<uuid:upload_id>/", tus.upload_resource, name="upload_resource"),
    path("albums/", albums.albums, name="albums"),
    path("albums/new/", albums.album_new, name="album_new"),
    path("albums/order/", albums.albums_order, name="albums_order"),
    path("albums/<uuid:album_id>/", albums.album, name="album"),
    path("albums/<uuid:album_id>/consent/", consent.album_consent, name="album_consent"),
    path("albums/<uuid:album_id>/edit/", albums.album_edit, name="album_edit"),
    path("albums/<uuid:album_id>/delete/", albums.album_delete, name="album_delete"),
    path("albums/<uuid:album_id>/move/", albums.album_move, name="album_move"),
    path("albums/<uuid:album_id>/order/", albums.album_track_order, name="album_track_order"),
    path("tracks/<uuid:track_id>/edit/", tracks.track_edit, name="track_edit"),
    path("tracks/<uuid:track_id>/delete/", tracks.track_delete, name="track_delete"),
    path("tracks/<uuid:track_id>/share/", tracks.track_share, name="track_share"),
    path(
        "tracks/<uuid:track_id>/share/<int:link_id>/revoke/",
        tracks.share_revoke,
        name="share_revoke",
    ),
    path("revisions/<uuid:revision_id>/edit/", tracks.revision_edit, name="revision_edit"),
    path("revisions/<uuid:revision_id>/delete/", tracks.revision_delete, name="revision_delete"),
    path("media/audio/<uuid:revision_id>/", media.revision_audio, name="revision_audio"),
    path("media/artists/<int:artist_id>/", media.artist_picture, name="artist_picture"),
    path("media/albums/<uuid:album_id>/", media.album_artwork, name="album_artwork"),
]
