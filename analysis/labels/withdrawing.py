"""What happens when consent ends, or a recording goes: its clips are gone, wherever they were.

Rows go in the transaction that ends the consent, with their ballots, votes, adjudications and tag
examples (the database's own cascades). Files go as soon as it is committed. Label snapshots lose
the clips' rows: what stays of those is the snapshot's checksum, its counts and how many rows went.
"""

from __future__ import annotations

import logging
import threading
import uuid
from collections.abc import Callable
from datetime import timedelta
from typing import Any

from django.core.cache import cache
from django.core.files.storage import default_storage
from django.db import connection, transaction
from django.db.models import Q
from django.db.models.signals import post_delete
from django.utils import timezone

from analysis.labels import clip_files
from analysis.labels.models import ClipState, CutRecording, VocalTake, VoiceClip
from analysis.labels.take_files import FOLDER as TAKES_FOLDER
from catalog.models import Artist
from catalog.signals import training_consent_withdrawn

log = logging.getLogger(__name__)

_WALK_KEY = "analysis.labels.storage_walk"
_WALK_EVERY_S = 24 * 3_600
_SETTLED = timedelta(hours=6)

_dirty = threading.local()

# A list in a row of JSON loses the items whose clip is gone.
_TRIM = """
    UPDATE {table} AS holder
    SET {changes}
    FROM (
        SELECT {table}.id,
               coalesce(
                   jsonb_agg(item ORDER BY place) FILTER (WHERE clip.id IS NOT NULL), '[]'
               ) AS kept,
               count(*) FILTER (WHERE clip.id IS NULL) AS gone
        FROM {table}, jsonb_array_elements({items}) WITH ORDINALITY AS part(item, place)
        LEFT JOIN analysis_voiceclip AS clip ON {clip}
        WHERE {among}
        GROUP BY {table}.id
    ) AS trimmed
    WHERE trimmed.id = holder.id AND trimmed.gone > 0
"""
# Rows of a snapshot name a clip by the checksum of its file.
_TRIM_SNAPSHOTS = _TRIM.format(
    table="analysis_labelsnapshot",
    items="rows",
    clip="clip.content_sha256 = item->>'clip'",
    among="true",
    changes="rows = trimmed.kept, withdrawn_clips = holder.withdrawn_clips + trimmed.gone",
)
# Lists of a model's mistakes name a clip by its id or by that checksum.
_TRIM_MISTAKES = _TRIM.format(
    table="analysis_modelcomparison",
    items="mistakes",
    clip="clip.id::text = item->>'clip' OR clip.content_sha256 = item->>'clip'",
    among="candidate_id IN (SELECT id FROM analysis_modelversion WHERE model = 'timbre')",
    changes="mistakes = trimmed.kept",
)
# Tables of labels that were read: rows [line, clip, ...] until they are written, and a few to show.
_TRIM_IMPORTS = _TRIM.format(
    table="analysis_labelimport",
    items="rows",
    clip="clip.id::text = item->>1",
    among="true",
    changes="rows = trimmed.kept",
)
_TRIM_SAMPLES = _TRIM.format(
    table="analysis_labelimport",
    items="coalesce(summary->'sample', '[]')",
    clip="clip.name = item->>'name'",
    among="true",
    changes="summary = jsonb_set(holder.summary, '{sample}', trimmed.kept)",
)


def on_withdrawn(artist: Artist, track_ids: list[uuid.UUID] | None, **_kwargs: Any) -> None:
    """An artist took consent back: for these tracks, or (None) for everything, takes included."""
    clips = VoiceClip.objects.filter(artist=artist)
    cuts = CutRecording.objects.filter(revision__artist=artist)
    if track_ids is None:
        VocalTake.objects.filter(artist=artist).delete()
    else:
        clips = clips.filter(revision__track__in=track_ids)
        cuts = cuts.filter(revision__track__in=track_ids)
    removed = clips.count()
    clips.delete()
    cuts.delete()
    log.info("consent ended: %d clips removed", removed)


def _on_clip_deleted(instance: VoiceClip, **_kwargs: Any) -> None:
    name = instance.file
    if name:
        transaction.on_commit(lambda: clip_files.delete_files(name), robust=True)
    _dirty.is_set = True
    transaction.on_commit(_forget_removed, robust=True)


def _on_take_deleted(instance: VocalTake, **_kwargs: Any) -> None:
    name = instance.file
    if name:
        transaction.on_commit(lambda: default_storage.delete(name), robust=True)


