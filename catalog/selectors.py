"""Reading the catalogue, and who may read what.

Whatever belongs to somebody else does not exist: the answer is 404, so that nobody learns by asking
which ids are in use. Superusers see everything.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any, TypeVar
from uuid import UUID

from django.conf import settings
from django.contrib.auth.models import AnonymousUser
from django.db.models import Count, Exists, Max, Model, OuterRef, Q, QuerySet, Subquery, Sum
from django.http import Http404
from django.utils import timezone

from catalog.consent_models import ConsentEvent, ConsentScope
from catalog.models import Album, Artist, Revision, ShareLink, Track, Upload, UploadState, User

AnyUser = User | AnonymousUser
M = TypeVar("M", bound=Model)


def artist_of(user: AnyUser) -> Artist | None:
    """The artist page of an account; partners and labelling staff may have none."""
    return getattr(user, "artist", None)


def _own(queryset: QuerySet[M], user: AnyUser, owner: str, **lookup: Any) -> M:
    if not user.is_authenticated:
        raise Http404
    if not user.is_superuser:
        queryset = queryset.filter(**{owner: user})
    found = queryset.filter(**lookup).first()
    if found is None:
        raise Http404
    return found


def get_track_for(user: AnyUser, track_id: UUID) -> Track:
    """A track that ``user`` may change. Raises Http404."""
    return _own(
        Track.objects.select_related("artist__user", "album"), user, "artist__user", pk=track_id
    )


def get_album_for(user: AnyUser, album_id: UUID) -> Album:
    """An album that ``user`` may change. Raises Http404."""
    return _own(Album.objects.select_related("artist__user"), user, "artist__user", pk=album_id)


def get_revision_for(user: AnyUser, revision_id: UUID) -> Revision:
    """A revision that ``user`` may change. Raises Http404."""
    return _own(
        Revision.objects.select_related("track", "artist__user"),
        user,
        "artist__user",
        pk=revision_id,
    )


def get_upload_for(user: AnyUser, upload_id: UUID) -> Upload:
    """An upload of ``user``'s own. Raises Http404."""
    return _own(
        Upload.objects.select_related("artist__user", "track", "album"),
        user,
        "artist__user",
        pk=upload_id,
    )


def get_share_link_for(user: AnyUser, track: Track, link_id: int) -> ShareLink:
    """A share link of a track that ``user`` may change. Raises Http404."""
    return _own(
        ShareLink.objects.filter(track=track).select_related("track"),
        user,
        "track__artist__user",
        pk=link_id,
    )


def current_revision(track: Track) -> Revision | None:
    """The newest revision of a track."""
    return track.revisions.order_by("-number").first()


def current_revisions() -> QuerySet[Revision]:
    """Every track's newest revision."""
    newer = Revision.objects.filter(track=OuterRef("track"), number__gt=OuterRef("number"))
    return Revision.objects.filter(~Exists(newer))


def current_revision_ids() -> Subquery:
    """For annotating tracks: the id of the newest revision."""
    newest = Revision.objects.filter(track=OuterRef("pk")).order_by("-number")
    return Subquery(newest.values("pk")[:1])


def shared_track(token: str) -> ShareLink | None:
    """The live share link of that token, with its track; None if unknown, revoked or expired."""
    if not token or "\0" in token or len(token) > 64:
        return None
    link = (
        ShareLink.objects.select_related("track__artist__user", "track__album")
        .filter(token=token, track__is_reference=False)
        .first()
    )
    return link if link is not None and link.is_live else None


def readable_revision(user: AnyUser, revision_id: UUID, *, share_token: str = "") -> Revision:
    """A revision whose sound ``user`` may hear. Raises Http404.

    The owner and superusers hear every revision. Anybody with a live share link that includes the
    sound, and every logged-in user where the track is discoverable, hear the current one: an older
    version that the artist has replaced is no longer theirs to hear.
    """
    revision = (
        Revision.objects.select_related("track", "artist__user").filter(pk=revision_id).first()
    )
    if revision is None:
        raise Http404
    if user.is_authenticated and (user.is_superuser or revision.artist.user_id == user.pk):
        return revision
    link = shared_track(share_token)
    shared = link is not None and link.show_audio and link.track_id == revision.track_id
    discoverable = user.is_authenticated and revision.track.discoverable
    if not (shared or discoverable):
        raise Http404
    newest = Revision.objects.filter(track=revision.track_id).aggregate(Max("number"))
    if revision.number != newest["number__max"]:
        raise Http404
    return revision


