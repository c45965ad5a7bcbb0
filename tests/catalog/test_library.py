"""The library page: what is found, in which order, in how many queries."""

from __future__ import annotations

import re
from datetime import timedelta

import pytest
from django.db import connection
from django.db.models import Value
from django.db.models.functions import Length
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone

from catalog import library as library_module
from catalog import services
from catalog.library import Facet, register_facet
from catalog.models import Revision, Track
from catalog.signals import reanalysis_wanted

pytestmark = pytest.mark.django_db
ROW = re.compile(r'<tr id="track-([0-9a-f-]{36})"')


@pytest.fixture
def make_tracks():
    """Tracks with a revision each, without files: the library never opens them."""

    def make(artist, count, *, prefix="Song", album=None):
        now = timezone.now()
        tracks = Track.objects.bulk_create(
            Track(artist=artist, title=f"{prefix} {n:03d}", album=album) for n in range(count)
        )
        for n, track in enumerate(tracks):
            Track.objects.filter(pk=track.pk).update(created_at=now - timedelta(minutes=n))
        Revision.objects.bulk_create(
            Revision(
                track=track,
                artist=artist,
                number=1,
                file=f"audio/{artist.pk}/{track.pk}",
                original_name=f"{prefix.lower()}-{n}-master.wav",
                content_sha256=f"{track.pk.hex}{'0' * 32}",
                size_bytes=1000,
                duration_s=100.0 + (n * 37) % 50,
                sample_rate=44_100,
                channels=2,
                codec="pcm_s16le",
                container="wav",
                lossless=True,
            )
            for n, track in enumerate(tracks)
        )
        return tracks

    return make


def shown(browser, **parameters) -> list[str]:
    page = browser.get(reverse("library"), parameters)
    assert page.status_code == 200
    return ROW.findall(page.content.decode())


def titles(browser, **parameters) -> list[str]:
    by_id = {str(track.pk): track.title for track in Track.objects.all()}
    return [by_id[pk] for pk in shown(browser, **parameters)]


@pytest.mark.parametrize("address", ["library", "library_part"])
def test_as_many_queries_for_sixty_tracks_as_for_three(browser, artist, make_tracks, address):
    headers = {"HX-Request": "true", "HX-Target": "library-results"}
    headers = headers if address == "library_part" else {}
    album = services.create_album(artist=artist, title="Album")
    make_tracks(artist, 3, album=album)
    browser.get(reverse("library"), headers=headers)  # whatever is read once per process
    with CaptureQueriesContext(
        connection,
    ) as few:
        browser.get(reverse("library"), headers=headers)
    make_tracks(artist, 57, prefix="More", album=album)
    with CaptureQueriesContext(connection) as many:
        browser.get(reverse("library"), headers=headers)
    assert len(many) == len(few)
    assert len(many) < 25


def test_pages_of_fifty(browser, artist, make_tracks):
    make_tracks(artist, 60)
    first, second = shown(browser), shown(browser, page=2)
    assert (len(first), len(second)) == (50, 10)
    assert set(first).isdisjoint(second)
    assert shown(browser, page=99) == second
    assert shown(browser, page="x") == first


def test_search_looks_at_titles_versions_albums_and_file_names(browser, artist, make_tracks):
    album = services.create_album(artist=artist, title="Winter Sun")
    a, b, c = make_tracks(artist, 3)
    Track.objects.filter(pk=a.pk).update(title="River", version="Radio edit")
    Track.objects.filter(pk=b.pk).update(title="Stone", album=album)
    Revision.objects.filter(track=c).update(original_name="final_FINAL_mix.wav")
    assert titles(browser, q="river") == ["River"]
    assert titles(browser, q="radio") == ["River"]
    assert titles(browser, q="winter stone") == ["Stone"]
    assert titles(browser, q="FINAL_mix") == [c.title]
    assert titles(browser, q="100%") == []
    assert titles(browser, q="\x00'\"; drop table") == []
    assert "Nothing found" in browser.get(reverse("library"), {"q": "zzz"}).content.decode()


def test_sorting(browser, artist, make_tracks):
    make_tracks(artist, 5)
    names = [f"Song {n:03d}" for n in range(5)]
    assert titles(browser) == names  # newest first
    assert titles(browser, sort="added") == names[::-1]
    assert titles(browser, sort="title") == names
    assert titles(browser, sort="-title") == names[::-1]
    seconds = {f"Song {n:03d}": (n * 37) % 50 for n in range(5)}
    assert titles(browser, sort="duration") == sorted(names, key=seconds.__getitem__)
    assert titles(browser, sort="password") == names


def test_filter_by_album(browser, artist, other, make_tracks):
    album = services.create_album(artist=artist, title="A")
    theirs = services.create_album(artist=other, title="B")
    inside = make_tracks(artist, 2, prefix="In", album=album)
    outside = make_tracks(artist, 2, prefix="Out")
    make_tracks(other, 2, prefix="Other", album=theirs)
    assert set(shown(browser, album=str(album.pk))) == {str(t.pk) for t in inside}
    assert set(shown(browser, album="none")) == {str(t.pk) for t in outside}
    assert len(shown(browser, album=str(theirs.pk))) == 4
    assert len(shown(browser, album="nonsense")) == 4


@pytest.fixture
def facet(tmp_path, settings):
    """A facet as another app would add it: how many letters a title has."""
    (tmp_path / "letters.html").write_text("{{ track.letters }} letters")
    attached = []
    templates = [dict(settings.TEMPLATES[0], DIRS=[*settings.TEMPLATES[0]["DIRS"], tmp_path])]
    settings.TEMPLATES = templates
    before = dict(library_module._facets)
    register_facet(
        Facet(
            name="letters",
            label="Letters",
            annotate=lambda tracks: tracks.annotate(letters=Length("title"), one=Value(1)),
            choices=lambda artist: [("4", "four"), ("5", "five")],
            filter=lambda tracks, value: tracks.filter(letters=int(value)),
            sort_field="letters",
            cell_template="letters.html",
            attach=lambda rows: attached.append(len(rows)),
        )
    )
    yield attached
    library_module._facets.clear()
    library_module._facets.update(before)


