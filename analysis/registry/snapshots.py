"""The labels as they are at one moment, kept so that it can be told what a model learned from."""

from __future__ import annotations

import hashlib
import json
from typing import Any

from analysis.labels.consensus import consensus, live_slugs
from analysis.labels.models import ClipState, VoiceClip
from analysis.registry.models import LabelSnapshot

_DECIMALS = 6

Row = dict[str, Any]


def current_rows() -> list[Row]:
    """A row per labelled clip of the pool, in the order of their files' checksums: see
    :class:`~analysis.registry.models.LabelSnapshot`."""
    clips = VoiceClip.objects.filter(state=ClipState.POOL)
    labels = consensus(clips, live_slugs())
    columns = ("pk", "content_sha256", "name", "singer", "is_held_out")
    rows = []
    for pk, sha256, name, singer, held_out in clips.order_by("content_sha256").values_list(
        *columns
    ):
        if not labels.get(pk):
            continue
        of_clip = sorted(labels[pk].items())
        rows.append(
            {
                "clip": sha256,
                "name": name,
                "singer": singer,
                "held_out": held_out,
                "labels": {tag: round(float(label.value), _DECIMALS) for tag, label in of_clip},
                "votes": {tag: label.votes for tag, label in of_clip},
            }
        )
    return rows


def sha256_of(rows: list[Row]) -> str:
    """Checksum of rows as canonical JSON."""
    text = json.dumps(rows, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return hashlib.sha256(text.encode()).hexdigest()


def take() -> LabelSnapshot:
    """Keep the labels as they are now; the same labels give the same snapshot."""
    rows = current_rows()
    snapshot, is_new = LabelSnapshot.objects.get_or_create(
        sha256=sha256_of(rows),
        defaults={
            "rows": rows,
            "clips": len(rows),
            "singers": len({row["singer"] for row in rows}),
            "tags": sorted({tag for row in rows for tag in row["labels"]}),
        },
    )
    if not is_new and len(snapshot.rows) < len(rows):
        # Struck out when clips were gone that are back by now.
        snapshot.rows = rows
        snapshot.save(update_fields=["rows"])
    return snapshot


def is_whole(snapshot: LabelSnapshot) -> bool:
    """Whether every clip of a snapshot may still be used: none was withdrawn since."""
    wanted = [row["clip"] for row in snapshot.rows]
    there = VoiceClip.objects.filter(content_sha256__in=wanted, state=ClipState.POOL).count()
    return there == len(wanted) == snapshot.clips


def strike_out_withdrawn() -> int:
    """Take the rows of clips that are gone out of all snapshots; returns how many rows went.

    Who takes back her consent takes her labels with her. The checksum stays: it still names what a
    model learned from, though that can no longer be looked at.
    """
    there = set(VoiceClip.objects.values_list("content_sha256", flat=True))
    struck = 0
    for snapshot in LabelSnapshot.objects.only("pk", "rows").iterator(chunk_size=20):
        kept = [row for row in snapshot.rows if row["clip"] in there]
        if len(kept) < len(snapshot.rows):
            struck += len(snapshot.rows) - len(kept)
            LabelSnapshot.objects.filter(pk=snapshot.pk).update(rows=kept)
    return struck