def readable_album(user: AnyUser, album_id: UUID, *, share_token: str = "") -> Album:
    """An album whose artwork ``user`` may see: its own, one with a discoverable or shared track."""
    album = Album.objects.select_related("artist__user").filter(pk=album_id).first()
    if album is None:
        raise Http404
    if user.is_authenticated and (user.is_superuser or album.artist.user_id == user.pk):
        return album
    if user.is_authenticated and album.tracks.filter(discoverable=True).exists():
        return album
    link = shared_track(share_token)
    if link is not None and link.track.album_id == album.pk:
        return album
    raise Http404


def readable_artist(user: AnyUser, artist_id: int, *, share_token: str = "") -> Artist:
    """An artist whose picture ``user`` may see; the rules are those of :func:`readable_album`."""
    artist = Artist.objects.select_related("user").filter(pk=artist_id).first()
    if artist is None:
        raise Http404
    if user.is_authenticated and (user.is_superuser or artist.user_id == user.pk):
        return artist
    if user.is_authenticated and artist.tracks.filter(discoverable=True).exists():
        return artist
    link = shared_track(share_token)
    if link is not None and link.track.artist_id == artist.pk:
        return artist
    raise Http404


def used_bytes(artist: Artist) -> int:
    """Bytes of all revisions of an artist."""
    return artist.revisions.aggregate(total=Sum("size_bytes"))["total"] or 0


def quota_bytes(artist: Artist) -> int:
    """Bytes that an artist may store: the account's own limit, or the site's."""
    own = artist.user.quota_bytes
    return settings.QUOTA_BYTES if own is None else own


def arriving_bytes(artist: Artist) -> int:
    """Bytes promised by uploads that are under way."""
    under_way = artist.uploads.filter(
        state__in=[UploadState.RECEIVING, UploadState.CHECKING], expires_at__gt=timezone.now()
    )
    return under_way.aggregate(total=Sum("length_bytes"))["total"] or 0


def free_bytes(artist: Artist) -> int:
    """Bytes that an artist may still upload, beside what is under way."""
    return max(0, quota_bytes(artist) - used_bytes(artist) - arriving_bytes(artist))


@dataclass(frozen=True)
class Consent:
    """What an artist said about training, and when: ``since`` is when she last gave or withdrew it,
    None if she never did; ``tracks`` are her own, ``allowed`` those that she allowed."""

    is_given: bool
    since: datetime | None
    tracks: int
    allowed: int


def consent_of(artist: Artist) -> Consent:
    """An artist's consent to training, as it stands in the database."""
    event = (
        ConsentEvent.objects.filter(artist=artist, scope=ConsentScope.ARTIST)
        .order_by("-at", "-pk")
        .first()
    )
    own = artist.tracks.filter(is_reference=False)
    counts = own.aggregate(tracks=Count("pk"), allowed=Count("pk", filter=Q(may_train=True)))
    is_given = Artist.objects.values_list("may_train", flat=True).get(pk=artist.pk)
    return Consent(is_given=is_given, since=event.at if event else None, **counts)


def consenting_tracks() -> QuerySet[Track]:
    """Tracks that may be used for training: the artist allows it as a whole, and for the track."""
    return Track.objects.filter(artist__may_train=True, may_train=True, is_reference=False)


def albums_of(artist: Artist) -> QuerySet[Album]:
    """An artist's albums in their order, with ``track_count``."""
    return artist.albums.annotate(track_count=Count("tracks")).order_by("position", "created_at")


def tracks_of_album(album: Album) -> QuerySet[Track]:
    """An album's tracks in their order, with ``duration_s`` of the current revision."""
    newest = Revision.objects.filter(track=OuterRef("pk")).order_by("-number")
    return album.tracks.annotate(
        duration_s=Subquery(newest.values("duration_s")[:1]),
        revision_number=Subquery(newest.values("number")[:1]),
    ).order_by("position", "created_at")


def recent_uploads(artist: Artist, limit: int = 30) -> QuerySet[Upload]:
    """The latest uploads of an artist, as the upload page lists them."""
    return artist.uploads.select_related("revision__track").order_by("-created_at")[:limit]


def find_album(artist: Artist, title: str) -> Album | None:
    """An artist's album of that title in any case."""
    return artist.albums.filter(Q(title__iexact=title)).order_by("position", "created_at").first()
