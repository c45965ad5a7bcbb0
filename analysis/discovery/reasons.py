"""Why two tracks sound alike, in words made from what was measured in both. No Django here.

Each kind of reason is a function of two documents that gives a phrase or nothing; the order of
:data:`REASONS` is the order in which they are told.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from analysis.charts import clock
from analysis.discovery.keys import compatible_codes, key_code

SAME_TEMPO_SHARE = 0.04
ALIKE_FEATURE = 0.06
ALIKE_BALANCE_DB = 3.0
ALIKE_STEMS_DB = 3.0
"""A stem's level over the sum of all, in both tracks."""

_HEARD_FROM_DB = -30.0
"""A stem this far below the sum of all is as good as not there."""

CLEAR_TAG = 0.6
"""Probability from which a tag of a voice is named."""

LIKE_SECTION = 99.0
"""Percentile from which sections are said to be alike."""

_STEM_WORDS = {"vocals": "voice", "other": "other instruments"}


@dataclass(frozen=True)
class Heard:
    """What is known of one track: the documents of its report, stems and voice, where it has
    them."""

    report: Mapping[str, Any]
    stems: Mapping[str, Any] | None = None
    voice: Mapping[str, Any] | None = None


def reasons(one: Heard, other: Heard, *, most: int = 4) -> list[str]:
    """What two tracks have in common, as short phrases; empty if nothing can be named."""
    found = [phrase for reason in REASONS for phrase in reason(one, other)]
    return found[:most]


def tempo(one: Heard, other: Heard) -> list[str]:
    """The same tempo, or half or double."""
    a, b = (heard.report["tempo"]["bpm"] for heard in (one, other))
    if not a or not b:
        return []
    if abs(a - b) <= SAME_TEMPO_SHARE * a:
        return [f"same tempo, {b:.0f} BPM"]
    if min(abs(a - 2 * b) / a, abs(2 * a - b) / b) <= SAME_TEMPO_SHARE:
        return ["tempo at half or double time"]
    return []


def key(one: Heard, other: Heard) -> list[str]:
    """The same key, or one that mixes with it."""
    a, b = (
        key_code(heard.report["key"].get("tonic"), heard.report["key"].get("mode"))
        for heard in (one, other)
    )
    if a is None or b is None:
        return []
    name = f"{other.report['key']['tonic']} {other.report['key']['mode']}"
    if a == b:
        return [f"same key, {name}"]
    if b in compatible_codes(a):
        return [f"its key, {name}, goes with this one"]
    return []


def genre(one: Heard, other: Heard) -> list[str]:
    """The same genre, where the model is sure of both."""
    a, b = one.report["genre"], other.report["genre"]
    both = a.get("decided") and b.get("decided") and a["label"] == b["label"]
    return [f"both heard as {b['label']}"] if both else []


def instrumentation(one: Heard, other: Heard) -> list[str]:
    """What plays in both, where both have stems: which stems are there, and as loud in the mix."""
    a, b = (stem_levels_db(heard.stems) for heard in (one, other))
    if not a or not b:
        return []
    shared = [
        name
        for name in a
        if name in b
        and min(a[name], b[name]) > _HEARD_FROM_DB
        and abs(a[name] - b[name]) <= ALIKE_STEMS_DB
    ]
    if len(shared) < 2:
        return []
    names = [_STEM_WORDS.get(name, name) for name in shared]
    return [f"{', '.join(names[:-1])} and {names[-1]} as loud in the mix"]


def stem_levels_db(stems: Mapping[str, Any] | None) -> dict[str, float]:
    """Level of each stem over the power sum of all, in dB; silent ones are left out."""
    entries: Sequence[Mapping[str, Any]] = (stems or {}).get("stems", ())
    levels = {
        str(entry["name"]): float(entry["level_db"])
        for entry in entries
        if entry.get("level_db") is not None
    }
    if not levels:
        return {}
    total_db = 10.0 * math.log10(sum(10.0 ** (level / 10.0) for level in levels.values()))
    return {name: level - total_db for name, level in levels.items()}


def voice(one: Heard, other: Heard) -> list[str]:
    """Timbre of the voice, where both were listened to: the tags that are clear in both."""
    if one.voice is None or other.voice is None:
        return []
    a, b = one.voice, other.voice
    if not a.get("singing") and not b.get("singing"):
        return ["both without a voice"]
    if not (a.get("singing") and b.get("singing")):
        return []
    shared = [
        name
        for name, tag in a["tags"].items()
        if name in b["tags"]
        and (tag["probability"] or 0.0) >= CLEAR_TAG
        and (b["tags"][name]["probability"] or 0.0) >= CLEAR_TAG
    ]
    return [f"both voices {' and '.join(shared[:2])}"] if shared else []


def feel(one: Heard, other: Heard) -> list[str]:
    """Energy and the other perceptual features."""
    found = []
    for name in ("energy", "acousticness", "danceability", "valence"):
        a, b = (heard.report["features"].get(name) for heard in (one, other))
        if a is not None and b is not None and abs(a - b) <= ALIKE_FEATURE:
            found.append(f"{name} alike")
    return found


def balance(one: Heard, other: Heard) -> list[str]:
    """Tonal balance, band by band."""
    levels = [
        abs(a["level_db"] - b["level_db"])
        for a, b in zip(one.report["mix"]["bands"], other.report["mix"]["bands"], strict=False)
        if a["level_db"] is not None and b["level_db"] is not None
    ]
    if not levels or max(levels) > ALIKE_BALANCE_DB:
        return []
    return [f"tonal balance within {ALIKE_BALANCE_DB:.0f} dB in every band"]


REASONS: tuple[Callable[[Heard, Heard], list[str]], ...] = (
    tempo,
    key,
    genre,
    voice,
    instrumentation,
    feel,
    balance,
)


def section_reason(a_start_s: float, b_start_s: float, percentile: float | None) -> str | None:
    """``"0:40 here is like 1:10 there"`` for the best pair of sections, if it is like enough."""
    if percentile is None or percentile < LIKE_SECTION:
        return None
    return f"{clock(a_start_s)} here is like {clock(b_start_s)} there"
