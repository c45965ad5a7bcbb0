"""The library: an artist's tracks searched, filtered, sorted and cut into pages.

Other apps add columns, filters and sort orders with :func:`register_facet`; the catalogue does not
know them. However many tracks a page has, it takes the same number of queries.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from django.core.paginator import Page, Paginator
from django.db.models import Count, Exists, F, OuterRef, Prefetch, Q, QuerySet, Subquery
from django.http import Http404

from catalog.models import Artist, Revision, Track
from catalog.selectors import albums_of

PAGE_SIZE = 50
DEFAULT_SORT = "-added"
NO_ALBUM = "none"
REFERENCES = "references"
EVERYTHING = "everything"
_MAX_QUERY_LENGTH = 200

Tracks = QuerySet[Track]


def _unchanged(tracks: Tracks) -> Tracks:
    return tracks


@dataclass(frozen=True)
class Facet:
    """Something known about tracks that the library can show, filter by or sort by.

    Attributes
    ----------
    name : stands in the address: ``?genre=jazz``, ``?sort=genre``.
    label : heading of the column and of the filter.
    annotate : adds what ``sort_field`` and the cell need. ``current_revision_id`` and
        ``current_sha256`` are annotated already and can be referred to with ``OuterRef``.
    choices : the values of the filter for an artist, as (value, label); None for no filter.
    filter : narrows the tracks to one value. Unknown values should give no tracks, not an error.
    sort_field : annotated field to sort by; empty for no sorting.
    cell_template : template of a table cell's content; has ``track``; empty for no column.
    attach : is given the tracks of one page to hang further things on, in a fixed number of
        queries.
    """

    name: str
    label: str
    annotate: Callable[[Tracks], Tracks] = _unchanged
    choices: Callable[[Artist], Sequence[tuple[str, str]]] | None = None
    filter: Callable[[Tracks, str], Tracks] | None = None
    sort_field: str = ""
    cell_template: str = ""
    attach: Callable[[Sequence[Track]], None] | None = None


_facets: dict[str, Facet] = {}


def register_facet(facet: Facet) -> None:
    """Add ``facet`` to the library, or replace the one of that name."""
    _facets[facet.name] = facet


def facets() -> list[Facet]:
    """All registered facets, in the order of their registration."""
    return list(_facets.values())


def table_facets() -> list[Facet]:
    """The facets that have a column in the table."""
    return [facet for facet in facets() if facet.cell_template]


@dataclass(frozen=True)
class Column:
    """A heading of the table: ``sort`` is the value of ``?sort=`` that a click on it gives."""

    label: str
    sort: str = ""
    aria_sort: str = ""
    name: str = ""


@dataclass(frozen=True)
class Choice:
    """A filter: its name in the address, its values and the chosen one."""

    name: str
    label: str
    options: Sequence[tuple[str, str]]
    value: str
    empty_label: str = "All"


@dataclass(frozen=True)
class LibraryPage:
    """One page of the library and everything the table around it needs."""

    page_obj: Page[Track]
    columns: Sequence[Column]
    filters: Sequence[Choice]
    facets: Sequence[Facet]
    query: str
    sort: str
    narrowed: bool
    total: int
    has_references: bool
    tracks: Sequence[Track] = field(default_factory=tuple)


_SORTS: dict[str, tuple[str, ...]] = {
    "title": ("title", "version"),
    "album": ("album__title", "position"),
    "added": ("created_at",),
    "duration": ("duration_s",),
}


def library_page(artist: Artist, parameters: Mapping[str, str]) -> LibraryPage:
    """The page that the address asks for: ``q``, ``album``, ``sort``, ``page`` and the facets'
    names. Whatever is malformed is ignored."""
    query = parameters.get("q", "").replace("\0", "").strip()[:_MAX_QUERY_LENGTH]
    shown = _references_choice(artist, parameters)
    tracks = _annotated(artist)
    if shown is None or shown.value != EVERYTHING:
        tracks = tracks.filter(is_reference=shown is not None and shown.value == REFERENCES)
    if query:
        tracks = _search(tracks, query)
    filters, narrowed = [], bool(query)
    if shown is not None:
        filters.append(shown)
        narrowed = narrowed or bool(shown.value)
    for choice, narrow in _filters(artist, parameters):
        filters.append(choice)
        if choice.value:
            tracks = narrow(tracks, choice.value)
            narrowed = True
    sort = parameters.get("sort", "") or DEFAULT_SORT
    if sort.removeprefix("-") not in _sort_fields():
        sort = DEFAULT_SORT
    tracks = tracks.order_by(*_order(sort), "pk")
    page = Paginator(tracks, PAGE_SIZE).get_page(parameters.get("page"))
    rows = list(page.object_list)
    page.object_list = rows
    _attach(rows)
    return LibraryPage(
        page_obj=page,
        columns=_columns(sort),
        filters=filters,
        facets=table_facets(),
        query=query,
        sort=sort,
        narrowed=narrowed,
        has_references=shown is not None,
        total=page.paginator.count,
        tracks=rows,
    )


def library_row(artist: Artist, track_id: UUID) -> Track:
    """One track with everything that a row of the library shows. Raises Http404."""
    track = _annotated(artist).filter(pk=track_id).first()
    if track is None:
        raise Http404
    _attach([track])
    return track


def _annotated(artist: Artist) -> Tracks:
    newest = Revision.objects.filter(track=OuterRef("pk")).order_by("-number")
    tracks: Tracks = (
        Track.objects.filter(artist=artist)
        .select_related("album", "artist")
        .annotate(
            current_revision_id=Subquery(newest.values("pk")[:1]),
            current_sha256=Subquery(newest.values("content_sha256")[:1]),
            duration_s=Subquery(newest.values("duration_s")[:1]),
        )
    )
    for facet in facets():
        tracks = facet.annotate(tracks)
    return tracks.prefetch_related(
        Prefetch("revisions", Revision.objects.order_by("-number"), to_attr="all_revisions")
    )


def _attach(rows: Sequence[Track]) -> None:
    for track in rows:
        revisions: list[Revision] = track.all_revisions  # type: ignore[attr-defined]
        track.current = revisions[0] if revisions else None  # type: ignore[attr-defined]
    for facet in facets():
        if facet.attach is not None:
            facet.attach(rows)


def _search(tracks: Tracks, query: str) -> Tracks:
    """Every word must occur in title, version, album or the name of a file."""
    for word in query.split():
        named = Revision.objects.filter(track=OuterRef("pk"), original_name__icontains=word)
        tracks = tracks.filter(
            Q(title__icontains=word)
            | Q(version__icontains=word)
            | Q(album__title__icontains=word)
            | Exists(named)
        )
    return tracks


def _references_choice(artist: Artist, parameters: Mapping[str, str]) -> Choice | None:
    """Whether references by others are shown; None for an artist who has none. Without a choice
    the library is the artist's own music."""
    if not artist.tracks.filter(is_reference=True).exists():
        return None
    options = [(REFERENCES, "References by others"), (EVERYTHING, "Both")]
    value = parameters.get("show", "")
    return Choice("show", "Show", options, value if value in dict(options) else "", "My music")


