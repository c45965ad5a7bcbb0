"""Filters, exclusions and limits against the same rules written plainly in Python."""

from __future__ import annotations

import datetime
import random
from dataclasses import dataclass

import numpy as np
import pytest
from django.db import connection, transaction

from analysis.discovery import query
from analysis.discovery.keys import compatible_codes
from analysis.discovery.models import EmbeddingSpace, IndexRun, SearchEntry
from analysis.discovery.request import (
    Asker,
    Filters,
    SearchRequest,
    Seed,
    SeedKind,
    Whose,
)
from analysis.discovery.search import SAME_RECORDING_DISTANCE, search_page
from analysis.models import Report
from catalog.models import Album, Artist, Revision, Track
from tests.analysis.discovery.catalogue import VERSION
from tests.factories import AlbumFactory, ArtistFactory

ROWS = 1_500
GENRES = ("jazz", "rock", "metal", "")
LANGUAGES = ("en", "fr", "")
DAY = datetime.date(2020, 1, 1)


@dataclass
class Known:
    """One row as the test knows it."""

    track: Track
    artist: int
    album: object
    discoverable: bool
    genre: str
    tempo: float | None
    key: int | None
    energy: float | None
    instrumental: bool | None
    language: str
    released: datetime.date | None
    vector: np.ndarray


@pytest.fixture(scope="module")
def catalogue(django_db_setup, django_db_blocker):
    """A thousand and a half tracks of thirty artists with everything drawn at random, some of it
    unknown; removed again at the end."""
    with django_db_blocker.unblock():
        rows = make(random.Random(7), np.random.default_rng(7))
        yield rows
        # All that refers to these rows goes with them; asking for each row takes half a minute.
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute("SET LOCAL session_replication_role = replica")
            for model in (SearchEntry, IndexRun, EmbeddingSpace, Report, Revision, Track, Album):
                cursor.execute(f"DELETE FROM {model._meta.db_table}")
            cursor.execute("DELETE FROM catalog_artist")
            cursor.execute("DELETE FROM catalog_user")


def make(dice, numbers):
    artists = ArtistFactory.create_batch(30)
    albums = [AlbumFactory(artist=artist) for artist in artists]
    centres = numbers.normal(size=(12, 128))
    space = EmbeddingSpace.objects.create(model_version=VERSION, is_serving=True)
    known, tracks, revisions, reports, entries = [], [], [], [], []
    for n in range(ROWS):
        artist = dice.choice(artists)
        vector = centres[n % 12] + numbers.normal(scale=0.9, size=128)
        vector = (vector / np.linalg.norm(vector)).astype(np.float16).astype(np.float64)
        track = Track(
            artist=artist,
            title=f"Track {n}",
            discoverable=dice.random() < 0.7,
            album=dice.choice([None, albums[artists.index(artist)]]),
        )
        one = Known(
            track=track, artist=artist.pk, album=track.album_id, discoverable=track.discoverable,
            genre=dice.choice(GENRES), tempo=dice.choice([None, dice.uniform(50, 200)]),
            key=dice.choice([None, dice.randrange(24)]), energy=dice.choice([None, dice.random()]),
            instrumental=dice.choice([None, True, False]), language=dice.choice(LANGUAGES),
            released=dice.choice([None, DAY + datetime.timedelta(days=dice.randrange(900))]),
            vector=vector / np.linalg.norm(vector),
        )  # fmt: skip
        sha256 = f"{n:064x}"
        revision = Revision(
            track=track, artist=artist, number=1, file="x", original_name="x.wav",
            content_sha256=sha256, size_bytes=1, duration_s=1, sample_rate=44_100, channels=2,
            codec="pcm", container="wav", lossless=True,
        )  # fmt: skip
        report = Report(content_sha256=sha256, stage="listen", model_version=VERSION, document={})
        known.append(one)
        tracks.append(track)
        revisions.append(revision)
        reports.append(report)
        entries.append(
            SearchEntry(
                space=space,
                track=track,
                revision=revision,
                report=report,
                artist=artist,
                album=track.album,
                discoverable=track.discoverable,
                is_reference=False,
                genre=one.genre,
                tempo_bpm=one.tempo,
                key_code=one.key,
                energy=one.energy,
                instrumental=one.instrumental,
                language=one.language,
                release_date=one.released,
                vector=vector.tolist(),
            )
        )
    Track.objects.bulk_create(tracks)
    Revision.objects.bulk_create(revisions)
    Report.objects.bulk_create(reports)
    SearchEntry.objects.bulk_create(entries)
    return known


