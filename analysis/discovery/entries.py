"""Keeping what is searched equal to what is known.

What stands on tracks and albums the database's triggers carry over (migration 0009). What stands in
reports, and which revision is the current one, is written here: whenever a report, an embedding or
a revision comes or goes, and once more by the housekeeping.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django.db import transaction
from django.db.models import Exists, F, OuterRef, Q

from analysis.discovery import spaces
from analysis.discovery.keys import code_of_name
from analysis.discovery.models import EmbeddingSpace, SearchEntry
from analysis.lyrics_models import LyricsOrigin, LyricsVersion
from analysis.models import Embedding, Report, Stage
from catalog.models import Revision, Track
from catalog.selectors import current_revisions

BATCH = 500
_VOICE_STEM = "vocals"
_NO_VOICE_DB = -40.0
"""A vocal stem this far below the sum of the others holds what separation left over, and no voice.
Only of engines that are trained: the starter's cannot tell."""

_COLUMNS = (
    "revision", "report", "artist", "album", "discoverable", "is_reference", "genre", "tempo_bpm",
    "key_code", "energy", "instrumental", "language", "release_date", "vector",
)  # fmt: skip


@dataclass(frozen=True)
class _Sung:
    """What is known of a content's voice: whether there is none, and the language of its words."""

    instrumental: bool | None
    language: str


def refresh_tracks(track_ids: Iterable[UUID]) -> int:
    """Write the entries of tracks anew, in every space that has heard their current revision;
    returns how many there are now."""
    ids = sorted(set(track_ids))
    return sum(_refresh(ids[i : i + BATCH]) for i in range(0, len(ids), BATCH))


def refresh_contents(contents: Iterable[str]) -> int:
    """:func:`refresh_tracks` of every track whose current revision has one of these contents."""
    found = current_revisions().filter(content_sha256__in=list(contents))
    return refresh_tracks(found.values_list("track_id", flat=True))


def _refresh(track_ids: Sequence[UUID]) -> int:
    with transaction.atomic():
        # Locked before they are read: a change of a track waits for us, and its trigger then finds
        # the entries that are written here.
        tracks = {
            track.pk: track
            for track in Track.objects.select_for_update(of=("self",), no_key=True)
            .select_related("album")
            .filter(pk__in=track_ids)
            .order_by("pk")
        }
        current = {
            revision.track_id: revision
            for revision in Revision.objects.filter(track__in=tracks).order_by("number")
        }
        contents = {revision.content_sha256 for revision in current.values()}
        embeddings: dict[str, list[Embedding]] = {}
        for embedding in (
            Embedding.objects.filter(content_sha256__in=contents)
            .select_related("report")
            .defer("report__document")
        ):
            embeddings.setdefault(embedding.content_sha256, []).append(embedding)
        sung = _sung(list(current.values()))
        versions = {one.model_version for heard in embeddings.values() for one in heard}
        space_of = {version: spaces.space_of(version) for version in versions}
        made = [
            _entry(
                tracks[track_id],
                revision,
                embedding,
                space=space_of[embedding.model_version],
                sung=sung[revision.pk],
            )
            for track_id, revision in current.items()
            for embedding in embeddings.get(revision.content_sha256, ())
        ]
        if made:
            SearchEntry.objects.bulk_create(
                made,
                update_conflicts=True,
                unique_fields=["space", "track"],
                update_fields=_COLUMNS,
            )
        kept = {(entry.space_id, entry.track_id) for entry in made}
        gone = [
            pk
            for pk, space_id, track_id in SearchEntry.objects.filter(
                track__in=track_ids
            ).values_list("pk", "space_id", "track_id")
            if (space_id, track_id) not in kept
        ]
        if gone:
            SearchEntry.objects.filter(pk__in=gone).delete()
    return len(made)


