"""Recall against exact search, times, clients side by side, and memory."""

from __future__ import annotations

import multiprocessing
import os
import statistics
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from django.db import connection, connections

from analysis.discovery import query
from analysis.discovery.bench import catalogue, synthetic
from analysis.discovery.models import EmbeddingSpace
from analysis.discovery.request import Asker, Filters, SearchRequest, Seed, SeedKind
from analysis.discovery.search import search

K = 10
SHARES = (1.0, 0.5, 0.1, 0.01)
_QUERY_SEED = 99


@dataclass(frozen=True)
class Figure:
    """One setting. Times are milliseconds of a whole search with ten hits and what pages show of
    them; ``query_p95_ms`` is the part of the query alone. ``cpu_ms`` is the processor time of one
    search, here and in the database: what it costs, however busy the machine is."""

    name: str
    queries: int
    recall_at_10: float
    worst_recall: float
    p50_ms: float
    p95_ms: float
    query_p50_ms: float
    query_p95_ms: float
    cpu_ms: float

    def to_json(self) -> dict[str, Any]:
        """Rounded."""
        return {k: round(v, 4) if isinstance(v, float) else v for k, v in asdict(self).items()}


class Truth:
    """The catalogue once more in memory, searched by comparing with every row."""

    def __init__(self, rows: int, queries: int) -> None:
        self.vectors, self.genres, self.energies = catalogue.columns(rows)
        drawn, _ = synthetic.embeddings(queries, seed=_QUERY_SEED)
        self.queries = synthetic.as_stored(drawn)
        with connection.cursor() as cursor:
            cursor.execute("SELECT track_id, n FROM bench_row")
            self.row_of_track = dict(cursor.fetchall())

    def nearest(self, keep: npt.NDArray[np.bool_] | None) -> npt.NDArray[np.int64]:
        """The ten nearest rows of every query."""
        return synthetic.nearest(self.vectors, self.queries, K, keep=keep)


def by_share(truth: Truth) -> Iterator[Figure]:
    """Without a filter, and with filters that half, a tenth and a hundredth of all rows pass."""
    for share in SHARES:
        keep = None if share == 1.0 else truth.energies <= np.float32(share)
        energy = None if share == 1.0 else (0.0, float(np.float32(share)))
        name = "no filter" if share == 1.0 else f"filter {share:.0%}"
        yield measured(name, truth, Filters(energy=energy), keep)


def by_genre(truth: Truth) -> Figure:
    """A filter that goes with the place: a genre in which most queries are not."""
    keep = np.array([genre == catalogue.GENRES[0] for genre in truth.genres])
    return measured("one genre of ten", truth, Filters(genres=(catalogue.GENRES[0],)), keep)


def measured(
    name: str, truth: Truth, filters: Filters, keep: npt.NDArray[np.bool_] | None
) -> Figure:
    """One client asking one query after the other."""
    wanted = truth.nearest(keep)
    space = EmbeddingSpace.objects.get(is_serving=True)
    for vector in truth.queries[:20]:
        search(_request(vector, filters))  # warm
    recalls, whole_ms, query_ms = [], [], []
    cpu_before = _cpu_ms()
    for vector, right in zip(truth.queries, wanted, strict=True):
        started = time.perf_counter()
        hits = search(_request(vector, filters))
        whole_ms.append(1_000 * (time.perf_counter() - started))
        rows = {truth.row_of_track[hit.track.pk] for hit in hits}
        recalls.append(len(rows & set(right.tolist())) / K)
    cpu_ms = (_cpu_ms() - cpu_before) / len(recalls)
    for vector in truth.queries:
        where = query.visible_in(space, Asker())
        query.add_filters(where, filters, Asker())
        started = time.perf_counter()
        query.nearest(vector, where, K + 9, space=space)
        query_ms.append(1_000 * (time.perf_counter() - started))
    return Figure(
        name=name,
        queries=len(recalls),
        recall_at_10=statistics.mean(recalls),
        worst_recall=min(recalls),
        p50_ms=float(np.percentile(whole_ms, 50)),
        p95_ms=float(np.percentile(whole_ms, 95)),
        query_p50_ms=float(np.percentile(query_ms, 50)),
        query_p95_ms=float(np.percentile(query_ms, 95)),
        cpu_ms=cpu_ms,
    )


def _cpu_ms() -> float:
    """Processor time so far of this process and of its process in the database."""
    connection.ensure_connection()
    pid = connection.connection.info.backend_pid
    spent = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[11:13]
    ticks = sum(int(value) for value in spent)
    return 1_000 * (time.process_time() + ticks / os.sysconf("SC_CLK_TCK"))


