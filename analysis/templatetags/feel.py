"""Tags of the feature meters: a feature beside the tracks of the reference corpus, in words."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django import template

register = template.Library()

# For each feature: what more of it is, and what less of it is.
COMPARISONS = {
    "energy": ("More energetic", "Calmer"),
    "danceability": ("More danceable", "Less danceable"),
    "acousticness": ("More acoustic", "More electronic"),
    "valence": ("Brighter in mood", "Darker in mood"),
}

_SMALL = ("no", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten")


@register.filter
def compared(document: Mapping[str, Any], name: str) -> str:
    """``More energetic than 83 % of the reference``; empty for a report without percentiles.

    Whatever lies in the lower half is said from the other side: ``Calmer than 83 %``. Nothing is
    said to lie above all of the reference, or below it.
    """
    percentile = (document.get("feature_percentiles") or {}).get(name)
    if percentile is None:
        return ""
    more, less = COMPARISONS[name]
    word, share = (more, percentile) if percentile >= 50 else (less, 100 - percentile)
    return f"{word} than {min(99, round(share))}\u00a0% of the reference"


@register.filter
def reference_note(document: Mapping[str, Any]) -> str:
    """What the reference is; empty for a report without percentiles."""
    about = document.get("feature_reference")
    if not about or not document.get("feature_percentiles"):
        return ""
    genres = about["genres"]
    count = _SMALL[genres] if genres < len(_SMALL) else str(genres)
    return (
        f"The reference is {about['corpus']}: {about['tracks']} tracks of {count} "
        f"genre{'' if genres == 1 else 's'}."
    )
