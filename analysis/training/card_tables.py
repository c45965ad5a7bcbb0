"""Markdown for model cards: tables, figures and wrapped paragraphs."""

from __future__ import annotations

import textwrap
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

WIDTH = 100


def paragraph(*pieces: str, indent: str = "") -> str:
    """Pieces joined and wrapped; lines after the first begin with ``indent``."""
    text = " ".join(piece for piece in pieces if piece)
    return textwrap.fill(
        text,
        WIDTH,
        subsequent_indent=indent,
        break_long_words=False,
        break_on_hyphens=False,
    )


def table(heads: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A Markdown table."""
    lines = [heads, ["---"] * len(heads), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def figure(value: float | None) -> str:
    """A figure with three decimals; a dash for what is not known."""
    return "–" if value is None or value != value else f"{value:.3f}"


def share(value: float) -> str:
    """A share in percent."""
    return f"{100 * value:.0f} %"


def interval(value: Mapping[str, Any], *, signed: bool = False) -> str:
    """A mean with its 95 % interval; a dash for what is not known."""
    if figure(value["mean"]) == figure(None):
        return figure(None)
    form = "{:+.3f}" if signed else "{:.3f}"
    mean, low, high = (form.format(value[key]) for key in ("mean", "low", "high"))
    return f"{mean} ({low} to {high})"


def words(name: str) -> str:
    """A name from code as words: ``mfcc_statistics`` is "mfcc statistics"."""
    return name.replace("_", " ")
