"""Reads of the pool: its figures, its runs, its clips."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from django.core.paginator import Page, Paginator
from django.db.models import Count, F, Q, QuerySet, Sum

from analysis.background import WorkState
from analysis.labels.models import ClipState, PoolRun, VocalTake, VoiceClip
from catalog.models import Artist

CLIPS_A_PAGE = 40
LISTED_SINGERS = 500
_OF_ARTIST = re.compile(r"^artist-(\d{1,9})$")


@dataclass(frozen=True)
class PoolFigures:
    """What is in the pool: ``clips`` to be labelled, by how many ``singers``, how long together;
    ``held_out`` of them only compare models. ``duplicates`` and ``unusable`` stand beside."""

    clips: int
    singers: int
    hours: float
    held_out: int
    held_out_singers: int
    labelled: int
    duplicates: int
    unusable: int
    predicted: int

    def as_dict(self) -> dict[str, float]:
        """The figures by name, as the command prints them."""
        return dict(vars(self))


def pool_figures() -> PoolFigures:
    """The figures of the whole pool."""
    pool = Q(state=ClipState.POOL)
    held_out = pool & Q(is_held_out=True)
    found = VoiceClip.objects.aggregate(
        clips=Count("pk", filter=pool),
        singers=Count("singer", filter=pool, distinct=True),
        seconds=Sum(F("end_s") - F("start_s"), filter=pool),
        held_out=Count("pk", filter=held_out),
        held_out_singers=Count("singer", filter=held_out, distinct=True),
        labelled=Count("pk", filter=pool & Q(votes__gt=0)),
        duplicates=Count("pk", filter=Q(state=ClipState.DUPLICATE)),
        unusable=Count("pk", filter=Q(state=ClipState.UNUSABLE)),
        predicted=Count("pk", filter=pool & ~Q(predicted_by="")),
    )
    seconds = found.pop("seconds") or 0.0
    return PoolFigures(hours=round(seconds / 3_600.0, 3), **found)


@dataclass(frozen=True)
class RunOnPage:
    """A run and what a page says of it. ``share_percent`` is of its tracks."""

    run: PoolRun
    is_open: bool
    is_waiting_for_stems: bool
    share_percent: int | None
    figures: list[tuple[str, int]]


_FIGURES = (
    ("clips", "new clips"),
    ("duplicates", "near-duplicates"),
    ("identical", "the same sound"),
    ("without_singing", "without singing"),
    ("takes", "dry takes"),
    ("stemless", "without stems"),
    ("failed", "could not be read"),
    ("predicted", "heard by the model"),
)


def on_page(run: PoolRun) -> RunOnPage:
    """What a page says of a run."""
    counts = run.counts
    tracks = counts.get("tracks", 0)
    done = counts.get("cut", 0) + counts.get("stemless", 0)
    return RunOnPage(
        run=run,
        is_open=not run.is_over,
        is_waiting_for_stems=run.state == WorkState.QUEUED and bool(counts.get("waiting")),
        share_percent=round(100 * done / tracks) if tracks else None,
        figures=[(label, counts[name]) for name, label in _FIGURES if counts.get(name)],
    )


def latest_runs(limit: int = 8) -> list[PoolRun]:
    """The newest runs."""
    return list(PoolRun.objects.select_related("created_by").order_by("-created_at")[:limit])


@dataclass(frozen=True)
class ClipFilter:
    """What the list of clips is narrowed to; empty strings narrow nothing."""

    singer: str = ""
    state: str = ""
    held_out: str = ""
    labelled: str = ""

    @classmethod
    def of(cls, asked: Mapping[str, str]) -> ClipFilter:
        """From an address; whatever is malformed is ignored."""
        state = asked.get("state", "")
        return cls(
            singer=asked.get("singer", "").replace("\0", "")[:200],
            state=state if state in ClipState.values else "",
            held_out=_yes_or_no(asked.get("held_out", "")),
            labelled=_yes_or_no(asked.get("labelled", "")),
        )

    @property
    def is_narrow(self) -> bool:
        """Whether it leaves anything out."""
        return any(vars(self).values())


def clips_page(narrow: ClipFilter, number: str | None) -> Page[VoiceClip]:
    """One page of clips, the newest first, with their singers' names as ``singer_name``."""
    clips = VoiceClip.objects.select_related(
        "artist", "revision__track", "take", "duplicate_of__revision__track"
    ).order_by("-created_at", "name")
    if narrow.singer:
        clips = clips.filter(singer=narrow.singer)
    if narrow.state:
        clips = clips.filter(state=narrow.state)
    if narrow.held_out:
        clips = clips.filter(is_held_out=narrow.held_out == "yes")
    if narrow.labelled:
        clips = clips.filter(votes__gt=0) if narrow.labelled == "yes" else clips.filter(votes=0)
    page = Paginator(clips, CLIPS_A_PAGE).get_page(number)
    rows = list(page.object_list)
    names = singer_names(row.singer for row in rows)
    for row in rows:
        row.singer_name = names[row.singer]  # type: ignore[attr-defined]
    page.object_list = rows
    return page


def singers() -> list[tuple[str, str, int]]:
    """(singer, name for people, clips) of everybody who has clips, most clips first."""
    counted = list(
        VoiceClip.objects.values("singer")
        .annotate(clips=Count("pk"))
        .order_by("-clips", "singer")
        .values_list("singer", "clips")[:LISTED_SINGERS]
    )
    names = singer_names(singer for singer, _ in counted)
    return [(singer, names[singer], clips) for singer, clips in counted]


def singer_names(found: Iterable[str]) -> dict[str, str]:
    """Names for people of what clips are split by."""
    wanted = set(found)
    ids = {int(match[1]): singer for singer in wanted if (match := _OF_ARTIST.match(singer))}
    names = {singer: singer for singer in wanted}
    for pk, name in Artist.objects.filter(pk__in=ids).values_list("pk", "name"):
        names[ids[pk]] = name
    return names


def clips_of(artist: Artist) -> QuerySet[VoiceClip]:
    """An artist's clips, by song and time."""
    return (
        VoiceClip.objects.filter(artist=artist)
        .select_related("revision__track", "take")
        .order_by("revision__track__title", "revision__track", "take__created_at", "start_s")
    )


def takes_of(artist: Artist | None) -> QuerySet[VocalTake]:
    """An artist's takes; None for those of singers without an account."""
    return (
        VocalTake.objects.filter(artist=artist)
        .select_related("cut", "uploaded_by")
        .annotate(clip_count=Count("clips"))
        .order_by("-created_at")
    )


def consenting_artists() -> QuerySet[Artist]:
    """Artists who allow training as a whole, with ``allowed``: how many tracks they allow."""
    allowed = Count("tracks", filter=Q(tracks__may_train=True, tracks__is_reference=False))
    return Artist.objects.filter(may_train=True).annotate(allowed=allowed).order_by("name", "pk")


def _yes_or_no(text: str) -> str:
    return text if text in ("yes", "no") else ""


def summary(run: PoolRun) -> dict[str, Any]:
    """A run and the pool under stable names, for scripts."""
    counts = {
        name: int(run.counts.get(name, 0))
        for name in (
            "tracks", "cut", "waiting", "stemless", "takes", "clips", "duplicates", "identical",
            "without_singing", "failed", "predicted",
        )
    }  # fmt: skip
    return {
        "run": str(run.pk),
        "state": run.state,
        "reason": run.reason,
        **counts,
        "pool": pool_figures().as_dict(),
    }
