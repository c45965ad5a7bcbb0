"""Keeping the search up to date: what is written elsewhere and changes what can be found."""

from __future__ import annotations

from typing import Any

from django.core.cache import cache
from django.db import transaction
from django.db.models.signals import post_delete, post_save

from analysis import services
from analysis.discovery import entries, indexing, map_runs, snippet, spaces
from analysis.lyrics_models import LyricsVersion
from analysis.models import Embedding, Report, Stage
from catalog.models import Revision

_HOUR_S = 3_600
_SUNG = (Stage.VOICE, Stage.LYRICS, Stage.SEPARATE)


def on_embedding(instance: Embedding, raw: bool = False, **_kwargs: Any) -> None:
    """A content has been heard: it can be found."""
    if not raw:
        entries.refresh_contents([instance.content_sha256])
        spaces.look_after_small()
        map_runs.look_after_small()


def on_report(instance: Report, raw: bool = False, **_kwargs: Any) -> None:
    """More is known about the voice in a content."""
    if not raw and instance.stage in _SUNG:
        entries.refresh_contents([instance.content_sha256])


def on_lyrics(instance: LyricsVersion, raw: bool = False, **_kwargs: Any) -> None:
    """The artist's own words say which language they are in."""
    if not raw:
        entries.refresh_tracks([instance.revision.track_id])


def on_revision(instance: Revision, created: bool, raw: bool = False, **_kwargs: Any) -> None:
    """A new version takes the place of those before it: at once, if its content is known."""
    if created and not raw:
        entries.refresh_tracks([instance.track_id])


def on_revision_gone(instance: Revision, **_kwargs: Any) -> None:
    """The version before it is the current one again, if the track is still there."""
    track_id = instance.track_id
    transaction.on_commit(lambda: entries.refresh_tracks([track_id]))


def reconcile_hourly() -> None:
    """Look through all entries once an hour: in a large catalogue that takes a while."""
    if cache.add("discovery.reconciled", True, _HOUR_S):
        entries.reconcile()


def connect() -> None:
    """Connect every receiver, and enter the work; called once when the app is ready."""
    uid = "discovery"
    post_save.connect(on_embedding, sender=Embedding, dispatch_uid=f"{uid}.embedding")
    post_save.connect(on_report, sender=Report, dispatch_uid=f"{uid}.report")
    post_delete.connect(on_report, sender=Report, dispatch_uid=f"{uid}.report_gone")
    post_save.connect(on_lyrics, sender=LyricsVersion, dispatch_uid=f"{uid}.lyrics")
    post_save.connect(on_revision, sender=Revision, dispatch_uid=f"{uid}.revision")
    post_delete.connect(on_revision_gone, sender=Revision, dispatch_uid=f"{uid}.revision_gone")
    for tidy in (reconcile_hourly, spaces.look_after, map_runs.look_after, snippet.drop_expired):
        if tidy not in services.HOUSEKEEPING:
            services.HOUSEKEEPING.append(tidy)
    indexing.connect()
    map_runs.connect()
    snippet.connect()
