"""What the page of similar tracks was asked for, as it stands in its address.

``?add=track-UUID&less=album-UUID&genre=jazz&page=2``: seeds to add and to take away (tracks,
albums, artists, snippets), and the filters of :mod:`analysis.discovery.parameters`.
"""

from __future__ import annotations

import uuid

from analysis.discovery import parameters
from analysis.discovery.parameters import Parameters
from analysis.discovery.request import (
    DEEPEST,
    MOST_SEEDS,
    Asker,
    BadRequest,
    SearchRequest,
    Seed,
    SeedKind,
)

PAGE_SIZE = 20
_KINDS = {str(k): k for k in (SeedKind.TRACK, SeedKind.ALBUM, SeedKind.ARTIST, SeedKind.SNIPPET)}


def name_of(seed: Seed) -> str:
    """A seed as it stands in an address: ``track-UUID``."""
    return f"{seed.kind}-{seed.id}"


def seed_named(name: str, weight: float) -> Seed:
    """The seed of ``track-UUID`` or ``artist-7``. Raises BadRequest."""
    kind, _, text = name.partition("-")
    known = _KINDS.get(kind)
    if known is None:
        raise BadRequest("That is nothing to start from.")
    try:
        if known != SeedKind.ARTIST:
            return Seed(known, uuid.UUID(text), weight)
    except ValueError:
        raise BadRequest("That is nothing to start from.") from None
    if not (text.isascii() and text.isdigit() and len(text) <= 9):
        raise BadRequest("That is nothing to start from.")
    return Seed(known, int(text), weight)


def seeds_of(given: Parameters) -> list[Seed]:
    """The seeds of an address, added ones first; each once. Raises BadRequest."""
    found: dict[str, Seed] = {}
    for parameter, weight in (("add", 1.0), ("less", -1.0)):
        for name in given.getlist(parameter):
            seed = seed_named(name.strip(), weight)
            found.setdefault(name_of(seed), seed)
    if len(found) > MOST_SEEDS:
        raise BadRequest(f"Start from at most {MOST_SEEDS} things.")
    return list(found.values())


def page_of(given: Parameters) -> int:
    """The number of the page, from 1. Raises BadRequest."""
    page = parameters.whole_number(given, "page", 1)
    if not 1 <= page <= DEEPEST // PAGE_SIZE:
        raise BadRequest(f"Only the first {DEEPEST} tracks can be listed.")
    return page


def request_of(given: Parameters, asker: Asker, seeds: list[Seed]) -> SearchRequest:
    """The search of an address. Raises BadRequest."""
    offset = (page_of(given) - 1) * PAGE_SIZE
    return parameters.request_of(given, asker, seeds, limit=PAGE_SIZE, offset=offset)