def _forget_removed() -> None:
    """Once after many clips went in one transaction."""
    if getattr(_dirty, "is_set", False):
        _dirty.is_set = False
        forget_removed_clips()


def forget_removed_clips(*, cut_again: bool = True) -> None:
    """Take out of snapshots, lists of mistakes and tables that were read what names clips that are
    no longer there. ``cut_again``: recordings whose clips were left out for being the same as
    somebody else's are cut again."""
    from analysis.labels import pool_services

    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(_TRIM_SNAPSHOTS)
        if cursor.rowcount:
            log.info("%d label snapshots lost rows of withdrawn clips", cursor.rowcount)
        for trim in (_TRIM_MISTAKES, _TRIM_IMPORTS, _TRIM_SAMPLES):
            cursor.execute(trim)
    again = cut_again and CutRecording.objects.filter(identical__gt=0).delete()[0]
    widowed = VoiceClip.objects.filter(state=ClipState.DUPLICATE, duplicate_of=None).exists()
    if again or widowed:
        scope = pool_services.EVERYTHING if again else pool_services.NO_WALK
        pool_services.request_run(scope=scope)


# --- Now and then ---------------------------------------------------------------------------------


def housekeeping() -> None:
    """Remove what outlived its consent by another way than the pages, or its row by a crash; ask
    for what was announced and got lost."""
    from analysis.labels import pool_services, predicting

    lapsed = VoiceClip.objects.filter(revision__isnull=False).exclude(
        Q(revision__track__may_train=True)
        & Q(revision__track__is_reference=False)
        & Q(revision__artist__may_train=True)
    )
    if removed := lapsed.delete()[0]:
        log.warning("removed clips without consent, and what belongs to them: %d rows", removed)
    CutRecording.objects.filter(revision__isnull=False).exclude(
        Q(revision__track__may_train=True) & Q(revision__artist__may_train=True)
    ).delete()
    is_daily = cache.add(_WALK_KEY, True, _WALK_EVERY_S)
    if is_daily or VoiceClip.objects.exists():
        # While the other clip is there, what is cut again is left out again: not every time.
        forget_removed_clips(cut_again=is_daily)
    if is_daily:
        remove_orphans()
    if pool_services.open_run() is None and (
        VocalTake.objects.filter(cut=None).exists() or predicting.stale_clips().exists()
    ):
        pool_services.request_run(scope=pool_services.NO_WALK)


def remove_orphans() -> int:
    """Drop files of clips and takes that no row names; those of the last hours may be on their way
    to one. Returns how many clips and takes these were."""
    removed = 0
    for folder, name in _stored(clip_files.FOLDER):
        sound = f"{folder}/{name}/{clip_files.SOUND}"
        if not VoiceClip.objects.filter(file=sound).exists() and _is_settled(sound):
            clip_files.delete_files(sound)
            removed += 1
    for folder, name in _stored(TAKES_FOLDER, files=True):
        take = f"{folder}/{name}"
        if not VocalTake.objects.filter(file=take).exists() and _is_settled(take):
            default_storage.delete(take)
            removed += 1
    if removed:
        log.info("removed %d recordings that no row named", removed)
    return removed


def _stored(base: str, *, files: bool = False) -> list[tuple[str, str]]:
    """(folder, name) of what lies two levels below ``base``."""
    found = []
    for folder in _listed(base)[0]:
        inner = _listed(f"{base}/{folder}")[1 if files else 0]
        found += [(f"{base}/{folder}", name) for name in inner]
    return found


def _listed(folder: str) -> tuple[list[str], list[str]]:
    try:
        return default_storage.listdir(folder)
    except FileNotFoundError:
        return [], []


def _is_settled(name: str) -> bool:
    try:
        return default_storage.get_modified_time(name) < timezone.now() - _SETTLED
    except OSError:
        return True


def connect(housekeepers: list[Callable[[], object]]) -> None:
    """Connect the receivers; called once when the app is ready."""
    training_consent_withdrawn.connect(on_withdrawn, dispatch_uid="labels.withdrawn")
    post_delete.connect(_on_clip_deleted, sender=VoiceClip, dispatch_uid="labels.clip_deleted")
    post_delete.connect(_on_take_deleted, sender=VocalTake, dispatch_uid="labels.take_deleted")
    housekeepers.append(housekeeping)