def passes(one, filters, own):
    """The filters' rules once more, by hand."""
    if filters.whose == Whose.MINE and one.artist not in own:
        return False
    if filters.whose == Whose.OTHERS and one.artist in own:
        return False
    if filters.genres and one.genre not in filters.genres:
        return False
    if filters.languages and one.language not in filters.languages:
        return False
    if filters.instrumental is not None and one.instrumental is not filters.instrumental:
        return False
    if filters.artist_ids is not None and one.artist not in filters.artist_ids:
        return False
    if filters.key_code is not None:
        wanted = (
            compatible_codes(filters.key_code) if filters.key_compatible else [filters.key_code]
        )
        if one.key not in wanted:
            return False
    if filters.tempo_bpm is not None:
        tempos = [one.tempo] if one.tempo is not None else []
        if filters.tempo_octaves:
            tempos += [one.tempo / 2, one.tempo * 2] if tempos else []
        if not any(inside(tempo, filters.tempo_bpm) for tempo in tempos):
            return False
    if filters.energy is not None and not inside(one.energy, filters.energy):
        return False
    return filters.released is None or inside(one.released, filters.released)


def inside(value, ends):
    low, high = ends
    return value is not None and (low is None or value >= low) and (high is None or value <= high)


def expected(rows, request, vector):
    """The hits of a request that starts at ``vector``: every track measured and sorted."""
    own = request.asker.artist_ids
    allowed = [
        one
        for one in rows
        if (one.discoverable or one.artist in own)
        and passes(one, request.filters, own)
        and not (request.exclude_own and one.artist in own)
        and not (
            request.exclude_same_recording and 1 - one.vector @ vector < SAME_RECORDING_DISTANCE
        )
        and one.track.pk not in request.exclude_tracks
    ]
    allowed.sort(key=lambda one: 1 - one.vector @ vector)
    kept, by_artist = [], {}
    for one in allowed:
        by_artist[one.artist] = by_artist.get(one.artist, 0) + 1
        if request.per_artist is None or by_artist[one.artist] <= request.per_artist:
            kept.append(one)
    return [one.track.pk for one in kept[request.offset : request.offset + request.limit]]


def random_filters(dice, rows):
    maybe = lambda make: make() if dice.random() < 0.3 else None  # noqa: E731
    tempo = sorted(dice.uniform(50, 200) for _ in range(2))
    return Filters(
        genres=tuple(dice.sample(GENRES[:3], dice.choice([0, 0, 1, 2]))),
        tempo_bpm=maybe(lambda: dice.choice([tuple(tempo), (tempo[0], None), (None, tempo[1])])),
        tempo_octaves=dice.random() < 0.5,
        key_code=maybe(lambda: dice.randrange(24)),
        key_compatible=dice.random() < 0.7,
        energy=maybe(lambda: tuple(sorted((dice.random(), dice.random())))),
        instrumental=maybe(lambda: dice.random() < 0.5),
        languages=tuple(dice.sample(LANGUAGES[:2], dice.choice([0, 0, 0, 1]))),
        released=maybe(lambda: (DAY + datetime.timedelta(days=dice.randrange(400)), None)),
        whose=dice.choice([Whose.EVERYONE, Whose.EVERYONE, Whose.MINE, Whose.OTHERS]),
        artist_ids=maybe(lambda: tuple({one.artist for one in dice.sample(rows, 8)})),
    )


