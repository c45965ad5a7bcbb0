"""What somebody looks for: from where in the space, and what may be found. No Django here."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date
from enum import StrEnum
from typing import Any
from uuid import UUID

import numpy as np
import numpy.typing as npt

MOST_HITS = 100
"""In one answer."""

DEEPEST = 500
"""Hits that can be asked for in all, page after page."""

MOST_SEEDS = 20
MOST_WEIGHT = 10.0


class BadRequest(ValueError):
    """The request makes no sense; the message is for people."""


class SeedKind(StrEnum):
    TRACK = "track"
    ALBUM = "album"
    ARTIST = "artist"
    SNIPPET = "snippet"
    REPORT = "report"
    VECTOR = "vector"


class Whose(StrEnum):
    EVERYONE = "everyone"
    MINE = "mine"
    OTHERS = "others"


@dataclass(frozen=True)
class Asker:
    """Who asks: an account, and the artists whose hidden tracks it may find (a partner's are those
    who let it). Nobody at all finds discoverable tracks only."""

    user_id: int | None = None
    artist_ids: frozenset[int] = frozenset()

    @classmethod
    def of_artist(cls, artist: Any) -> Asker:
        """An artist, or nobody for None."""
        if artist is None:
            return cls()
        return cls(artist.user_id, frozenset({artist.pk}))

    @classmethod
    def of_user(cls, user: Any) -> Asker:
        """An account, with its artist page if it has one."""
        artist = getattr(user, "artist", None)
        return cls(user.pk, frozenset() if artist is None else frozenset({artist.pk}))


@dataclass(frozen=True)
class Seed:
    """Something to start from. ``weight`` below zero takes its sound away.

    ``id`` is a UUID, of an artist a whole number. ``vector`` (128,) is only for the kind vector,
    with the ``model_version`` that made it.
    """

    kind: SeedKind
    id: Any = None
    weight: float = 1.0
    vector: npt.NDArray[np.float32] | None = field(default=None, compare=False)
    model_version: str = ""

    @classmethod
    def track(cls, track_id: UUID, weight: float = 1.0) -> Seed:
        """The current revision of a track."""
        return cls(SeedKind.TRACK, track_id, weight)

    @classmethod
    def album(cls, album_id: UUID, weight: float = 1.0) -> Seed:
        """All tracks of an album that the asker may find."""
        return cls(SeedKind.ALBUM, album_id, weight)

    @classmethod
    def artist(cls, artist_id: int, weight: float = 1.0) -> Seed:
        """All tracks of an artist that the asker may find."""
        return cls(SeedKind.ARTIST, artist_id, weight)

    @classmethod
    def snippet(cls, snippet_id: UUID, weight: float = 1.0) -> Seed:
        """A snippet that the asker uploaded."""
        return cls(SeedKind.SNIPPET, snippet_id, weight)

    @classmethod
    def report(cls, report_id: UUID, weight: float = 1.0) -> Seed:
        """A report, whoever's: only for callers that have checked who may read it."""
        return cls(SeedKind.REPORT, report_id, weight)


Range = tuple[float | None, float | None]


@dataclass(frozen=True)
class Filters:
    """What may be found. Empty and None filter nothing; both ends of a range belong to it.

    A track of which something is not known (no key, nobody looked for a voice) is not found by a
    filter on it.

    Attributes
    ----------
    genres : names that the model is sure of
    tempo_bpm, tempo_octaves : a range of beats per minute, and whether half and double count
    key_code, key_compatible : a key of :mod:`analysis.discovery.keys`; with ``key_compatible`` also
        those that mix with it (relative, and one step on the circle of fifths)
    energy : range of 0..1
    instrumental : True without a voice, False with one
    languages : of the lyrics, ISO 639-1
    released : range of dates
    whose : mine, others' or everyone's
    artist_ids : only these artists' (a label's), if any are named
    """

    genres: tuple[str, ...] = ()
    tempo_bpm: Range | None = None
    tempo_octaves: bool = False
    key_code: int | None = None
    key_compatible: bool = True
    energy: Range | None = None
    instrumental: bool | None = None
    languages: tuple[str, ...] = ()
    released: tuple[date | None, date | None] | None = None
    whose: Whose = Whose.EVERYONE
    artist_ids: tuple[int, ...] | None = None


@dataclass(frozen=True)
class SearchRequest:
    """A search. Seeds' own tracks are never among the hits.

    Attributes
    ----------
    exclude_same_recording : leave out the same content, and what is nearer to a seed than copies of
        one recording are to each other
    exclude_same_album, exclude_own : leave out the albums of the seeds; everything of the asker's
    exclude_tracks : leave out these as well
    per_artist : at most so many hits of each artist
    limit, offset : 1..100 hits, after so many others
    """

    asker: Asker
    seeds: Sequence[Seed]
    filters: Filters = Filters()
    exclude_same_recording: bool = True
    exclude_same_album: bool = False
    exclude_own: bool = False
    exclude_tracks: tuple[UUID, ...] = ()
    per_artist: int | None = None
    limit: int = 20
    offset: int = 0

    def check(self) -> None:
        """Raises BadRequest, in words."""
        if not 1 <= self.limit <= MOST_HITS:
            raise BadRequest(f"Ask for 1 to {MOST_HITS} tracks at a time.")
        if self.offset < 0 or self.offset + self.limit > DEEPEST:
            raise BadRequest(f"Only the first {DEEPEST} tracks can be listed.")
        if not 1 <= len(self.seeds) <= MOST_SEEDS:
            raise BadRequest(f"Start from 1 to {MOST_SEEDS} tracks, albums or artists.")
        if self.per_artist is not None and self.per_artist < 1:
            raise BadRequest("At least one track of each artist must be allowed.")
        for seed in self.seeds:
            if not math.isfinite(seed.weight) or not 0 < abs(seed.weight) <= MOST_WEIGHT:
                raise BadRequest(f"A weight is at most {MOST_WEIGHT:g}, and not zero.")
        if all(seed.weight < 0 for seed in self.seeds):
            raise BadRequest("Add at least one thing to start from; the rest can be taken away.")
        for low_high in (self.filters.tempo_bpm, self.filters.energy):
            for end in low_high or ():
                if end is not None and not math.isfinite(end):
                    raise BadRequest("The ends of a range must be numbers.")
        if self.filters.key_code is not None and not 0 <= self.filters.key_code < 24:
            raise BadRequest("That is no key.")
