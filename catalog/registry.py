"""What the catalogue offers to choose from, or shows on its pages, but does not itself know.

Whoever knows the genres, or has something to say about an album, registers it when the site starts.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from catalog.models import Album, Artist

Choices = Sequence[tuple[str, str]]

_genres: list[Callable[[], Choices]] = []
_own_targets: list[Callable[[Artist], Choices]] = []


def register_genres(function: Callable[[], Choices]) -> None:
    """Make ``function`` the source of genres: (stored value, name for people) pairs."""
    _genres[:] = [function]


def genre_choices() -> list[tuple[str, str]]:
    """The genres that a mix can be judged against; empty while nobody has registered any."""
    return list(_genres[0]()) if _genres else []


def register_own_targets(function: Callable[[Artist], Choices]) -> None:
    """Make ``function`` the source of an artist's own targets, as (stored value, name) pairs."""
    _own_targets[:] = [function]


def target_choices(artist: Artist) -> list[tuple[str, str | Choices]]:
    """Everything that an artist's mixes can be judged against by default: the genres and, in a
    group of their own, the artist's targets."""
    own = list(_own_targets[0](artist)) if _own_targets and artist.pk else []
    if not own:
        return [*genre_choices()]
    return [("Genres", genre_choices()), ("My targets", own)]


@dataclass(frozen=True)
class AlbumSection:
    """A part of the album page: its template, static stylesheet, and what the template needs."""

    template: str
    stylesheet: str
    context: Callable[[Album], dict[str, Any]]


_album_sections: dict[str, AlbumSection] = {}


def register_album_section(section: AlbumSection) -> None:
    """Show ``section`` below the tracks of every album; once per template."""
    _album_sections[section.template] = section


def album_sections(album: Album) -> list[dict[str, Any]]:
    """Template, stylesheet and context of every registered section, for one album."""
    return [
        {
            "template": section.template,
            "stylesheet": section.stylesheet,
            "context": section.context(album),
        }
        for section in _album_sections.values()
    ]
