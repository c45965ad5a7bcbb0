"""Reads of the page of similar tracks: what can be started from, and what the hits are like."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any
from uuid import UUID

import numpy as np
from django.db.models import Exists, OuterRef, Q, QuerySet
from django.urls import reverse

from analysis.discovery import sections
from analysis.discovery.gallery_models import PairFeedback
from analysis.discovery.gallery_request import name_of
from analysis.discovery.models import SearchEntry, Snippet
from analysis.discovery.request import Asker, SearchRequest, Seed, SeedKind
from analysis.discovery.search import Hit, search_page
from analysis.discovery.sections import SectionMatch
from analysis.discovery.seeds import SeedNotFound, direction, startable, visible
from analysis.discovery.why import measured_reasons
from analysis.models import Embedding, Report
from catalog.models import Album, Artist, Revision, Track
from catalog.selectors import current_revisions

MOST_CHOICES = 12
LEAST_SECTION_PERCENTILE = 95.0
"""Pairs of sections that are less alike than this are not offered to be played."""

_LEAST_VOLUME = 0.05


@dataclass(frozen=True)
class Chip:
    """A seed as people see it; ``name`` is how it stands in the address."""

    seed: Seed
    title: str
    by: str
    kind: str

    @property
    def name(self) -> str:
        return name_of(self.seed)

    @property
    def is_added(self) -> bool:
        return self.seed.weight > 0


@dataclass(frozen=True)
class Side:
    """One of two sections that are played against each other. ``volume`` (0..1] turns the louder
    track down to the quieter one's loudness."""

    title: str
    audio_url: str
    start_s: float
    end_s: float
    volume: float


@dataclass(frozen=True)
class Pair:
    """Two sections that are alike."""

    ours: Side
    theirs: Side
    percentile: float | None


@dataclass(frozen=True)
class Found:
    """A hit with what the page says of it. ``base`` is the track that it is compared with: of the
    tracks that were added, the one that it lies nearest to."""

    hit: Hit
    base: Revision | None = None
    reasons: list[str] = field(default_factory=list)
    pairs: list[Pair] = field(default_factory=list)
    verdict: str = ""

    @property
    def audio_url(self) -> str:
        return reverse("revision_audio", args=[self.hit.revision.pk])


@dataclass(frozen=True)
class Page:
    """A page of hits."""

    found: list[Found]
    has_more: bool
    model_version: str


def chips_of(seeds: Sequence[Seed], asker: Asker) -> list[Chip]:
    """Seeds with their names, in their order. Raises SeedNotFound for one that is not there, or
    hidden from the asker."""
    return [_chip(seed, asker) for seed in seeds]


def _chip(seed: Seed, asker: Asker) -> Chip:
    if seed.kind == SeedKind.TRACK:
        track = startable(asker).select_related("artist").filter(pk=seed.id).first()
        if track is not None:
            return Chip(seed, str(track), track.artist.name, "Track")
    elif seed.kind == SeedKind.ALBUM:
        album = albums_to_start_from(asker).filter(pk=seed.id).first()
        if album is not None:
            return Chip(seed, album.title, album.artist.name, "Album")
    elif seed.kind == SeedKind.ARTIST:
        artist = artists_to_start_from(asker).filter(pk=seed.id).first()
        if artist is not None:
            return Chip(seed, artist.name, "", "Artist")
    elif asker.user_id is not None:
        snippet = Snippet.objects.filter(pk=seed.id, created_by=asker.user_id).first()
        if snippet is not None:
            return Chip(seed, snippet.original_name, "", "Snippet")
    raise SeedNotFound(str(seed.id))


def albums_to_start_from(asker: Asker) -> QuerySet[Album]:
    """Albums of which the asker may find a track."""
    tracks = Track.objects.filter(visible(asker), album=OuterRef("pk"))
    return Album.objects.filter(Exists(tracks)).select_related("artist")


def artists_to_start_from(asker: Asker) -> QuerySet[Artist]:
    """Artists of whom the asker may find a track."""
    tracks = Track.objects.filter(visible(asker), artist=OuterRef("pk"))
    return Artist.objects.filter(Exists(tracks))


def choices_for(words: str, asker: Asker) -> list[Chip]:
    """What the search box offers: artists, albums and tracks that the asker may find and whose
    names hold all ``words``; without words, the asker's newest tracks."""
    parts = words.replace("\0", "").split()[:8]
    tracks = Track.objects.filter(visible(asker)).select_related("artist")
    if not parts:
        own = tracks.filter(artist__in=asker.artist_ids).order_by("-created_at")
        return [_track_chip(track) for track in own[:MOST_CHOICES]]
    for part in parts:
        tracks = tracks.filter(
            Q(title__icontains=part) | Q(version__icontains=part) | Q(artist__name__icontains=part)
        )
    artists = artists_to_start_from(asker).filter(_all("name", parts)).order_by("name")
    albums = albums_to_start_from(asker).filter(_all("title", parts)).order_by("title")
    return [
        *(Chip(Seed.artist(a.pk), a.name, "", "Artist") for a in artists[:3]),
        *(Chip(Seed.album(a.pk), a.title, a.artist.name, "Album") for a in albums[:3]),
        *(_track_chip(track) for track in tracks.order_by("title", "pk")[:MOST_CHOICES]),
    ]


def _all(column: str, parts: Iterable[str]) -> Q:
    query = Q()
    for part in parts:
        query &= Q(**{f"{column}__icontains": part})
    return query