def _entry(
    track: Track, revision: Revision, embedding: Embedding, *, space: EmbeddingSpace, sung: _Sung
) -> SearchEntry:
    report = embedding.report
    album = track.album
    return SearchEntry(
        space=space,
        track=track,
        revision=revision,
        report=report,
        artist_id=track.artist_id,
        album=album,
        discoverable=track.discoverable,
        is_reference=track.is_reference,
        genre=report.genre if report.genre_decided else "",
        tempo_bpm=report.tempo_bpm,
        key_code=code_of_name(report.key),
        energy=report.energy,
        instrumental=sung.instrumental,
        language=sung.language,
        release_date=track.release_date or (album.release_date if album is not None else None),
        vector=embedding.vector,
    )


def _sung(revisions: Sequence[Revision]) -> dict[UUID, _Sung]:
    """Voice and language of revisions, from the newest report of each kind; the artist's own words
    count before what was heard."""
    contents = {revision.content_sha256 for revision in revisions}
    singing: dict[str, bool] = {}
    level_db: dict[str, float | None] = {}
    language: dict[str, str] = {}
    reports = Report.objects.filter(
        content_sha256__in=contents, stage__in=(Stage.VOICE, Stage.LYRICS, Stage.SEPARATE)
    ).order_by("created_at")
    for sha256, stage, said, heard_language, lines, stems, starter in reports.values_list(
        "content_sha256",
        "stage",
        "document__singing",
        "document__language",
        "document__lines__0",
        "document__stems",
        "document__is_starter",
    ):
        if stage == Stage.VOICE:
            singing[sha256] = bool(said)
        elif stage == Stage.LYRICS:
            language[sha256] = str(heard_language or "") if lines else ""
        elif not starter:
            level_db[sha256] = voice_level_db(stems or [])
    own = {
        version.revision_id: version
        for version in LyricsVersion.objects.filter(revision__in=revisions)
        .exclude(origin=LyricsOrigin.MACHINE)
        .only("revision_id", "number", "language")
        .order_by("number")
    }
    found = {}
    for revision in revisions:
        sha256 = revision.content_sha256
        version = own.get(revision.pk)
        words = version.language if version is not None else language.get(sha256, "")
        instrumental: bool | None = None
        if sha256 in singing:
            instrumental = not singing[sha256]
        elif words:
            instrumental = False
        elif (level := level_db.get(sha256)) is not None:
            instrumental = level < _NO_VOICE_DB or None
        found[revision.pk] = _Sung(instrumental, words[:8])
    return found


def voice_level_db(stems: Sequence[dict[str, Any]]) -> float | None:
    """Level of the vocal stem over the power sum of the others, in dB; None if it cannot be told. A
    silent stem is 200 dB below."""
    levels = {str(stem["name"]): stem.get("level_db") for stem in stems}
    others = [level for name, level in levels.items() if name != _VOICE_STEM and level is not None]
    if _VOICE_STEM not in levels or not others:
        return None
    rest_db = 10.0 * math.log10(sum(10.0 ** (level / 10.0) for level in others))
    voice_db = levels[_VOICE_STEM]
    return -200.0 if voice_db is None else float(voice_db) - rest_db


def reconcile(limit: int = 5_000) -> int:
    """Write what is missing and what belongs to a revision that is no longer the current one;
    returns how many tracks were found amiss."""
    entry = SearchEntry.objects.filter(
        space__model_version=OuterRef("report__model_version"), report=OuterRef("report")
    )
    unlisted = Embedding.objects.filter(content_sha256=OuterRef("content_sha256")).filter(
        ~Exists(entry.filter(track=OuterRef(OuterRef("track"))))
    )
    missing = (
        current_revisions().filter(Exists(unlisted)).values_list("track_id", flat=True)[:limit]
    )
    newer = Revision.objects.filter(
        track=OuterRef("track"), number__gt=OuterRef("revision__number")
    )
    stale = SearchEntry.objects.filter(
        Exists(newer)
        | ~Q(discoverable=F("track__discoverable"))
        | ~Q(is_reference=F("track__is_reference"))
        | ~Q(artist=F("track__artist"))
    ).values_list("track_id", flat=True)[:limit]
    amiss = {*missing, *stale}
    refresh_tracks(amiss)
    return len(amiss)