def _request(vector: synthetic.Float, filters: Filters) -> SearchRequest:
    seed = Seed(SeedKind.VECTOR, vector=vector, model_version=catalogue.VERSION)
    return SearchRequest(Asker(), [seed], filters, limit=K)


def clients(truth: Truth, count: int, seconds: float) -> dict[str, float]:
    """``count`` processes that search without a pause: searches per second in all, and p95."""
    context = multiprocessing.get_context("fork")
    answers: Any = context.Queue()
    connections.close_all()
    started = [
        context.Process(target=_client, args=(truth.queries[number::count], seconds, answers))
        for number in range(count)
    ]
    for process in started:
        process.start()
    times = [answers.get() for _ in started]
    for process in started:
        process.join()
    all_ms = [value for part in times for value in part]
    return {
        "clients": count,
        "searches_per_s": round(len(all_ms) / seconds, 1),
        **summary_of(all_ms),
    }


def _client(vectors: synthetic.Float, seconds: float, answers: Any) -> None:
    search(_request(vectors[0], Filters()))
    times: list[float] = []
    end = time.monotonic() + seconds
    number = 0
    while time.monotonic() < end:
        started = time.perf_counter()
        search(_request(vectors[number % len(vectors)], Filters()))
        times.append(1_000 * (time.perf_counter() - started))
        number += 1
    answers.put(times)


def half_against_single(truth: Truth) -> float:
    """Share of the ten nearest that half precision keeps, of those in single precision."""
    exact, _ = synthetic.embeddings(len(truth.vectors), seed=catalogue.SEED)
    queries, _ = synthetic.embeddings(len(truth.queries), seed=_QUERY_SEED)
    one, other = synthetic.nearest(exact, queries, K), truth.nearest(None)
    shared = [len(set(a) & set(b)) / K for a, b in zip(one, other, strict=True)]
    return round(statistics.mean(shared), 4)


def sizes() -> dict[str, int]:
    """Bytes of the table, of its HNSW index and of its other indexes."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT pg_table_size('analysis_searchentry'), pg_indexes_size('analysis_searchentry'),"
            " (SELECT coalesce(sum(pg_relation_size(indexrelid)), 0) FROM pg_index"
            "  WHERE indexrelid::regclass::text LIKE 'search_entry_hnsw%')"
        )
        table, indexes, hnsw = cursor.fetchone()
    return {"table": int(table), "hnsw": int(hnsw), "other_indexes": int(indexes - hnsw)}


@contextmanager
def peak_memory(folder: Path) -> Iterator[dict[str, float]]:
    """Most memory (proportional set size) that the database of ``folder`` took meanwhile, in MB."""
    found = {"peak_mb": 0.0}
    over = threading.Event()

    def watch() -> None:
        while not over.wait(1.0):
            found["peak_mb"] = max(found["peak_mb"], memory_mb(folder))

    thread = threading.Thread(target=watch, daemon=True)
    thread.start()
    try:
        yield found
    finally:
        over.set()
        thread.join()
        found["peak_mb"] = round(max(found["peak_mb"], memory_mb(folder)))


def memory_mb(folder: Path) -> float:
    """Memory of the database server of ``folder`` and all its processes."""
    try:
        main = int((folder / "postgres" / "postmaster.pid").read_text().split("\n")[0])
    except (OSError, ValueError):
        return 0.0
    total = 0
    for entry in Path("/proc").iterdir():
        if not entry.name.isdecimal():
            continue
        try:
            parent = int((entry / "stat").read_text().rpartition(")")[2].split()[1])
            if int(entry.name) == main or parent == main:
                total += _pss_kb(entry)
        except (OSError, ValueError, IndexError):
            continue
    return total / 1024


def _pss_kb(process: Path) -> int:
    for line in (process / "smaps_rollup").read_text().splitlines():
        if line.startswith("Pss:"):
            return int(line.split()[1])
    return 0


def load() -> dict[str, Any]:
    """What else the machine had to do: its load, and its cores."""
    return {
        "load_average": [round(value, 2) for value in os.getloadavg()],
        "cores": len(os.sched_getaffinity(0)),
    }


def summary_of(values: Sequence[float]) -> dict[str, float]:
    """Median and 95th percentile."""
    return {
        "p50_ms": round(float(np.percentile(values, 50)), 2),
        "p95_ms": round(float(np.percentile(values, 95)), 2),
    }
