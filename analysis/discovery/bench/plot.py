"""Growth of time and recall with the catalogue, drawn as SVG. No Django here."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

_WIDTH, _HEIGHT = 720, 360
_LEFT, _RIGHT, _TOP, _BOTTOM = 64, 24, 60, 48
_LINE = 13.0
_SERIES = (
    ("no filter", "#2563eb"),
    ("filter 50%", "#0d9488"),
    ("filter 10%", "#d97706"),
    ("filter 1%", "#dc2626"),
)


def growth_svg(results: Sequence[dict[str, Any]]) -> str:
    """Median and 95th percentile of the query in milliseconds over the number of tracks, both axes
    logarithmic; the recall stands beside each point."""
    rows = [result["rows"] for result in results]
    times = [
        figure[name]
        for result in results
        for figure in result["search"]
        for name in ("query_p50_ms", "query_p95_ms")
    ]
    low, high = 10 ** math.floor(math.log10(min(times))), 10 ** math.ceil(math.log10(max(times)))
    first, last = math.log10(min(rows)), math.log10(max(rows)) or 1.0

    def x_of(count: int) -> float:
        share = 0.5 if last == first else (math.log10(count) - first) / (last - first)
        return _LEFT + 30 + share * (_WIDTH - _LEFT - _RIGHT - 150)

    def y_of(ms: float) -> float:
        share = (math.log10(ms) - math.log10(low)) / (math.log10(high) - math.log10(low))
        return _HEIGHT - _BOTTOM - share * (_HEIGHT - _TOP - _BOTTOM)

    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {_HEIGHT}" '
        'font-family="system-ui, sans-serif" font-size="12" role="img">',
        "<title>Time of a similarity query over the size of the catalogue</title>",
        f'<rect width="{_WIDTH}" height="{_HEIGHT}" fill="#ffffff"/>',
        f'<text x="{_LEFT}" y="22" fill="#111827">Query, ms: median (line), 95th percentile '
        "(dots); recall@10 beside it</text>",
    ]
    decade = low
    while decade <= high:
        y = y_of(decade)
        parts.append(
            f'<line x1="{_LEFT}" x2="{_WIDTH - _RIGHT}" y1="{y:.1f}" y2="{y:.1f}" '
            'stroke="#e5e7eb"/>'
            f'<text x="{_LEFT - 8}" y="{y + 4:.1f}" text-anchor="end" fill="#374151">'
            f"{decade:g}</text>"
        )
        decade *= 10
    for count in rows:
        parts.append(
            f'<text x="{x_of(count):.1f}" y="{_HEIGHT - 20}" text-anchor="middle" fill="#374151">'
            f"{count:,} tracks</text>"
        )
    labels: dict[int, list[tuple[float, str, str]]] = {}
    for place, (name, colour) in enumerate(_SERIES):
        figures = [
            next(figure for figure in result["search"] if figure["name"] == name)
            for result in results
        ]
        line = " ".join(
            f"{x_of(count):.1f},{y_of(figure['query_p50_ms']):.1f}"
            for count, figure in zip(rows, figures, strict=True)
        )
        parts.append(f'<polyline points="{line}" fill="none" stroke="{colour}" stroke-width="2"/>')
        for count, figure in zip(rows, figures, strict=True):
            x, y = x_of(count), y_of(figure["query_p95_ms"])
            parts.append(f'<circle cx="{x:.1f}" cy="{y:.1f}" r="4" fill="{colour}"/>')
            labels.setdefault(count, []).append((y, colour, f"{figure['recall_at_10']:.3f}"))
        parts.append(
            f'<text x="{_LEFT + 96 * place}" y="{_TOP - 18}" fill="{colour}">'
            f"{name.replace('%', ' %')}</text>"
        )
    for count, beside in labels.items():
        lowest = 0.0
        for y, colour, text in sorted(beside):
            lowest = max(lowest + _LINE, y + 4)  # none on top of another
            parts.append(
                f'<text x="{x_of(count) + 8:.1f}" y="{lowest:.1f}" fill="{colour}">{text}</text>'
            )
    return "\n".join([*parts, "</svg>\n"])
