"""Addresses of the partners' interface, below ``/api/``. Everything else there is a problem 404."""

from django.urls import include, path, re_path

from analysis.api import (
    account,
    albums,
    analysis_urls,
    artists,
    bulk,
    event_urls,
    jobs,
    nowhere,
    playlist_urls,
    revision_report,
    revisions,
    schema,
    tracks,
    tus_door,
    uploads,
    webhook_urls,
)

app_name = "api"

v1 = [
    path("", account.IndexView.as_view(), name="index"),
    path("openapi.json", schema.openapi, name="openapi"),
    path("me/", account.MeView.as_view(), name="me"),
    path("usage/", account.UsageView.as_view(), name="usage"),
    path("artists/", artists.ArtistsView.as_view(), name="artists"),
    path("artists/<int:artist_id>/", artists.ArtistView.as_view(), name="artist"),
    path("albums/", albums.AlbumsView.as_view(), name="albums"),
    path("albums/<uuid:album_id>/", albums.AlbumView.as_view(), name="album"),
    path("tracks/", tracks.TracksView.as_view(), name="tracks"),
    path("tracks/bulk/", bulk.TracksBulkView.as_view(), name="tracks_bulk"),
    path("tracks/<uuid:track_id>/", tracks.TrackView.as_view(), name="track"),
    path("revisions/", revisions.RevisionsView.as_view(), name="revisions"),
    path("revisions/<uuid:revision_id>/", revisions.RevisionView.as_view(), name="revision"),
    path(
        "revisions/<uuid:revision_id>/report/",
        revision_report.RevisionReportView.as_view(),
        name="revision_report",
    ),
    path(
        "revisions/<uuid:revision_id>/audio/",
        revisions.RevisionAudioView.as_view(),
        name="revision_audio",
    ),
    path("uploads/", uploads.UploadsView.as_view(), name="uploads"),
    path("uploads/files/<str:filename>", uploads.RawUploadView.as_view(), name="raw_upload"),
    path("uploads/tus/", tus_door.TusUploadsView.as_view(), name="tus_uploads"),
    path("uploads/tus/<uuid:upload_id>/", tus_door.TusUploadView.as_view(), name="tus_upload"),
    path("uploads/<uuid:upload_id>/", uploads.UploadView.as_view(), name="upload"),
    path("jobs/", jobs.JobsView.as_view(), name="jobs"),
    path("jobs/<uuid:job_id>/", jobs.JobView.as_view(), name="job"),
    *analysis_urls.urlpatterns,
    *playlist_urls.urlpatterns,
    *webhook_urls.urlpatterns,
    *event_urls.urlpatterns,
]

urlpatterns = [
    path("v1/", include(v1)),
    re_path(r"^.*$", nowhere.nowhere, name="nowhere"),
]
