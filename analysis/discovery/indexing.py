"""The HNSW index of one space: built beside the others, while everybody goes on searching.

Each space has a partial index of its own over :class:`~analysis.discovery.models.SearchEntry`. A
search names its space in the query, so PostgreSQL takes that space's index and no other. What m and
ef_construction are, and how they were chosen, stands in ``docs/discovery.md``.

Malkov & Yashunin 2020, "Efficient and robust approximate nearest neighbor search using Hierarchical
Navigable Small World graphs".
"""

from __future__ import annotations

import os
import time
from typing import Any

import numpy as np
from django.db import connection, transaction
from django.utils import timezone
from psycopg import sql

from analysis import background
from analysis.discovery import percentiles, sections, spaces
from analysis.discovery.models import EmbeddingSpace, IndexRun, SearchEntry
from analysis.heart import Heart

M = 16
EF_CONSTRUCTION = 128
_SAMPLE = 5_000
_SECTION_TRACKS = 500
_BYTES_PER_ROW = 1_300
_LEAST_MEMORY, _MOST_MEMORY = 64 << 20, 4 << 30


def index_name(space: EmbeddingSpace) -> str:
    """Name of a space's index in the database."""
    return f"search_entry_hnsw_{int(space.pk)}"


def is_built(space: EmbeddingSpace) -> bool:
    """Whether the index is there and whole: one whose building was cut off is not."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT indisvalid FROM pg_index WHERE indexrelid = to_regclass(%s)",
            [index_name(space)],
        )
        row = cursor.fetchone()
    return bool(row and row[0])


def build(
    space: EmbeddingSpace, *, m: int = M, ef_construction: int = EF_CONSTRUCTION
) -> dict[str, Any]:
    """Build the index, if it is not there; returns (and keeps) its facts.

    Concurrently: nobody waits for it. Only within a transaction, which cannot do so, plainly.
    """
    if not is_built(space):
        concurrently = not connection.in_atomic_block
        how = sql.SQL("CONCURRENTLY " if concurrently else "")
        name = sql.Identifier(index_name(space))
        rows = SearchEntry.objects.filter(space=space).count()
        started = time.perf_counter()
        with connection.cursor() as cursor:
            if not concurrently:  # rows of this transaction whose checks were put off bar the way
                cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
            cursor.execute(sql.SQL("DROP INDEX {}IF EXISTS {}").format(how, name))
            # What the session is allowed is put back below, whatever happens.
            cursor.execute(
                "SELECT set_config('maintenance_work_mem', %s, false),"
                " set_config('max_parallel_maintenance_workers', %s, false)",
                [f"{_memory_bytes(rows) // 1024}kB", str(_workers())],
            )
            try:
                cursor.execute(
                    sql.SQL(
                        "CREATE INDEX {}{} ON analysis_searchentry"
                        " USING hnsw (vector halfvec_cosine_ops)"
                        " WITH (m = {}, ef_construction = {})"
                        " WHERE space_id = {} AND NOT is_reference"
                    ).format(
                        how,
                        name,
                        sql.Literal(m),
                        sql.Literal(ef_construction),
                        sql.Literal(int(space.pk)),
                    )
                )
            finally:
                if not connection.needs_rollback:
                    cursor.execute("RESET maintenance_work_mem")
                    cursor.execute("RESET max_parallel_maintenance_workers")
            cursor.execute("SELECT pg_relation_size(to_regclass(%s))", [index_name(space)])
            size_bytes = cursor.fetchone()[0]
            cursor.execute("ANALYZE analysis_searchentry")
        space.index_facts = {
            "m": m,
            "ef_construction": ef_construction,
            "rows": rows,
            "seconds": round(time.perf_counter() - started, 1),
            "bytes": size_bytes,
        }
        space.indexed_at = timezone.now()
        space.save(update_fields=["index_facts", "indexed_at"])
    elif space.indexed_at is None:
        space.indexed_at = timezone.now()
        space.save(update_fields=["indexed_at"])
    return dict(space.index_facts)


def drop(space: EmbeddingSpace) -> None:
    """Drop a space's index and forget that it was there."""
    how = sql.SQL("" if connection.in_atomic_block else "CONCURRENTLY ")
    with connection.cursor() as cursor:
        cursor.execute(
            sql.SQL("DROP INDEX {}IF EXISTS {}").format(how, sql.Identifier(index_name(space)))
        )
    EmbeddingSpace.objects.filter(pk=space.pk).update(indexed_at=None, index_facts={})


def _memory_bytes(rows: int) -> int:
    """Memory for the build: as much as the graph takes, within bounds. Beyond it, building goes on,
    but many times as slowly."""
    free = os.sysconf("SC_AVPHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") // 3
    return max(_LEAST_MEMORY, min(rows * _BYTES_PER_ROW, free, _MOST_MEMORY))


def _workers() -> int:
    return max(0, len(os.sched_getaffinity(0)) - 1)


def measure(space: EmbeddingSpace) -> None:
    """Measure the space's quantiles over all its tracks, hidden ones too."""
    entries = spaces.findable(space)
    count = entries.count()
    rows = list(entries.order_by("?").values_list("report_id", "vector")[:_SAMPLE])
    if rows:
        vectors = np.array([vector for _, vector in rows], dtype=np.float32)
        vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
        owners = [report_id for report_id, _ in rows]
        space.pair_quantiles = percentiles.quantiles(vectors, owners)
        heard = sections.of_reports(owners[:_SECTION_TRACKS])
        parts = list(heard.values())
        space.section_quantiles = (
            percentiles.quantiles(
                np.concatenate([part.vectors for part in parts]),
                [owner for owner, part in heard.items() for _ in part.start_s],
            )
            if len(parts) > 1
            else []
        )
    space.measured_entries = count
    space.measured_at = timezone.now()
    space.save(
        update_fields=["pair_quantiles", "section_quantiles", "measured_entries", "measured_at"]
    )


def run_index(run: IndexRun, heart: Heart) -> None:
    """Do a claimed run: build, measure, and with its end switch over if that was wanted."""
    space = run.space
    heart.progress(0.05, "Building the index")
    build(space)
    heart.progress(0.7, "Measuring distances")
    measure(space)
    heart.check()
    with transaction.atomic():
        background.finish(run)
        if run.then_serve:
            spaces.switch_to(space)


def connect() -> None:
    """Enter the work; called once when the app is ready."""
    background.register(IndexRun, run_index)
