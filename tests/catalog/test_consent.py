"""Consent to training: off by default, by artist and by track, taken back whenever she likes."""

from __future__ import annotations

import pytest
from django.db import transaction
from django.urls import reverse

from catalog import services
from catalog.consent_models import ConsentEvent
from catalog.models import Artist, Track
from catalog.selectors import consent_of, consenting_tracks
from catalog.signals import training_consent_given, training_consent_withdrawn
from tests.factories import AlbumFactory, ArtistFactory, TrackFactory

pytestmark = pytest.mark.django_db


@pytest.fixture
def artist() -> Artist:
    return ArtistFactory()


@pytest.fixture
def heard():
    """What was announced, as (name, track ids)."""
    found = []

    def given(artist, track_ids, **kwargs):
        assert transaction.get_connection().in_atomic_block
        found.append(("given", track_ids))

    def withdrawn(artist, track_ids, **kwargs):
        found.append(("withdrawn", track_ids))

    training_consent_given.connect(given)
    training_consent_withdrawn.connect(withdrawn)
    yield found
    training_consent_given.disconnect(given)
    training_consent_withdrawn.disconnect(withdrawn)


def log() -> list[tuple[str, str]]:
    return list(ConsentEvent.objects.order_by("pk").values_list("scope", "action"))


def test_nothing_is_allowed_by_itself(artist):
    track = TrackFactory(artist=artist)
    assert not artist.may_train
    assert not track.may_train
    assert not consenting_tracks().exists()
    assert log() == []


@pytest.mark.parametrize(
    ("of_artist", "of_track", "is_reference", "counts"),
    [
        (True, True, False, True),
        (True, False, False, False),
        (False, True, False, False),
        (True, True, True, False),
    ],
)
def test_both_are_needed_and_references_never_count(
    artist, of_artist, of_track, is_reference, counts
):
    Artist.objects.filter(pk=artist.pk).update(may_train=of_artist)
    TrackFactory(artist=artist, may_train=of_track, is_reference=is_reference)
    assert consenting_tracks().exists() is counts


def test_profile_gives_and_takes_back_and_says_when(artist, client, heard):
    client.force_login(artist.user)
    page = client.get(reverse("profile")).content.decode()
    assert "Not allowed" in page
    assert "Allow training on my recordings" in page
    client.post(reverse("artist_consent"), {"allow": "yes"})
    artist.refresh_from_db()
    assert artist.may_train
    event = ConsentEvent.objects.get()
    assert (event.artist, event.by, event.track) == (artist, artist.user, None)
    page = client.get(reverse("profile")).content.decode()
    assert "Allowed since" in page
    assert event.at.strftime("%-d %B %Y") in page
    client.post(reverse("artist_consent"), {"allow": "yes"})  # said twice is said once
    client.post(reverse("artist_consent"), {"allow": "no"})
    artist.refresh_from_db()
    assert not artist.may_train
    assert log() == [("artist", "given"), ("artist", "withdrawn")]
    assert heard == [("given", None), ("withdrawn", None)]
    assert "Taken back on" in client.get(reverse("profile")).content.decode()


def test_track_form_gives_and_takes_back(artist, client, heard):
    track = TrackFactory(artist=artist, title="Reeds")
    client.force_login(artist.user)
    address = reverse("track_edit", args=[track.pk])
    client.post(address, {"title": "Reeds", "may_train": "on"})
    assert Track.objects.get().may_train
    client.post(address, {"title": "Reeds by the water", "may_train": "on"})
    client.post(address, {"title": "Reeds"})
    track.refresh_from_db()
    assert (track.title, track.may_train) == ("Reeds", False)
    assert log() == [("track", "given"), ("track", "withdrawn")]
    assert heard == [("given", [track.pk]), ("withdrawn", [track.pk])]


def test_reference_cannot_be_allowed_and_stops_being(artist, client, heard):
    track = TrackFactory(artist=artist, title="Reeds", may_train=True)
    client.force_login(artist.user)
    address = reverse("track_edit", args=[track.pk])
    answer = client.post(address, {"title": "Reeds", "may_train": "on", "is_reference": "on"})
    assert answer.status_code == 422
    assert "not yours" in answer.content.decode()
    client.post(address, {"title": "Reeds", "is_reference": "on"})
    assert not Track.objects.get().may_train
    assert heard == [("withdrawn", [track.pk])]


