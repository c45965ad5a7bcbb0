"""What the audition of a report needs: its moves, numbers for the browser, links that keep them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django import template
from django.template.context import Context
from django.utils.http import urlencode

from analysis.equaliser_chart import EqualiserChart, equaliser_chart
from analysis.mixing.moves import AdvisedMove, moves_of

register = template.Library()


@register.simple_tag
def advised_moves(document: Mapping[str, Any]) -> list[AdvisedMove]:
    """The equaliser moves of a report; none where it has no spectrum to match the loudness by."""
    if not (document.get("spectrum") or {}).get("frequencies_hz"):
        return []
    return moves_of(document.get("mix") or {})


@register.simple_tag
def advised_curve(document: Mapping[str, Any]) -> EqualiserChart:
    """The curve of all moves together."""
    moves = moves_of(document["mix"])
    return equaliser_chart(moves, sample_rate=int(document["file"]["sample_rate"]))


@register.filter
def audition_data(document: Mapping[str, Any]) -> dict[str, Any]:
    """The numbers that the browser filters and matches loudness by (static/js/audition.js)."""
    spectrum = document["spectrum"]
    return {
        "sample_rate": document["file"]["sample_rate"],
        "true_peak_dbtp": document["loudness"]["true_peak_dbtp"],
        "spectrum": {name: spectrum[name] for name in ("frequencies_hz", "levels_db")},
        "moves": [
            {
                "key": move.key,
                "type": move.type,
                "freq_hz": move.freq_hz,
                "q": move.q,
                "gain_db": move.gain_db,
            }
            for move in moves_of(document["mix"])
        ],
    }


@register.simple_tag(takes_context=True)
def page_query(context: Context) -> str:
    """``?revision=…&target=…`` as the page itself was asked for, or nothing."""
    asked = context["request"].GET
    kept = {name: asked[name] for name in ("revision", "target") if asked.get(name)}
    return f"?{urlencode(kept)}" if kept else ""
