"""Storing what was cut from a recording: files first, then all rows at once, or none."""

from __future__ import annotations

import random
from dataclasses import dataclass
from typing import Any

from django.db import transaction

from analysis import services
from analysis.labels import clip_files
from analysis.labels.duplicates import KnownClips
from analysis.labels.holding_out import is_held_out, singer_of
from analysis.labels.models import ClipState, CutRecording, PoolRun, VocalTake, VoiceClip
from analysis.labels.pool_counts import add_counts
from analysis.labels.pool_cutting import CUTTING_VERSION, Candidate, Cut
from catalog.models import Artist, Revision, Track

_random = random.SystemRandom()


class ConsentGone(Exception):
    """The recording may no longer be used, or is no longer there."""


@dataclass(frozen=True)
class Origin:
    """What clips are cut from: a version of a track, or a take."""

    revision: Revision | None = None
    take: VocalTake | None = None

    @property
    def artist(self) -> Artist | None:
        """Whose voice it is, if she has an account."""
        if self.revision is not None:
            return self.revision.artist
        return self.take.artist if self.take is not None else None

    @property
    def singer(self) -> str:
        """What splits are made by."""
        if self.take is not None:
            return self.take.singer
        assert self.artist is not None
        return singer_of(self.artist)

    def columns(self) -> dict[str, Any]:
        """The columns that name it."""
        return {"revision": self.revision, "take": self.take}

    def __str__(self) -> str:
        return f"version {self.revision.pk}" if self.revision else f"take {self.take}"


@dataclass
class Stored:
    """What became of a recording's clips."""

    clips: int = 0
    duplicates: int = 0
    identical: int = 0


def store_cut(run: PoolRun, origin: Origin, cut: Cut, known: KnownClips) -> Stored:
    """Store the clips of a recording, and that it has been cut.

    Raises ConsentGone where it may not be used any more, :class:`analysis.background.Lost` where
    the run is no longer ours; no row is stored then, and no file stays.
    """
    found = Stored()
    rows: list[VoiceClip] = []
    written: list[str] = []
    try:
        for candidate in cut.candidates:
            row = _row(origin, candidate, known, written, rows)
            if row is None:
                found.identical += 1
            elif row._state.adding and row not in rows:
                rows.append(row)
        services.with_database(lambda: _store(run, origin, cut, rows, found))
    except BaseException:
        for name in written:
            clip_files.delete_files(name)
        raise
    return found


def _row(
    origin: Origin,
    candidate: Candidate,
    known: KnownClips,
    written: list[str],
    rows: list[VoiceClip],
) -> VoiceClip | None:
    """The row of a clip, with its files written; None if the very same sound is another's clip.
    ``rows`` are those of the recording so far: it may hold a copied phrase twice."""
    encoded = clip_files.encode_clip(candidate.samples)
    sha256 = encoded.content_sha256
    there = next((row for row in rows if row.content_sha256 == sha256), None)
    there = there or VoiceClip.objects.filter(content_sha256=sha256).first()
    if there is not None:
        own = there.revision == origin.revision and there.take == origin.take
        return there if own else None
    files = clip_files.write_clip(encoded, key=candidate.key)
    written.append(files.file)
    original = known.original_of(candidate.fingerprint)
    if original is None:
        known.add(candidate.id, candidate.fingerprint)
    return VoiceClip(
        id=candidate.id,
        name=clip_files.clip_name(candidate.key),
        singer=origin.singer,
        artist=origin.artist,
        start_s=candidate.start_s,
        end_s=candidate.end_s,
        file=files.file,
        content_sha256=files.content_sha256,
        state=ClipState.POOL if original is None else ClipState.DUPLICATE,
        duplicate_of_id=original,
        fingerprint=candidate.fingerprint,
        facts={**candidate.facts, "gain_db": files.gain_db},
        lot=_random.random(),
        **origin.columns(),
    )


def _store(run: PoolRun, origin: Origin, cut: Cut, rows: list[VoiceClip], found: Stored) -> None:
    with transaction.atomic():
        _lock_consent(origin)
        there = set(
            VoiceClip.objects.filter(
                pk__in=[row.duplicate_of_id for row in rows if row.duplicate_of_id]
            ).values_list("pk", flat=True)
        ) | {row.pk for row in rows}
        held_out = is_held_out(origin.singer)
        for row in rows:
            row.is_held_out = held_out
            if row.duplicate_of_id not in there:
                row.duplicate_of_id = None  # its original went meanwhile: judged again
        VoiceClip.objects.bulk_create(rows)
        found.clips = len(rows)
        found.duplicates = sum(row.state == ClipState.DUPLICATE for row in rows)
        CutRecording.objects.create(
            **origin.columns(),
            cutting_version=CUTTING_VERSION,
            clips=found.clips,
            duplicates=found.duplicates,
            identical=found.identical,
            reason=cut.reason,
        )
        add_counts(
            run,
            {
                "clips": found.clips - found.duplicates,
                "duplicates": found.duplicates,
                "identical": found.identical,
                "without_singing": int(cut.count == 0),
                "takes": int(origin.take is not None),
            },
        )


def _lock_consent(origin: Origin) -> None:
    """Hold the consent in its place until the clips are stored; whoever withdraws it then finds
    them. Raises ConsentGone."""
    if origin.take is not None:
        take = VocalTake.objects.select_for_update(of=("self",)).filter(pk=origin.take.pk)
        if not take.exists():
            raise ConsentGone
        return
    assert origin.revision is not None
    artists = Artist.objects.select_for_update(of=("self",)).filter(
        pk=origin.revision.artist_id, may_train=True
    )
    tracks = Track.objects.select_for_update(of=("self",)).filter(
        pk=origin.revision.track_id, may_train=True, is_reference=False
    )
    if not (artists.exists() and tracks.exists()):
        raise ConsentGone
    if not Revision.objects.filter(pk=origin.revision.pk).exists():
        raise ConsentGone