def test_many_tracks_at_once(artist, client, heard):
    client.force_login(artist.user)
    tracks = TrackFactory.create_batch(3, artist=artist)
    reference = TrackFactory(artist=artist, is_reference=True)
    foreign = TrackFactory()
    ids = [str(track.pk) for track in (*tracks[:2], reference, foreign)]
    client.post(reverse("library_bulk"), {"action": "allow_training", "track": ids})
    allowed = set(Track.objects.filter(may_train=True).values_list("pk", flat=True))
    assert allowed == {track.pk for track in tracks[:2]}
    page = client.post(
        reverse("library_bulk"), {"action": "end_training", "track": ids[:1]}, follow=True
    )
    assert "no longer allowed for 1 track" in page.content.decode()
    assert Track.objects.filter(may_train=True).count() == 1
    assert [name for name, _ in heard] == ["given", "withdrawn"]


def test_whole_album(artist, client):
    album = AlbumFactory(artist=artist)
    TrackFactory.create_batch(2, artist=artist, album=album)
    TrackFactory(artist=artist)
    client.force_login(artist.user)
    page = client.post(reverse("album_consent", args=[album.pk]), {"allow": "yes"}, follow=True)
    text = page.content.decode()
    assert "2 of 2 may be used for training" in text
    assert "on your profile" in text  # the artist has not allowed it as a whole
    assert Track.objects.filter(may_train=True).count() == 2
    client.post(reverse("album_consent", args=[album.pk]), {"allow": "no"})
    assert not Track.objects.filter(may_train=True).exists()


def test_nobody_else_can_say_it(artist, client):
    album = AlbumFactory(artist=artist)
    track = TrackFactory(artist=artist, album=album)
    client.force_login(ArtistFactory().user)
    for address in (
        reverse("album_consent", args=[album.pk]),
        reverse("track_edit", args=[track.pk]),
    ):
        answer = client.post(address, {"allow": "yes", "may_train": "on", "title": "x"})
        assert answer.status_code == 404
    client.logout()
    assert client.post(reverse("artist_consent"), {"allow": "yes"}).status_code == 302
    assert not Track.objects.filter(may_train=True).exists()
    artist.refresh_from_db()
    assert not artist.may_train


@pytest.mark.parametrize("said", ["", "maybe", "\0", "yes" * 1000])
def test_other_answers_are_refused(artist, client, said):
    client.force_login(artist.user)
    assert client.post(reverse("artist_consent"), {"allow": said}).status_code == 400


def test_a_page_that_is_older_than_the_withdrawal_does_not_give_it_back(artist):
    services.set_artist_consent(artist, allow=True, by=artist.user)
    track = TrackFactory(artist=artist, may_train=True)
    old_artist, old_track = Artist.objects.get(), Track.objects.get()
    services.set_artist_consent(Artist.objects.get(), allow=False, by=artist.user)
    services.set_track_consent(Track.objects.filter(pk=track.pk), allow=False, by=artist.user)
    services.update_profile(
        old_artist, name="New", bio="", default_genre="", auto_separate=False, auto_voice=False
    )
    services.update_track(
        old_track, title="New", version="", composer="", isrc="", release_date=None,
        discoverable=False,
    )  # fmt: skip
    assert (Artist.objects.get().name, Track.objects.get().title) == ("New", "New")
    assert not Artist.objects.get().may_train
    assert not Track.objects.get().may_train


def test_tracks_keep_what_was_said_about_them(artist):
    services.set_artist_consent(artist, allow=True, by=None)
    TrackFactory(artist=artist, may_train=True)
    services.set_artist_consent(artist, allow=False, by=None)
    assert not consenting_tracks().exists()
    services.set_artist_consent(artist, allow=True, by=None)
    assert consenting_tracks().exists()
    found = consent_of(artist)
    assert (found.is_given, found.tracks, found.allowed) == (True, 1, 1)


def test_nothing_is_withdrawn_if_what_goes_with_it_cannot_go(artist):
    services.set_artist_consent(artist, allow=True, by=None)

    def failing(**kwargs):
        raise RuntimeError("the clips cannot be deleted")

    training_consent_withdrawn.connect(failing)
    try:
        with pytest.raises(RuntimeError):
            services.set_artist_consent(artist, allow=False, by=None)
    finally:
        training_consent_withdrawn.disconnect(failing)
    assert Artist.objects.get().may_train
    assert log() == [("artist", "given")]