def test_a_registered_facet_adds_column_filter_and_order(browser, artist, make_tracks, facet):
    tracks = make_tracks(artist, 3)
    for track, title in zip(tracks, ["Four", "Fives", "Sixsix"], strict=True):
        Track.objects.filter(pk=track.pk).update(title=title)
    page = browser.get(reverse("library")).content.decode()
    assert "5 letters" in page
    assert facet == [3]
    assert titles(browser, sort="-letters") == ["Sixsix", "Fives", "Four"]
    assert titles(browser, letters="5") == ["Fives"]
    assert len(titles(browser, letters="7; --")) == 3
    row = browser.get(reverse("library_track", args=[tracks[0].pk])).content.decode()
    assert "4 letters" in row


def test_deleting_many_asks_first(browser, artist, make_tracks):
    tracks = make_tracks(artist, 3)
    chosen = [str(track.pk) for track in tracks[:2]]
    page = browser.post(reverse("library_bulk"), {"action": "delete", "track": chosen})
    assert "Delete 2 tracks?" in page.content.decode()
    assert Track.objects.count() == 3
    done = browser.post(
        reverse("library_bulk"), {"action": "delete", "track": chosen, "confirmed": "1"}
    )
    assert done.status_code == 302
    assert [track.pk for track in Track.objects.all()] == [tracks[2].pk]


def test_moving_many(browser, artist, make_tracks):
    tracks = make_tracks(artist, 3)
    chosen = [str(track.pk) for track in tracks[:2]]
    form = {"action": "move", "track": chosen, "album": "new", "album_title": "Fresh"}
    browser.post(reverse("library_bulk"), form)
    album = artist.albums.get()
    assert album.title == "Fresh"
    assert album.tracks.count() == 2
    assert sorted(album.tracks.values_list("position", flat=True)) == [1, 2]
    browser.post(
        reverse("library_bulk"), {**form, "album": str(album.pk), "track": str(tracks[2].pk)}
    )
    assert album.tracks.count() == 3
    browser.post(reverse("library_bulk"), {**form, "album": "none"})
    assert album.tracks.count() == 1


def test_analysing_again_is_announced_once_for_the_newest_versions(
    browser, artist, make_tracks, django_capture_on_commit_callbacks
):
    tracks = make_tracks(artist, 2)
    heard = []

    def listener(revision_ids, **kwargs):
        heard.append(set(revision_ids))

    receivers, reanalysis_wanted.receivers = reanalysis_wanted.receivers, []
    reanalysis_wanted.sender_receivers_cache.clear()
    reanalysis_wanted.connect(listener)
    try:
        with django_capture_on_commit_callbacks(execute=True):
            browser.post(
                reverse("library_bulk"),
                {"action": "reanalyse", "track": [str(track.pk) for track in tracks]},
            )
    finally:
        reanalysis_wanted.receivers = receivers
        reanalysis_wanted.sender_receivers_cache.clear()
    assert heard == [{track.revisions.get().pk for track in tracks}]


@pytest.mark.parametrize("target", ["https://evil.example/", "//evil.example", "javascript:x", ""])
def test_the_way_back_stays_on_this_site(browser, artist, make_tracks, target):
    (track,) = make_tracks(artist, 1)
    form = {"action": "reanalyse", "track": str(track.pk), "next": target}
    answer = browser.post(reverse("library_bulk"), form)
    assert answer["Location"] == "/library/"


def test_an_empty_library_says_what_to_do(browser):
    page = browser.get(reverse("library")).content.decode()
    assert "No tracks yet" in page
    assert reverse("upload") in page


def test_editing_in_the_row(browser, artist, make_tracks):
    (track,) = make_tracks(artist, 1)
    url = reverse("track_edit", args=[track.pk])
    htmx = {"HX-Request": "true"}
    form = browser.get(url, headers=htmx).content.decode()
    assert form.lstrip().startswith(f'<tr id="track-{track.pk}"')
    values = {
        "title": "New \x07name",
        "version": "Live",
        "composer": "C",
        "isrc": "DE-A1B-20-12345",
    }
    row = browser.post(url, {**values, "discoverable": "on"}, headers=htmx).content.decode()
    assert "New name" in row
    assert "Discoverable" in row
    track.refresh_from_db()
    assert (track.title, track.version, track.isrc) == ("New name", "Live", "DEA1B2012345")
    bad = browser.post(url, {**values, "title": "", "isrc": "nope"}, headers=htmx)
    assert bad.status_code == 200
    assert "This field is required" in bad.content.decode()
    bad = browser.post(url, {**values, "isrc": "nope"}, headers=htmx).content.decode()
    assert "An ISRC has two letters" in bad
    track.refresh_from_db()
    assert track.isrc == "DEA1B2012345"


def test_editing_without_javascript(browser, artist, make_tracks):
    (track,) = make_tracks(artist, 1)
    url = reverse("track_edit", args=[track.pk])
    assert "<h1>Edit track</h1>" in browser.get(url).content.decode()
    answer = browser.post(url, {"title": "Plain", "release_date": "2024-02-29"})
    assert answer.status_code == 302
    track.refresh_from_db()
    assert (track.title, str(track.release_date)) == ("Plain", "2024-02-29")
    assert browser.post(url, {"title": ""}).status_code == 422
