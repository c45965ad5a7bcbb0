"""Targets as JSON files, from anybody."""

from __future__ import annotations

import io
import json

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.urls import reverse

from analysis import mix_targets
from analysis.mixing.own_targets import FORMAT
from analysis.models import MixTarget, TargetKind
from catalog.models import Artist
from tests.analysis.mix_targets.songs import logged_in, of_tracks
from tests.factories import (
    ArtistFactory,
)


class TestFiles:
    @pytest.fixture
    def document(self, artist, make_track) -> dict:
        target = of_tracks(artist, make_track(), make_track(bump_db=4.0), name="Night – Ночь 🌙")
        answer = logged_in(artist).get(reverse("mix_target_export", args=[target.pk]))
        assert answer["Content-Type"] == "application/json"
        assert "attachment" in answer["Content-Disposition"]
        return json.loads(answer.content)

    def send(self, artist: Artist, data: bytes, name: str = ""):
        file = SimpleUploadedFile("target.json", data, content_type="application/json")
        return logged_in(artist).post(reverse("mix_target_of_file"), {"file": file, "name": name})

    def test_what_is_exported_can_be_imported_by_anybody(self, document, db):
        friend = ArtistFactory()
        assert document["format"] == FORMAT
        assert self.send(friend, json.dumps(document).encode()).status_code == 302
        target = MixTarget.objects.get(artist=friend)
        assert (target.name, target.kind) == ("Night – Ночь 🌙", TargetKind.FILE)
        assert mix_targets.exported(target) == document

    def test_a_taken_name_asks_for_another_one(self, artist, document):
        data = json.dumps(document).encode()
        answer = self.send(artist, data)
        assert answer.status_code == 422
        assert "already have a target of this name" in answer.content.decode()
        assert self.send(artist, data, name="Day").status_code == 302
        imported = mix_targets.exported(MixTarget.objects.get(name="Day"))
        assert imported == {**document, "genre": "Day"}

    @pytest.mark.parametrize(
        ("data", "message"),
        [
            (b"", "empty"),
            (b"{", "not a JSON file"),
            (b"\xff\xfe\x00\x80", "not a JSON file"),
            (b"[" * 60_000, "not a JSON file"),
            (b'{"a":' * 10_000, "not a JSON file"),
            (b'{"format": ' + b"9" * 5_000 + b"}", "not a JSON file"),
            (b" " * (mix_targets.MAX_FILE_BYTES + 1), "64 KB"),
            (b"[]", "not a mix target"),
            (b"NaN", "not a mix target"),
            (b'{"format": "\\ud800"}', "not a mix target"),
        ],
    )
    def test_hostile_files_are_refused_in_words(self, artist, data, message):
        answer = self.send(artist, data)
        assert answer.status_code == 422
        assert message in answer.content.decode()
        assert not MixTarget.objects.exists()

    @pytest.mark.parametrize(
        ("changes", "message"),
        [
            ({"bands": []}, "bands"),
            ({"moves": {"p10_db": [float("nan")] * 32, "p90_db": [1.0] * 32}}, "beyond"),
            ({"genre": "\x00\u202e"}, "Give the target a name"),
            ({"genre": "\ud800"}, "Give the target a name"),
            ({"genre": "metal"}, "name of a genre"),
        ],
    )
    def test_what_is_wrong_inside_is_named(self, document, changes, message):
        friend = ArtistFactory()
        answer = self.send(friend, json.dumps({**document, **changes}).encode())
        assert answer.status_code == 422
        assert message in answer.content.decode()
        assert not friend.mix_targets.exists()

    def test_the_documented_fields_suffice(self, document):
        friend = ArtistFactory()
        kept = ("name", "p10_db", "median_db", "p90_db")
        levels = ("p10_db", "median_db", "p90_db")
        minimal = {
            "format": "sonic-vision-mix-target-1",
            "genre": "By hand",
            "bands": [{key: band[key] for key in kept} for band in document["bands"]],
            "curve": {key: document["curve"][key][:24] for key in levels},
            "moves": {key: document["moves"][key] for key in ("p10_db", "p90_db")},
        }
        assert self.send(friend, json.dumps(minimal).encode()).status_code == 302
        made = mix_targets.exported(friend.mix_targets.get())
        assert made == {**document, "genre": "By hand", "n_tracks": 1}

    def test_nothing_of_a_file_is_kept_but_what_is_known(self, document):
        friend = ArtistFactory()
        hostile = {
            **document,
            "genre": "a\x00\u202eb",
            "n_tracks": 10**300,
            "<script>": "x",
            "is_own": "\x00",
        }
        target = mix_targets.create_of_file(friend, file=io.BytesIO(json.dumps(hostile).encode()))
        target.refresh_from_db()
        assert target.name == "a b"
        assert target.document == {**document, "genre": "a b", "n_tracks": 1}
