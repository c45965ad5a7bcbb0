"""The query of a search: one narrow table, who may see what checked in it, exact or by index.

Few rows pass a selective filter, and measuring them all is both quick and exact; many rows pass a
wide one, and the index reaches ten of them soon. Which it is the planner's statistics say, for the
price of a plan. Where the index gave up too early (its estimate was wrong) the search goes exact.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

import numpy as np
import numpy.typing as npt
from django.db import connection, transaction
from pgvector import HalfVector

from analysis.discovery.keys import compatible_codes
from analysis.discovery.models import EmbeddingSpace
from analysis.discovery.request import Asker, Filters, Range, Whose

Float = npt.NDArray[np.float32]

LEAST_EF, MOST_EF = 200, 1_000
"""Candidates that the index keeps in view: for good recall, and as many as it can."""

_EF_PER_HIT = 2.0
"""Candidates for each hit, of those that pass the filters."""

_ROWS_PER_CANDIDATE = 8
"""So many rows are measured one by one in the time of a candidate of the index
(docs/discovery.md)."""

_TABLE = "analysis_searchentry"


@dataclass(frozen=True)
class Row:
    """A candidate: ``distance`` is the cosine distance to the direction of the search."""

    track_id: UUID
    revision_id: UUID
    report_id: UUID
    artist_id: int
    distance: float
    vector: Float | None


@dataclass
class Conditions:
    """Parts of a WHERE clause, joined by AND, and their parameters."""

    parts: list[str] = field(default_factory=list)
    values: list[Any] = field(default_factory=list)

    def add(self, part: str, *values: Any) -> None:
        """Add a part; a ``%s`` in it for each value."""
        self.parts.append(part)
        self.values.extend(values)

    @property
    def text(self) -> str:
        return " AND ".join(self.parts)


def visible_in(space: EmbeddingSpace, asker: Asker) -> Conditions:
    """Where every search begins: one space, no references, and only what the asker may find."""
    found = Conditions()
    # Written out, so that the planner recognises the space's partial index.
    found.add(f"space_id = {int(space.pk)}")
    found.add("NOT is_reference")
    if asker.artist_ids:
        found.add("(discoverable OR artist_id = ANY(%s))", sorted(asker.artist_ids))
    else:
        found.add("discoverable")
    return found


def add_filters(found: Conditions, filters: Filters, asker: Asker) -> None:
    """Add what the filters ask for."""
    own = sorted(asker.artist_ids)
    if filters.whose == Whose.MINE:
        found.add("artist_id = ANY(%s)", own)
    elif filters.whose == Whose.OTHERS:
        found.add("artist_id <> ALL(%s)", own)
    if filters.artist_ids is not None:
        found.add("artist_id = ANY(%s)", list(filters.artist_ids))
    if filters.genres:
        found.add("genre = ANY(%s)", list(filters.genres))
    if filters.languages:
        found.add("language = ANY(%s)", list(filters.languages))
    if filters.instrumental is not None:
        found.add("instrumental" if filters.instrumental else "NOT instrumental")
    if filters.key_code is not None:
        codes = compatible_codes(filters.key_code)
        found.add("key_code = ANY(%s)", list(codes if filters.key_compatible else codes[:1]))
    if filters.tempo_bpm is not None:
        _add_tempo(found, filters.tempo_bpm, octaves=filters.tempo_octaves)
    if filters.energy is not None:
        _add_range(found, "energy", filters.energy)
    if filters.released is not None:
        _add_range(found, "release_date", filters.released)


def _add_tempo(found: Conditions, bpm: Range, *, octaves: bool) -> None:
    parts = Conditions()
    for factor in (1.0, 0.5, 2.0) if octaves else (1.0,):
        one = Conditions()
        low, high = (None if end is None else end * factor for end in bpm)
        _add_range(one, "tempo_bpm", (low, high))
        if not one.parts:
            one.add("tempo_bpm IS NOT NULL")
        parts.add(f"({one.text})", *one.values)
    found.add(f"({' OR '.join(parts.parts)})", *parts.values)


def _add_range(found: Conditions, column: str, ends: tuple[Any, Any]) -> None:
    low, high = ends
    if low is not None:
        found.add(f"{column} >= %s", low)
    if high is not None:
        found.add(f"{column} <= %s", high)


def estimated_rows(where: Conditions) -> int:
    """How many rows pass, as the planner's statistics say."""
    with connection.cursor() as cursor:
        cursor.execute(
            f"EXPLAIN (FORMAT JSON) SELECT 1 FROM {_TABLE} WHERE {where.text}", where.values
        )
        told = cursor.fetchone()[0]
    plan = json.loads(told) if isinstance(told, str) else told
    return int(plan[0]["Plan"]["Plan Rows"])


