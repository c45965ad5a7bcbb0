"""A search as it stands in an address: ``?genre=jazz&tempo_low=90&key=A+minor&limit=20``."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from datetime import date
from typing import Any, Protocol

from analysis.discovery.keys import code_of_name
from analysis.discovery.request import (
    Asker,
    BadRequest,
    Filters,
    SearchRequest,
    Seed,
    Whose,
)

_MOST_VALUES = 30
_LONGEST = 100
_YES_NO = {"yes": True, "no": False}


class Parameters(Protocol):
    """What a request's GET offers."""

    def get(self, name: str, default: str, /) -> Any: ...

    def getlist(self, name: str, /) -> list[str]: ...


def filters_of(given: Parameters) -> Filters:
    """Filters from parameters: ``genre``, ``language`` (both repeatable), ``tempo_low``,
    ``tempo_high``, ``tempo_octaves``, ``key``, ``key_exact``, ``energy_low``, ``energy_high``,
    ``instrumental`` (yes or no), ``released_from``, ``released_to`` (ISO dates), ``whose``.

    Raises BadRequest, in words.
    """
    key = _text(given, "key")
    code = code_of_name(key) if key else None
    if key and code is None:
        raise BadRequest(f"{key!r} is no key: write “A minor” or “F# major”.")
    return Filters(
        genres=_texts(given, "genre"),
        tempo_bpm=_range(given, "tempo"),
        tempo_octaves=flag(given, "tempo_octaves"),
        key_code=code,
        key_compatible=not flag(given, "key_exact"),
        energy=_range(given, "energy"),
        instrumental=_choice(given, "instrumental", _YES_NO),
        languages=_texts(given, "language"),
        released=_dates(given),
        whose=_choice(given, "whose", {str(one): one for one in Whose}) or Whose.EVERYONE,
    )


def request_of(
    given: Parameters, asker: Asker, seeds: Sequence[Seed], *, limit: int, offset: int
) -> SearchRequest:
    """A search with :func:`filters_of`, ``without_own``, ``without_album`` and ``per_artist`` (0:
    all). Raises BadRequest."""
    return SearchRequest(
        asker=asker,
        seeds=seeds,
        filters=filters_of(given),
        exclude_own=flag(given, "without_own"),
        exclude_same_album=flag(given, "without_album"),
        per_artist=whole_number(given, "per_artist", 0) or None,
        limit=limit,
        offset=offset,
    )


def whole_number(given: Parameters, name: str, default: int) -> int:
    """A parameter that is a whole number. Raises BadRequest."""
    text = _text(given, name)
    if not text:
        return default
    if not text.isascii() or not text.isdigit() or len(text) > 6:
        raise BadRequest(f"{name} must be a whole number.")
    return int(text)


def flag(given: Parameters, name: str) -> bool:
    """Whether a parameter is yes. Raises BadRequest."""
    return bool(_choice(given, name, {**_YES_NO, "1": True, "0": False, "on": True}))


def _text(given: Parameters, name: str) -> str:
    text = str(given.get(name, "")).strip()
    if "\0" in text or len(text) > _LONGEST:
        raise BadRequest(f"{name} cannot be read.")
    return text


def _texts(given: Parameters, name: str) -> tuple[str, ...]:
    values = [value.strip() for value in given.getlist(name) if value.strip()]
    if len(values) > _MOST_VALUES or any("\0" in v or len(v) > _LONGEST for v in values):
        raise BadRequest(f"{name} cannot be read.")
    return tuple(values)


def _choice(given: Parameters, name: str, choices: Mapping[str, Any]) -> Any:
    text = _text(given, name)
    if text and text not in choices:
        raise BadRequest(f"{name} must be one of: {', '.join(choices)}.")
    return choices.get(text)


def _number(given: Parameters, name: str) -> float | None:
    text = _text(given, name)
    if not text:
        return None
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not math.isfinite(value) or abs(value) > 1e6:
        raise BadRequest(f"{name} must be a number.")
    return value


def _range(given: Parameters, name: str) -> tuple[float | None, float | None] | None:
    low, high = _number(given, f"{name}_low"), _number(given, f"{name}_high")
    if low is not None and high is not None and low > high:
        raise BadRequest(f"{name}_low is above {name}_high.")
    return None if low is None and high is None else (low, high)


def _dates(given: Parameters) -> tuple[date | None, date | None] | None:
    ends = []
    for name in ("released_from", "released_to"):
        text = _text(given, name)
        try:
            ends.append(date.fromisoformat(text) if text else None)
        except ValueError:
            raise BadRequest(f"{name} must be a date like 2024-05-31.") from None
    return None if ends == [None, None] else (ends[0], ends[1])
