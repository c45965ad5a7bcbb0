"""The Python client's methods for analyses and playlists against the interface itself, in one
process."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest
import soundfile

sys.path.insert(0, str(Path(__file__).resolve().parents[3] / "clients" / "python"))

from sonic_vision import Client, Refused
from sonic_vision import analyses as client_analyses
from sonic_vision.transport import Answer, Transport, error_of

from analysis.discovery.models import Snippet
from tests.analysis.api import analysed
from tests.analysis.discovery.catalogue import at, heard


class Straight(Transport):
    """Calls the interface in this process."""

    def __init__(self, inner):
        super().__init__("http://testserver", "none")
        self.inner = inner

    def call(self, method, address, *, body=None, headers=None):
        named = dict(headers or {})
        kind = named.pop("Content-Type", "application/json")
        answer = self.inner.generic(
            method, self.path_of(address), body or b"", content_type=kind, headers=named
        )
        content = b"".join(answer.streaming_content) if answer.streaming else answer.content
        found = Answer(answer.status_code, dict(answer.items()), content)
        if found.status >= 400:
            raise error_of(found)
        return found


@pytest.fixture
def client(world) -> Client:
    made = Client("http://testserver", "none")
    made.transport = Straight(world.clients["owner"])
    return made


def test_stages_and_what_they_found(client, world, tmp_path):
    revision = str(world.revision.pk)
    job = client.request(revision, "release")
    assert (job.state, job.revision) == ("queued", revision)
    made = list(client.request_many([revision, str(world.job.pk)], "release"))
    assert made[0].id == job.id
    assert made[1]["code"] == "not_found"
    states = {state.stage: state for state in client.stages(revision)}
    assert states["release"].job["id"] == job.id
    assert states["separate"].model_version == "s1+starter"
    assert client.result(revision, "voice").document["singing"] is True
    assert client.part(revision, "genre")["label"] == "jazz"
    assert client.heatmap(revision, columns=10).columns == 10
    assert client.heatmap_png(revision).startswith(b"\x89PNG")
    (stem,) = client.stems(revision)
    assert (stem.name, stem.engine) == ("vocals", "starter")
    assert client.get_bytes(stem.url) == analysed.FLAC
    assert client.lyrics(revision).lines == [analysed.LINE]
    assert "I'm sitting here" in client.lyrics_file(revision, "srt")
    assert client.align_lyrics(revision, "By the sea", language="en").stage == "lyrics"
    assert client.timbre(revision)["summary"] == "Clearly warm."


def test_similar_tracks_and_a_file_that_is_lent(client, world, tmp_path, monkeypatch):
    heard(world.artist, at(10), title="Own")
    (hit,) = client.similar(str(world.track.pk), whose="mine", limit=5)
    assert (hit.title, hit.artist_name) == ("Own", "Slow Light")
    path = tmp_path / "hum.wav"
    soundfile.write(path, np.sin(np.arange(44_100) / 20) * 0.3, 22_050)

    def worker(_seconds):
        Snippet.objects.filter(original_name="hum.wav").update(
            state="done", vector=at(30).tolist(), model_version="test-1"
        )

    monkeypatch.setattr(client_analyses.time, "sleep", worker)
    assert [one.title for one in client.similar_to_file(path)] == ["Own", "Harbour"]
    path.write_bytes(b"no sound at all" * 40)
    with pytest.raises(Refused):
        client.similar_to_file(path)


def test_playlists(client, world):
    start, end = str(world.track.pk), heard(world.artist, at(60), title="Quay").pk
    middle = str(heard(world.artist, at(30), title="Own").pk)
    made = client.create_playlist("Dawn", [start], artist=world.artist.pk)
    assert [one.name for one in client.playlists()] == ["Dawn", "Night drive"]
    assert client.append_to_playlist(made.id, [start, str(end)]) == 1
    harbour, quay = client.playlist_items(made.id)
    changed = client.set_playlist_items(made.id, [quay, middle, harbour])
    assert [(one.position, one.title) for one in changed] == [
        (1, "Quay"),
        (2, "Own"),
        (3, "Harbour"),
    ]
    assert (changed[0].id, changed[2].id) == (quay.id, harbour.id)
    assert "Slow Light - Own" in client.playlist_file(made.id)
    way = client.create_way(start, str(end), steps=1, name="From here to there")
    assert [one.title for one in client.playlist_items(way.id)] == ["Harbour", "Own", "Quay"]
    assert way.name == "From here to there"