def _track_chip(track: Track) -> Chip:
    return Chip(Seed.track(track.pk), str(track), track.artist.name, "Track")


def similar_page(request: SearchRequest) -> Page:
    """The hits of a search with reasons, sections and the asker's own verdicts. Raises what
    :func:`analysis.discovery.search.search_page` does."""
    results = search_page(request)
    found = [Found(hit) for hit in results.hits]
    bases = _bases(request, results.model_version)
    if bases and found:
        found = _explained(found, bases, request.asker, results.model_version)
    return Page(found, results.has_more, results.model_version)


@dataclass(frozen=True)
class _Base:
    revision: Revision
    report: Report
    vector: Any


def _bases(request: SearchRequest, model_version: str) -> list[_Base]:
    """The tracks that were added, alone or in albums and artists: each with its report and place.
    A snippet has no report, so nothing can be said of it but how near it is."""
    added = [s for s in request.seeds if s.weight > 0 and s.kind != SeedKind.SNIPPET]
    if not added:
        return []
    start = direction(replace(request, seeds=added))
    if start.space.model_version != model_version:
        return []
    reports = {
        report.content_sha256: report
        for report in Report.objects.filter(pk__in=start.reports).defer("document")
    }
    vectors = dict(
        Embedding.objects.filter(report__in=start.reports).values_list("report_id", "vector")
    )
    revisions = (
        current_revisions()
        .filter(track__in=start.tracks, content_sha256__in=reports)
        .select_related("track__artist")
    )
    return [
        _Base(revision, report, np.asarray(vectors[report.pk], dtype=np.float32))
        for revision in revisions
        if (report := reports[revision.content_sha256]).pk in vectors
    ]


def _explained(
    found: list[Found], bases: list[_Base], asker: Asker, model_version: str
) -> list[Found]:
    hits = [one.hit for one in found]
    vectors = dict(
        Embedding.objects.filter(report__in=[hit.report.pk for hit in hits]).values_list(
            "report_id", "vector"
        )
    )
    of_bases = np.stack([base.vector for base in bases])
    of_bases /= np.linalg.norm(of_bases, axis=1, keepdims=True)
    nearest: dict[UUID, _Base] = {}
    for hit in hits:
        if hit.report.pk in vectors:
            place = np.asarray(vectors[hit.report.pk], dtype=np.float32)
            nearest[hit.track.pk] = bases[int(np.argmax(of_bases @ place))]
    # Sections are shown with buttons of their own.
    told = measured_reasons(
        [(nearest[hit.track.pk].report, hit) for hit in hits if hit.track.pk in nearest]
    )
    parts = sections.of_reports(
        {base.report.pk for base in nearest.values()} | {hit.report.pk for hit in hits}
    )
    table = sections.table_of(model_version)
    verdicts = _verdicts(asker, [hit.track.pk for hit in hits])
    explained = []
    for one in found:
        hit, compared = one.hit, nearest.get(one.hit.track.pk)
        if compared is None:
            explained.append(one)
            continue
        pairs: list[Pair] = []
        if compared.report.pk in parts and hit.report.pk in parts:
            alike = sections.matches(
                parts[compared.report.pk], parts[hit.report.pk], table=table, most=2
            )
            pairs = [_pair(match, compared, hit) for match in alike if _is_worth_hearing(match)]
        explained.append(
            replace(
                one,
                base=compared.revision,
                reasons=told[hit.track.pk],
                pairs=pairs,
                verdict=verdicts.get(frozenset({compared.revision.track_id, hit.track.pk}), ""),
            )
        )
    return explained


def _is_worth_hearing(match: SectionMatch) -> bool:
    """While too few sections are known to say how near a pair is, it is for the ear to judge."""
    return match.percentile is None or match.percentile >= LEAST_SECTION_PERCENTILE


def _pair(match: SectionMatch, base: _Base, hit: Hit) -> Pair:
    loudness = (base.report.integrated_lufs, hit.report.integrated_lufs)
    ours, theirs = volumes(*loudness)
    return Pair(
        Side(
            str(base.revision.track),
            reverse("revision_audio", args=[base.revision.pk]),
            match.a_start_s,
            match.a_end_s,
            ours,
        ),
        Side(
            str(hit.track),
            reverse("revision_audio", args=[hit.revision.pk]),
            match.b_start_s,
            match.b_end_s,
            theirs,
        ),
        match.percentile,
    )


def volumes(a_lufs: float | None, b_lufs: float | None) -> tuple[float, float]:
    """Linear gains (0..1] that bring two tracks to the quieter one's integrated loudness; both 1
    where a loudness is not known."""
    if a_lufs is None or b_lufs is None:
        return 1.0, 1.0
    quieter = min(a_lufs, b_lufs)
    gains = [max(_LEAST_VOLUME, 10 ** ((quieter - lufs) / 20)) for lufs in (a_lufs, b_lufs)]
    return round(gains[0], 4), round(gains[1], 4)


def _verdicts(asker: Asker, tracks: list[UUID]) -> dict[frozenset[UUID], str]:
    if asker.user_id is None:
        return {}
    rows = PairFeedback.objects.filter(
        Q(track_a__in=tracks) | Q(track_b__in=tracks), user=asker.user_id
    )
    return {frozenset({row.track_a_id, row.track_b_id}): row.verdict for row in rows}


def is_anything_heard(asker: Asker) -> bool:
    """Whether there is a track that the asker may find and that has been listened to."""
    return SearchEntry.objects.filter(visible(asker)).exists()
