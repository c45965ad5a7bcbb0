"""Playlists: filled, put in order, exported without addresses; ways between songs."""

from __future__ import annotations

from itertools import permutations

import numpy as np
import pytest
from django.urls import reverse

from analysis.discovery import song_path
from analysis.discovery.gallery_models import Playlist
from catalog.models import Track
from tests.analysis.discovery.catalogue import at, heard
from tests.factories import ArtistFactory


@pytest.fixture
def world(client):
    """An artist with tracks on an arc, one of another's among them, and one that is hidden."""
    artist, other = ArtistFactory(name="Me\nMyself"), ArtistFactory(name="Other")
    tracks = [heard(artist, at(d), title=f"At {d}") for d in (0, 30, 62, 90)]
    tracks.append(heard(other, at(45), title="Others' at 45", discoverable=True))
    hidden = heard(other, at(47), title="Hidden at 47")
    client.force_login(artist.user)
    return artist, tracks, hidden


def titles(playlist):
    return [item.track.title for item in playlist.items.select_related("track")]


def post(client, page, *args, **data):
    return client.post(reverse(page, args=args), data)


@pytest.mark.django_db
def test_filled_ordered_renamed_and_deleted(client, world):
    _, tracks, hidden = world
    ids = [t.pk for t in (tracks[0], tracks[4], tracks[1], hidden)]
    assert post(client, "playlist_add", track=ids, playlist="new", name=" Night\r\ndrive ")
    playlist = Playlist.objects.get()
    assert playlist.name == "Night drive"
    assert titles(playlist) == ["At 0", "Others' at 45", "At 30"], "no hidden track gets in"
    post(client, "playlist_add", track=ids, playlist=str(playlist.pk))
    assert playlist.items.count() == 3, "nothing is in it twice"

    items = list(playlist.items.values_list("pk", flat=True))
    post(client, "playlist_change", playlist.pk, action="up", item=items[2])
    assert titles(playlist) == ["At 0", "At 30", "Others' at 45"]
    post(client, "playlist_order", playlist.pk, order=[items[1], items[0], 999_999])
    assert titles(playlist) == ["Others' at 45", "At 0", "At 30"]
    post(client, "playlist_change", playlist.pk, action="remove", item=items[0])
    assert titles(playlist) == ["Others' at 45", "At 30"]
    post(client, "playlist_change", playlist.pk, action="rename", name="x" * 121)
    playlist.refresh_from_db()
    assert playlist.name == "Night drive"

    Track.objects.filter(title="Others' at 45").update(discoverable=False)
    text = client.get(reverse("playlist", args=[playlist.pk])).content.decode()
    assert "no longer lets others hear" in text
    assert "at 45" not in text
    assert "at 45" not in client.get(reverse("playlist_json", args=[playlist.pk])).content.decode()
    post(client, "playlist_change", playlist.pk, action="delete")
    assert not Playlist.objects.exists()


@pytest.mark.django_db
def test_somebody_elses_playlist_does_not_exist(client, world):
    mine = [Playlist.objects.create(artist=world[0], name=f"Mine {n}") for n in range(3)]
    playlist = Playlist.objects.create(artist=ArtistFactory(), name="Theirs")
    post(client, "playlist_change", mine[1].pk, action="rename", name="Changed last")
    listed = client.get(reverse("playlists")).context["playlists"]
    assert [p.name for p in listed] == ["Changed last", "Mine 2", "Mine 0"]
    for name in ("playlist", "playlist_m3u8", "playlist_json"):
        assert client.get(reverse(name, args=[playlist.pk])).status_code == 404
    assert post(client, "playlist_change", playlist.pk, action="delete").status_code == 404
    assert post(client, "playlist_order", playlist.pk, order=[1]).status_code == 404
    added = post(client, "playlist_add", track=world[1][0].pk, playlist=str(playlist.pk))
    assert added.status_code == 404
    client.logout()
    assert client.get(reverse("playlists")).status_code == 302