def _filters(
    artist: Artist, parameters: Mapping[str, str]
) -> list[tuple[Choice, Callable[[Tracks, str], Tracks]]]:
    albums = [(str(album.pk), album.title) for album in albums_of(artist)]
    options = [*albums, (NO_ALBUM, "In no album")]
    value = parameters.get("album", "")
    found: list[tuple[Choice, Callable[[Tracks, str], Tracks]]] = [
        (
            Choice("album", "Album", options, value if value in dict(options) else ""),
            lambda tracks, chosen: tracks.filter(
                album=None if chosen == NO_ALBUM else UUID(chosen)
            ),
        )
    ]
    for facet in facets():
        if facet.choices is not None and facet.filter is not None:
            values = list(facet.choices(artist))
            value = parameters.get(facet.name, "")
            found.append(
                (
                    Choice(facet.name, facet.label, values, value if value in dict(values) else ""),
                    facet.filter,
                )
            )
    return found


def _sort_fields() -> dict[str, tuple[str, ...]]:
    return {**_SORTS, **{f.name: (f.sort_field,) for f in facets() if f.sort_field}}


def _order(sort: str) -> list[Any]:
    """Unknown values come last in either direction."""
    names = _sort_fields()[sort.removeprefix("-")]
    if sort.startswith("-"):
        return [F(name).desc(nulls_last=True) for name in names]
    return [F(name).asc(nulls_last=True) for name in names]


def _columns(sort: str) -> list[Column]:
    columns = [_column("Title", "title", sort), _column("Album", "album", sort)]
    columns.append(_column("Length", "duration", sort))
    for facet in table_facets():
        name = facet.name if facet.sort_field else ""
        columns.append(_column(facet.label, name, sort, facet.name))
    columns.append(_column("Added", "added", sort))
    return columns


def _column(label: str, name: str, sort: str, facet: str = "") -> Column:
    if not name:
        return Column(label, name=facet)
    if sort.removeprefix("-") != name:
        return Column(label, sort=f"-{name}" if name == "added" else name, name=facet)
    descending = sort.startswith("-")
    return Column(
        label,
        sort=name if descending else f"-{name}",
        aria_sort="descending" if descending else "ascending",
        name=facet,
    )


def chosen_tracks(artist: Artist, ids: Sequence[str]) -> Tracks:
    """The artist's own tracks among ``ids``; anything else is left out."""
    valid = []
    for text in ids:
        try:
            valid.append(UUID(text))
        except ValueError:
            continue
    return Track.objects.filter(artist=artist, pk__in=valid)


def track_counts(artist: Artist) -> dict[str, int]:
    """How many tracks, references by others, albums and versions an artist has."""
    return Artist.objects.filter(pk=artist.pk).aggregate(
        # Before "tracks" is the name of a sum.
        references=Count("tracks", distinct=True, filter=Q(tracks__is_reference=True)),
        tracks=Count("tracks", distinct=True, filter=Q(tracks__is_reference=False)),
        albums=Count("albums", distinct=True),
        revisions=Count("revisions", distinct=True),
    )