@pytest.mark.django_db
def test_random_combinations_find_what_counting_finds(catalogue):
    dice = random.Random(11)
    lengths = []
    for _ in range(80):
        start = dice.choice(catalogue)
        artist = Artist.objects.get(pk=start.artist)
        request = SearchRequest(
            Asker.of_artist(dice.choice([artist, artist, None])),
            [Seed(SeedKind.VECTOR, vector=start.vector, model_version=VERSION)],
            random_filters(dice, catalogue),
            exclude_same_recording=dice.random() < 0.7,
            exclude_own=dice.random() < 0.2,
            per_artist=dice.choice([None, None, 1, 2]),
            limit=dice.choice([1, 10, 40]),
            offset=dice.choice([0, 0, 7]),
        )
        hits = search_page(request).hits
        assert [hit.track.pk for hit in hits] == expected(catalogue, request, start.vector), request
        lengths.append(len(hits))
    assert sum(n >= 10 for n in lengths) > 10
    assert sum(0 < n < 10 for n in lengths) > 5


@pytest.mark.django_db
def test_pages_follow_each_other_without_gaps(catalogue):
    start = catalogue[0]
    seed = [Seed(SeedKind.VECTOR, vector=start.vector, model_version=VERSION)]
    request = SearchRequest(Asker(), seed, Filters(genres=("jazz",)), per_artist=3, limit=100)
    whole = [hit.track.pk for hit in search_page(request).hits]
    pieces, offset = [], 0
    while True:
        page = search_page(
            SearchRequest(
                Asker(), seed, Filters(genres=("jazz",)), per_artist=3, limit=13, offset=offset
            )
        )
        pieces += [hit.track.pk for hit in page.hits]
        offset += 13
        if not page.has_more:
            break
    assert pieces == whole
    assert 60 < len(whole) < 100


@pytest.mark.django_db
def test_by_index_nearly_all_is_found_under_every_filter(catalogue, monkeypatch):
    """The same searches through HNSW: every tenth of ten hits may be missed, no more, and none
    that the filters forbid is found."""
    from analysis.discovery import indexing

    space = EmbeddingSpace.objects.get(is_serving=True)
    indexing.build(space)
    monkeypatch.setattr(query, "exact_is_quicker", lambda *_: False)
    assert "search_entry_hnsw" in plan(space)
    recalls = {}
    for name, filters in {
        "none": Filters(),
        "a third": Filters(genres=("jazz",)),
        "a tenth": Filters(genres=("jazz",), languages=("fr",)),
        "a hundredth": Filters(genres=("jazz",), languages=("fr",), energy=(0.2, 0.4)),
    }.items():
        for start in catalogue[:12]:
            seed = [Seed(SeedKind.VECTOR, vector=start.vector, model_version=VERSION)]
            request = SearchRequest(Asker(), seed, filters, limit=10)
            right = set(expected(catalogue, request, start.vector))
            hits = {hit.track.pk for hit in search_page(request).hits}
            recalls.setdefault(name, []).append(len(hits & right) / len(right))
            assert len(hits) == len(right)
    indexing.drop(space)
    assert {name: np.mean(values) >= 0.98 for name, values in recalls.items()} == dict.fromkeys(
        recalls, True
    ), recalls


def plan(space):
    """How the database would answer by index."""
    from django.db import connection

    where = query.visible_in(space, Asker())
    with query.settings_of_index_scan(200), connection.cursor() as cursor:
        cursor.execute(
            f"EXPLAIN SELECT track_id FROM analysis_searchentry WHERE {where.text}"
            " ORDER BY vector <=> %s::halfvec LIMIT 10",
            [*where.values, str([0.1] * 128)],
        )
        return "\n".join(row[0] for row in cursor.fetchall())