@pytest.mark.django_db
@pytest.mark.parametrize("item", ["", "x", "-1", "9" * 30, "1\0"])
def test_odd_items_are_not_there(client, world, item):
    playlist = Playlist.objects.create(artist=world[0], name="Mine")
    assert post(client, "playlist_change", playlist.pk, action="up", item=item).status_code == 404


@pytest.mark.django_db
def test_files_hold_no_address_and_one_line_each(client, world):
    artist = world[0]
    evil = heard(
        artist, at(10), title="../..\\up\n#EXTINF:9,http://evil.example/ \u2028Ünï", version="Live"
    )
    playlist = Playlist.objects.create(artist=artist, name="a\u2028b")
    post(client, "playlist_add", track=[evil.pk, world[1][0].pk], playlist=str(playlist.pk))
    response = client.get(reverse("playlist_m3u8", args=[playlist.pk]))
    lines = response.content.decode().split("\n")
    assert lines[:2] == ["#EXTM3U", "#PLAYLIST:a b"]
    assert lines[2].startswith("#EXTINF:30,Me Myself - ")
    assert lines[4:] == ["#EXTINF:30,Me Myself - At 0", "Me Myself - At 0.wav", ""]
    name = lines[3]
    assert name.endswith(".wav")
    assert not set('/\\:"*?<>|') & set(name)
    assert "attachment" in response["Content-Disposition"]
    document = client.get(reverse("playlist_json", args=[playlist.pk])).json()
    assert document["name"] == "a\u2028b"
    assert [sorted(t) for t in document["tracks"]] == [
        ["album", "artist", "duration_s", "isrc", "title"]
    ] * 2
    assert document["tracks"][1]["title"] == "At 0"
    assert document["tracks"][1]["duration_s"] == 30.0


@pytest.mark.django_db
def test_a_way_leads_along_the_arc_past_hidden_tracks(client, world):
    tracks = world[1]
    response = post(client, "playlist_path", start=tracks[0].pk, end=tracks[3].pk, steps="3")
    assert response.status_code == 302
    assert titles(Playlist.objects.get()) == ["At 0", "At 30", "Others' at 45", "At 62", "At 90"]
    near = heard(world[0], at(2), title="At 2")
    response = client.post(
        reverse("playlist_path"), {"start": tracks[0].pk, "end": near.pk, "steps": "3"}, follow=True
    )
    assert "so near that the way" in response.content.decode()
    Playlist.objects.filter(name="At 0 to At 2").delete()
    for steps in ("0", "31", "x", "9" * 40):
        post(client, "playlist_path", start=tracks[0].pk, end=tracks[3].pk, steps=steps)
    post(client, "playlist_path", start=tracks[0].pk, end=tracks[0].pk, steps="3")
    assert Playlist.objects.count() == 1
    gone = post(client, "playlist_path", start=tracks[0].pk, end=world[2].pk, steps="3")
    assert gone.status_code == 404


def test_the_smoothest_way_is_the_best_of_all_ways():
    rng = np.random.default_rng(3)
    places = rng.normal(size=(9, 6)).astype(np.float32)
    places /= np.linalg.norm(places, axis=1, keepdims=True)
    a, b, rest = places[0], places[1], places[2:]

    def cost(way):
        steps = song_path.steps_of(np.stack([a, *rest[list(way)], b]))
        return float(np.sum(steps.astype(float) ** song_path.STEP_POWER))

    for most in (1, 2, 3):
        ways = [way for n in range(most + 1) for way in permutations(range(len(rest)), n)]
        chosen = song_path.smoothest(a, b, rest, most)
        assert len(set(chosen)) == len(chosen) <= most
        assert cost(chosen) == pytest.approx(min(cost(way) for way in ways))


def test_waypoints_lie_at_equal_angles():
    points = song_path.waypoints(at(0).astype("f4"), at(90).astype("f4"), 2)
    assert points == pytest.approx(np.stack([at(30), at(60)]), abs=1e-6)
    same = song_path.waypoints(at(5).astype("f4"), at(5).astype("f4"), 3)
    assert same == pytest.approx(np.stack([at(5)] * 3), abs=1e-6)
