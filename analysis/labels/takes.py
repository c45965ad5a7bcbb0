"""Dry takes of a voice: taking one in, and taking it away with its clips."""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from pathlib import Path

from django.core.exceptions import ValidationError
from django.core.files.base import File
from django.core.files.storage import default_storage
from django.db import IntegrityError, transaction
from django.db.models import Sum
from django.template.defaultfilters import filesizeformat

from analysis.labels import pool_services
from analysis.labels.holding_out import singer_of
from analysis.labels.models import VocalTake
from analysis.labels.take_files import new_name
from analysis.sound.refusals import clock
from catalog import selectors
from catalog.models import Artist, User
from catalog.names import clean_filename, clean_text
from catalog.probing import FileRefused, probe

MOST_BYTES = 200 * 1024 * 1024
LONGEST_S = 15 * 60.0
SHORTEST_S = 3.0
MOST_OF_ARTIST = 40

_OURS = re.compile(r"^artist-\d+$", re.IGNORECASE)


@dataclass(frozen=True)
class Room:
    """How many takes, and how many bytes, somebody may still upload."""

    takes: int
    size_bytes: int


def room_for(artist: Artist | None) -> Room:
    """The room of an artist, whose takes share her storage with her tracks; None is staff, who only
    have the limit of a single file."""
    if artist is None:
        return Room(takes=MOST_OF_ARTIST, size_bytes=MOST_BYTES)
    own = VocalTake.objects.filter(artist=artist)
    used = own.aggregate(total=Sum("size_bytes"))["total"] or 0
    return Room(
        takes=max(0, MOST_OF_ARTIST - own.count()),
        size_bytes=max(0, min(MOST_BYTES, selectors.free_bytes(artist) - used)),
    )


def add_take_of_artist(artist: Artist, path: Path, *, original_name: str, by: User) -> VocalTake:
    """Take in a recording that an artist uploads of her own voice, which is her consent for it.

    Raises FileRefused.
    """
    return _add(path, original_name, by, artist=artist, singer=singer_of(artist), source="")


def add_take_of_singer(
    path: Path, *, original_name: str, singer: str, source: str, by: User
) -> VocalTake:
    """Take in a recording of somebody without an account, whose consent staff have in writing.

    Raises FileRefused, and ValidationError for a missing name or source.
    """
    name, written = clean_text(singer, 200), clean_text(source)
    problems = {}
    if not name:
        problems["singer"] = "Say who sings: clips of one singer stay together."
    elif _OURS.match(name):
        problems["singer"] = "Names like this are kept for artists with an account."
    if not written:
        problems["source"] = "Say where the consent is written, so that it can be found again."
    if problems:
        raise ValidationError(problems)
    # The same singer in other letters is the same singer.
    known = VocalTake.objects.filter(artist=None, singer__iexact=name).first()
    return _add(
        path,
        original_name,
        by,
        artist=None,
        singer=known.singer if known else name,
        source=written,
    )


def delete_take(take: VocalTake) -> None:
    """Delete a take with its clips and what was said about them; files go once committed."""
    take.delete()


def _add(
    path: Path, original_name: str, by: User, *, artist: Artist | None, singer: str, source: str
) -> VocalTake:
    size = path.stat().st_size
    room = room_for(artist)
    _judge(size, room)
    with path.open("rb") as file:
        sha256 = hashlib.file_digest(file, "sha256").hexdigest()
    if VocalTake.objects.filter(content_sha256=sha256).exists():
        raise _twice()
    probed = probe(path)
    if not SHORTEST_S <= probed.duration_s <= LONGEST_S:
        raise FileRefused(
            "duration",
            f"A take may last from {SHORTEST_S:.0f} seconds to {LONGEST_S / 60:.0f} minutes; this "
            f"one has {clock(probed.duration_s)}. Cut it, or leave the silence out.",
        )
    name = new_name()
    with path.open("rb") as file:
        stored = default_storage.save(name, File(file))
    take = VocalTake(
        artist=artist,
        singer=singer,
        file=stored,
        original_name=clean_filename(original_name),
        content_sha256=sha256,
        duration_s=probed.duration_s,
        size_bytes=size,
        source=source,
        uploaded_by=by,
    )
    try:
        with transaction.atomic():
            take.full_clean(validate_unique=False)
            take.save(force_insert=True)
            pool_services.request_run(scope=pool_services.NO_WALK, by=by)
    except BaseException as error:
        default_storage.delete(stored)
        if isinstance(error, IntegrityError):
            raise _twice() from error
        raise
    return take


def _judge(size: int, room: Room) -> None:
    """Raises FileRefused."""
    if size == 0:
        raise FileRefused("empty", "The file is empty (0 bytes). Export or upload it again.")
    if not room.takes:
        raise FileRefused(
            "too_many", f"You have {MOST_OF_ARTIST} takes here, and there is no room for more."
        )
    if size > MOST_BYTES:
        raise FileRefused(
            "too_large", f"A take may have {filesizeformat(MOST_BYTES)} at most. Export it as FLAC."
        )
    if size > room.size_bytes:
        raise FileRefused("over_quota", "Your storage has no room for this file.")


def _twice() -> FileRefused:
    return FileRefused("duplicate", "This recording is here already.")