def nearest(
    vector: Float,
    where: Conditions,
    count: int,
    *,
    space: EmbeddingSpace,
    with_vectors: bool = False,
) -> tuple[list[Row], bool]:
    """The ``count`` rows nearest to ``vector`` (128,), nearest first, and whether they are all
    there are: fewer than were asked for, and none missed."""
    if space.indexed_at is not None:
        rows = estimated_rows(where)
        total = max(rows, space.measured_entries, int(space.index_facts.get("rows", 0)))
        candidates = candidates_for(count, rows / total)
        if not exact_is_quicker(rows, candidates):
            found = _by_index(vector, where, count, with_vectors, ef=min(MOST_EF, candidates))
            if len(found) >= count:
                return found, False
    found = _exactly(vector, where, count, with_vectors)
    return found, len(found) < count


def candidates_for(count: int, share: float) -> int:
    """How many candidates the index has to see for ``count`` hits, where a ``share`` (0..1] of all
    rows passes the filters."""
    return max(LEAST_EF, math.ceil(_EF_PER_HIT * count / max(share, 1e-6)))


def exact_is_quicker(rows: int, candidates: int) -> bool:
    """Whether measuring ``rows`` one by one takes less than the index with its ``candidates``."""
    return rows <= _ROWS_PER_CANDIDATE * candidates


def _by_index(
    vector: Float, where: Conditions, count: int, with_vectors: bool, *, ef: int
) -> list[Row]:
    # The order of an iterative scan is relaxed: sorted below.
    with settings_of_index_scan(ef):
        return _fetch(vector, where, count, with_vectors, order="distance")


def _exactly(vector: Float, where: Conditions, count: int, with_vectors: bool) -> list[Row]:
    # The sum keeps the planner from taking the index, which has the distance alone.
    return _fetch(vector, where, count, with_vectors, order="(vector <=> %s::halfvec) + 0")


def _fetch(
    vector: Float, where: Conditions, count: int, with_vectors: bool, *, order: str
) -> list[Row]:
    text = HalfVector(vector).to_text()
    columns = "track_id, revision_id, report_id, artist_id, vector <=> %s::halfvec AS distance"
    columns += ", vector" if with_vectors else ""
    ordering = [text] if "%s" in order else []
    with connection.cursor() as cursor:
        cursor.execute(
            f"SELECT {columns} FROM {_TABLE} WHERE {where.text} ORDER BY {order} LIMIT %s",
            [text, *where.values, *ordering, count],
        )
        rows = cursor.fetchall()
    found = [
        Row(row[0], row[1], row[2], row[3], float(row[4]), _read(row[5]) if with_vectors else None)
        for row in rows
    ]
    return sorted(found, key=lambda row: (row.distance, str(row.track_id)))


def _read(stored: Any) -> Float:
    value = HalfVector.from_text(stored) if isinstance(stored, str) else stored
    vector: Float = value.to_numpy().astype(np.float32)
    return vector / np.linalg.norm(vector)


@contextmanager
def settings_of_index_scan(ef: int) -> Iterator[None]:
    """Settings of the database for the queries of a block, and of nothing after it: the index, and
    no other plan; ``ef`` candidates, and more of them as long as too few pass the filters."""
    values = {
        "hnsw.ef_search": str(ef),
        "hnsw.iterative_scan": "relaxed_order",
        "enable_sort": "off",
        "enable_seqscan": "off",
        "enable_bitmapscan": "off",
    }
    in_transaction = connection.in_atomic_block
    with transaction.atomic(), connection.cursor() as cursor:
        before: tuple[str | None, ...] = ()
        if in_transaction:  # otherwise they end with this one
            now = ", ".join(["current_setting(%s, true)"] * len(values))
            cursor.execute(f"SELECT {now}", [*values])
            before = cursor.fetchone()
        _set(cursor, values)
        yield
        if in_transaction:
            _set(cursor, {n: was or _DEFAULTS[n] for n, was in zip(values, before, strict=True)})


_DEFAULTS = {"hnsw.ef_search": "40", "hnsw.iterative_scan": "off"}


def _set(cursor: Any, values: dict[str, str]) -> None:
    pairs = [part for pair in values.items() for part in pair]
    cursor.execute("SELECT " + ", ".join(["set_config(%s, %s, true)"] * len(values)), pairs)
