"""The figures of several catalogues as Markdown tables. No Django here."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import Any

BEGIN, END = "<!-- bench_search -->", "<!-- /bench_search -->"

_PASSES = (
    ("no filter", "all pass"),
    ("filter 50%", "50 % pass"),
    ("filter 10%", "10 % pass"),
    ("filter 1%", "1 % pass"),
    ("one genre of ten", "one genre of ten"),
)
_PACES = (("api", "paced"), ("api_flat_out", "flat out"))

Result = dict[str, Any]


def written_into(text: str, results: Sequence[Result]) -> str:
    """``text`` with both tables between its two marks. Raises ValueError without them."""
    before, begin, rest = text.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not (begin and end):
        raise ValueError(f"there is no place for the tables: {BEGIN} … {END}")
    parts = (growth(results), interface(results))
    return (
        before + begin + "\n\n" + "\n\n".join(part for part in parts if part) + "\n\n" + end + after
    )


def growth(results: Sequence[Result]) -> str:
    """The search: a column for each catalogue; milliseconds and MB."""
    lines = [
        _row("", *(f"{result['rows']:,}" for result in results)),
        "| --- " * (len(results) + 1) + "|",
    ]
    lines += [_row(title, *map(cell, results)) for title, cell in _growth_rows()]
    return "\n".join(lines)


def _growth_rows() -> Iterator[tuple[str, Callable[[Result], str]]]:
    yield (
        "index: seconds to build, memory for it, size",
        lambda r: (
            f"{r['index']['seconds']:.0f} s, {r['index']['build_peak_mb']:,}, "
            f"{_mb(r['bytes']['hnsw'])}"
        ),
    )
    yield (
        "table, other indexes",
        lambda r: f"{_mb(r['bytes']['table'])}, {_mb(r['bytes']['other_indexes'])}",
    )
    for name, words in _PASSES:
        yield f"{words}: recall@10; query, search p95", partial(_search, name=name)
    yield (
        "searches a second, 1 and 8 clients",
        lambda r: ", ".join(f"{line['searches_per_s']:.0f}" for line in r["clients"]),
    )
    yield (
        "page's address, p95: all, 50 %, 10 %, 1 %",
        lambda r: ", ".join(_address(r, name) for name, _ in _PASSES[:4]),
    )
    yield "page's address, 8 clients: requests a second, p95", _address_of_eight
    yield "memory of the database's processes after it", lambda r: f"{r['memory_mb']:,}"


def interface(results: Sequence[Result]) -> str:
    """The partners' interface: two columns for each catalogue; p50 and p95 in milliseconds."""
    measured = [result for result in results if all(key in result for key, _ in _PACES)]
    if not measured:
        return ""
    columns = [(result, key, words) for result in measured for key, words in _PACES]
    head = _row("", *(f"{result['rows']:,} tracks, {words}" for result, _, words in columns))
    names = [name for name in measured[0]["api"] if name != "all"]
    lines = [head, "| --- " * (len(columns) + 1) + "|"]
    for name in (*names, "all"):
        cells = (result[key][name] for result, key, _ in columns)
        lines.append(_row(name, *(f"{c['p50_ms']:.0f}, {c['p95_ms']:.0f}" for c in cells)))
    rates = (result[key]["all"]["calls_per_s"] for result, key, _ in columns)
    lines.append(_row("calls a second", *(f"{rate:.0f}" for rate in rates)))
    return "\n".join(lines)


def _row(*cells: str) -> str:
    return "| " + " | ".join(cells) + " |"


def _search(result: Result, name: str) -> str:
    found = next(figure for figure in result["search"] if figure["name"] == name)
    return f"{found['recall_at_10']:.3f}; {found['query_p95_ms']:.1f}, {found['p95_ms']:.1f}"


def _address(result: Result, name: str) -> str:
    http = result.get("http")
    return "–" if http is None else f"{http[f'HTTP, {name}']['p95_ms']:.0f}"


def _address_of_eight(result: Result) -> str:
    http = result.get("http")
    if http is None:
        return "–"
    found = http["HTTP, 8 clients"]
    return f"{found['requests_per_s']:.0f}, {found['p95_ms']:.0f}"


def _mb(size: float) -> str:
    return f"{size / 1e6:,.0f}"
