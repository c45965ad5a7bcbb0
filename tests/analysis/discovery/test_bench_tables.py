"""The tables of figures stand between their marks, and nothing else of the page changes."""

from __future__ import annotations

import pytest

from analysis.discovery.bench.tables import BEGIN, END, written_into

NAMES = ("no filter", "filter 50%", "filter 10%", "filter 1%", "one genre of ten")


def result(rows: int, *, query_ms: float) -> dict:
    """What a measurement of one catalogue writes, without the web server."""
    search = [
        {"name": name, "recall_at_10": 0.9987, "query_p95_ms": query_ms, "p95_ms": 20.04}
        for name in NAMES
    ]
    return {
        "rows": rows,
        "index": {"seconds": 121.6, "build_peak_mb": 1082},
        "bytes": {"table": 43_130_880, "hnsw": 57_012_224, "other_indexes": 3.3e7},
        "search": search,
        "clients": [{"searches_per_s": 65.2}, {"searches_per_s": 128.4}],
        "memory_mb": 93,
    }


def test_figures_go_between_the_marks():
    page = f"before\n\n{BEGIN}\nold figures\n{END}\n\nafter\n"
    results = [result(10_000, query_ms=3.44), result(1_000_000, query_ms=8.76)]
    text = written_into(page, results)
    assert text.startswith("before\n")
    assert text.endswith("after\n")
    assert "old figures" not in text
    lines = text.splitlines()
    assert "|  | 10,000 | 1,000,000 |" in lines
    assert (
        "| all pass: recall@10; query, search p95 | 0.999; 3.4, 20.0 | 0.999; 8.8, 20.0 |" in lines
    )
    assert "| table, other indexes | 43, 33 | 43, 33 |" in lines
    assert "calls a second" not in text  # the interface was not measured
    assert written_into(text, results) == text


def test_a_page_without_marks_is_left_alone():
    with pytest.raises(ValueError, match="no place for the tables"):
        written_into(f"{END} {BEGIN}", [])
