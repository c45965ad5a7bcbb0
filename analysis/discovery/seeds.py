"""From what somebody starts at to a direction in the space of one model version."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from uuid import UUID

import numpy as np
import numpy.typing as npt
from django.db.models import Q, QuerySet
from django.utils import timezone

from analysis.discovery.models import EmbeddingSpace, Snippet
from analysis.discovery.request import Asker, BadRequest, SearchRequest, Seed, SeedKind
from analysis.models import Embedding
from catalog.models import Track
from catalog.selectors import current_revisions

Float = npt.NDArray[np.float32]

MOST_TRACKS_OF_A_SEED = 200
"""Of an artist with more, the newest ones speak for all."""

_NOTHING_LEFT = 1e-3


class SeedNotFound(LookupError):
    """A seed that is not there, or not for the asker to see."""


class SeedNotHeard(LookupError):
    """A seed that has not been listened to, or not by the version that is searched; the message is
    for people."""


@dataclass(frozen=True)
class Direction:
    """Where to search: ``vector`` (128,) of length one; ``positive`` (n, 128), the seeds that were
    added, by which copies of them are known; and what the seeds are made of."""

    space: EmbeddingSpace
    vector: Float
    positive: Float
    tracks: frozenset[UUID]
    reports: frozenset[UUID]
    albums: frozenset[UUID]

    @property
    def is_one_place(self) -> bool:
        """Whether the direction is a single seed's own place."""
        return len(self.positive) == 1 and bool(np.allclose(self.positive[0], self.vector))


@dataclass(frozen=True)
class _Part:
    weight: float
    vectors: Float
    tracks: tuple[UUID, ...] = ()
    reports: tuple[UUID, ...] = ()
    albums: tuple[UUID, ...] = ()


def visible(asker: Asker, track: str = "") -> Q:
    """The tracks that an asker may find: discoverable ones, and its artists'. Never references.

    ``track`` is the way to them, like ``"track__"`` from revisions.
    """
    allowed = Q(**{f"{track}discoverable": True}) | Q(**{f"{track}artist__in": asker.artist_ids})
    return Q(**{f"{track}is_reference": False}) & allowed


def startable(asker: Asker) -> QuerySet[Track]:
    """The single tracks that an asker may start from: those that it may find, and its artists'
    references, which are never found."""
    return Track.objects.filter(visible(asker) | Q(artist__in=asker.artist_ids))


def direction(request: SearchRequest) -> Direction:
    """Where ``request`` starts, in the serving space, or else in the newest one that has heard all
    of its seeds: what was just uploaded has not been heard by yesterday's version.

    Raises SeedNotFound, SeedNotHeard, and BadRequest where seeds cancel each other out.
    """
    spaces = list(EmbeddingSpace.objects.order_by("-is_serving", "-created_at"))
    not_heard: SeedNotHeard | None = None
    for space in spaces:
        try:
            parts = [_part(seed, request.asker, space) for seed in request.seeds]
        except SeedNotHeard as error:
            not_heard = not_heard or error
        else:
            return _sum(parts, space)
    if not spaces:
        for seed in request.seeds:
            _check_there(seed, request.asker)
    raise not_heard or SeedNotHeard("Nothing has been listened to yet.")


def _sum(parts: list[_Part], space: EmbeddingSpace) -> Direction:
    # The mean direction of an album or artist finds what belongs to it better than each of its
    # tracks asked alone (docs/discovery.md).
    total = sum(
        (part.weight * _unit(part.vectors.mean(axis=0)) for part in parts),
        start=np.zeros(parts[0].vectors.shape[1], dtype=np.float32),
    )
    if float(np.linalg.norm(total)) < _NOTHING_LEFT:
        raise BadRequest("What you add and what you take away cancel each other out.")
    return Direction(
        space=space,
        vector=_unit(total),
        positive=np.concatenate([part.vectors for part in parts if part.weight > 0]),
        tracks=frozenset(one for part in parts for one in part.tracks),
        reports=frozenset(one for part in parts for one in part.reports),
        albums=frozenset(one for part in parts for one in part.albums),
    )


def _unit(vector: Float) -> Float:
    length = float(np.linalg.norm(vector))
    return (vector / length if length > 0 else vector).astype(np.float32)


def _check_there(seed: Seed, asker: Asker) -> None:
    if seed.kind in (SeedKind.TRACK, SeedKind.ALBUM, SeedKind.ARTIST):
        if not _tracks(seed, asker).exists():
            raise SeedNotFound(str(seed.id))
    elif seed.kind == SeedKind.SNIPPET:
        _snippet(seed, asker)


def _part(seed: Seed, asker: Asker, space: EmbeddingSpace) -> _Part:
    if seed.kind == SeedKind.VECTOR:
        if seed.vector is None or seed.model_version != space.model_version:
            raise SeedNotHeard("This sound was heard by another version of the model.")
        return _Part(seed.weight, _unit(np.asarray(seed.vector, dtype=np.float32))[None])
    if seed.kind == SeedKind.SNIPPET:
        snippet = _snippet(seed, asker)
        if snippet.vector is None or snippet.model_version != space.model_version:
            raise SeedNotHeard("This snippet has not been listened to yet.")
        return _Part(seed.weight, _vectors([snippet.vector]))
    if seed.kind == SeedKind.REPORT:
        embedding = Embedding.objects.filter(
            report=seed.id, model_version=space.model_version
        ).first()
        if embedding is None:
            raise SeedNotHeard("This version was heard by another version of the model.")
        return _Part(seed.weight, _vectors([embedding.vector]), reports=(embedding.report_id,))
    return _part_of_tracks(seed, asker, space)


def _part_of_tracks(seed: Seed, asker: Asker, space: EmbeddingSpace) -> _Part:
    tracks = list(
        _tracks(seed, asker)
        .order_by("-created_at")
        .values_list("pk", "album_id")[:MOST_TRACKS_OF_A_SEED]
    )
    if not tracks:
        raise SeedNotFound(str(seed.id))
    contents = (
        current_revisions()
        .filter(track__in=[pk for pk, _ in tracks])
        .values_list("content_sha256", flat=True)
    )
    heard = list(
        Embedding.objects.filter(
            content_sha256__in=list(contents), model_version=space.model_version
        ).values_list("report_id", "vector")
    )
    if not heard:
        raise SeedNotHeard("This has not been listened to yet.")
    return _Part(
        weight=seed.weight,
        vectors=_vectors([vector for _, vector in heard]),
        tracks=tuple(pk for pk, _ in tracks),
        reports=tuple(report_id for report_id, _ in heard),
        albums=tuple({album_id for _, album_id in tracks if album_id is not None}),
    )


def _tracks(seed: Seed, asker: Asker) -> QuerySet[Track]:
    """Tracks of a seed."""
    if seed.kind == SeedKind.TRACK:
        return startable(asker).filter(pk=seed.id)
    if seed.kind == SeedKind.ALBUM:
        return Track.objects.filter(visible(asker), album=seed.id)
    return Track.objects.filter(visible(asker), artist=seed.id)


def _snippet(seed: Seed, asker: Asker) -> Snippet:
    found = Snippet.objects.filter(
        pk=seed.id, created_by=asker.user_id, expires_at__gt=timezone.now()
    ).first()
    if found is None or asker.user_id is None:
        raise SeedNotFound(str(seed.id))
    return found


def _vectors(stored: Iterable[object]) -> Float:
    """Unit vectors (n, 128) of what stands in the database."""
    rows = np.array(list(stored), dtype=np.float32)
    return (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32)
