"""Reads of artists' own mix targets: which there are, and which reports each is made of."""

from __future__ import annotations

import uuid
from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime

from django.contrib.auth.models import AnonymousUser
from django.db.models import OuterRef, Q, QuerySet, Subquery
from django.http import Http404

from analysis.models import MixTarget, Report, Stage, TargetKind
from analysis.selectors import shown_first
from catalog.models import Artist, Revision, Track, User

MAX_TRACKS = 200
"""Most tracks that one target is made of; of a larger catalogue the newest count."""
LISTED_TRACKS = 400
"""Most tracks listed to choose from: a form of twice as many fields is still taken."""


@dataclass(frozen=True)
class Part:
    """A report that a target is made of, when it was (last) written, and how much it counts."""

    report_id: uuid.UUID
    made_at: datetime
    weight: float


def targets_of(artist: Artist) -> QuerySet[MixTarget]:
    """An artist's targets by name, with their albums and tracks."""
    return artist.mix_targets.select_related("album", "artist").prefetch_related("parts__track")


def target_choices(artist: Artist) -> list[tuple[str, str]]:
    """An artist's targets to choose from: what stands in addresses, and the name."""
    rows = artist.mix_targets.order_by("name").values_list("pk", "name")
    return [(value_of(pk), name) for pk, name in rows]


def value_of(target_id: uuid.UUID) -> str:
    """What ``?target=`` says for an own target; genres stand there by their names."""
    return f"own:{target_id}"


def get_target_for(user: User | AnonymousUser, target_id: uuid.UUID) -> MixTarget:
    """A target that ``user`` may use and change. Raises Http404 for everybody else's."""
    if not user.is_authenticated:
        raise Http404
    found = MixTarget.objects.select_related("artist__user", "album").filter(pk=target_id)
    if not user.is_superuser:
        found = found.filter(artist__user=user)
    target = found.first()
    if target is None:
        raise Http404
    return target


def parts_of(target: MixTarget) -> list[Part]:
    """The reports that a target is made of now, one of each track: that of its newest version which
    has been listened to."""
    if target.kind in (TargetKind.TRACKS, TargetKind.REFERENCES):
        weights = dict(target.parts.values_list("track_id", "weight"))
        tracks = Track.objects.filter(pk__in=weights)
    else:
        weights = {}
        tracks = Track.objects.filter(artist=target.artist_id, is_reference=False)
        if target.kind == TargetKind.ALBUM:
            tracks = tracks.filter(album=target.album_id) if target.album_id else tracks.none()
        elif target.kind == TargetKind.FILE:
            tracks = tracks.none()
    heard = with_reports(tracks).exclude(Q(report_id=None)).order_by("-created_at", "pk")
    report_of = dict(heard.values_list("pk", "report_id")[:MAX_TRACKS])  # type: ignore[misc]
    made_at = dict(Report.objects.filter(pk__in=report_of.values()).values_list("pk", "created_at"))
    return [
        Part(report_id, made_at[report_id], weights.get(track_id, 1.0))
        for track_id, report_id in report_of.items()
        if report_id in made_at  # it may have gone in between
    ]


def choosable_tracks(
    artist: Artist, *, query: str = "", chosen: Collection[uuid.UUID] = ()
) -> list[Track]:
    """What a target can be made of: own tracks and references, with ``report_id`` (None before the
    first report). The chosen ones come first, then the newest whose title has ``query`` in it."""
    tracks = with_reports(artist.tracks.select_related("album")).order_by("-created_at", "pk")
    first = list(tracks.filter(pk__in=chosen))
    words = query.replace("\0", "").split()[:8]
    others = tracks.exclude(pk__in=chosen).filter(
        *(Q(title__icontains=word) | Q(album__title__icontains=word) for word in words)
    )
    return first + list(others[: LISTED_TRACKS - len(first)])


def with_reports(tracks: QuerySet[Track]) -> QuerySet[Track]:
    """Tracks with ``report_id``, the newest report of their newest version that has one."""
    reports = Report.objects.filter(
        content_sha256=OuterRef("content_sha256"), stage=Stage.LISTEN
    ).order_by(*shown_first(Stage.LISTEN))
    heard = (
        Revision.objects.filter(track=OuterRef("pk"))
        .annotate(report_id=Subquery(reports.values("pk")[:1]))
        .exclude(report_id=None)
        .order_by("-number")
    )
    return tracks.annotate(report_id=Subquery(heard.values("report_id")[:1]))
