"""What the catalogue offers to choose from but does not itself know.

Whoever knows the genres registers them when the site starts.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

Choices = Sequence[tuple[str, str]]

_genres: list[Callable[[], Choices]] = []


def register_genres(function: Callable[[], Choices]) -> None:
    """Make ``function`` the source of genres: (stored value, name for people) pairs."""
    _genres[:] = [function]


def genre_choices() -> list[tuple[str, str]]:
    """The genres that a mix can be judged against; empty while nobody has registered any."""
    return list(_genres[0]()) if _genres else []
