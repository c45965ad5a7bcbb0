"""Making, renaming and weighing targets, and what is refused."""

from __future__ import annotations

import threading
import uuid
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress

import pytest
from django.core.exceptions import ValidationError
from django.db import connections
from django.urls import reverse

from analysis import mix_targets
from analysis.models import MixTarget, TargetKind
from analysis.target_selectors import MAX_TRACKS
from tests.analysis.mix_targets.songs import logged_in, of_tracks
from tests.factories import (
    ArtistFactory,
)


class TestMakingOne:
    def test_from_ticked_tracks(self, artist, make_track):
        one, two = make_track("One"), make_track("Two")
        client = logged_in(artist)
        address = reverse("mix_target_of_tracks")
        assert "One" in client.get(address).content.decode()
        values = {
            "name": "  Night\u202e drive ",
            "track": [one.pk, two.pk],
            f"weight-{one.pk}": "2,5",
            f"weight-{two.pk}": "",
        }
        page = client.post(address, values, follow=True).content.decode()
        target = MixTarget.objects.get()
        assert target.name == "Night drive"
        assert dict(target.parts.values_list("track_id", "weight")) == {one.pk: 2.5, two.pk: 1.0}
        assert "Night drive is ready" in page
        assert "× 2.5" in page

    @pytest.mark.parametrize(
        ("changes", "message"),
        [
            ({"track": []}, "at least one track"),
            ({"track": ["x"]}, "tracks of your library"),
            ({"track": [uuid.uuid4()]}, "tracks of your library"),
            ({"track": [uuid.uuid4() for _ in range(MAX_TRACKS + 1)]}, "at most 200 tracks"),
            ({"weight": "much"}, "number from 0.1 to 10"),
            ({"weight": "nan"}, "0.1 to 10"),
            ({"weight": "1e999"}, "0.1 to 10"),
            ({"name": ""}, "required"),
            ({"name": "x" * 61}, "60"),
            ({"name": "\u200b\u200d"}, "Give the target a name"),
            ({"name": "Metal"}, "name of a genre"),
            ({"name": "ANY"}, "name of a genre"),
        ],
    )
    def test_what_does_not_fit_is_refused_in_words(self, artist, make_track, changes, message):
        track = make_track()
        values = {"name": "Night", "track": [track.pk], **changes}
        values[f"weight-{track.pk}"] = values.pop("weight", "1")
        answer = logged_in(artist).post(reverse("mix_target_of_tracks"), values)
        assert answer.status_code == 422
        assert message in answer.content.decode()
        assert not MixTarget.objects.exists()

    def test_fifty_are_all_there_is_room_for(self, artist, make_track):
        track = make_track()
        MixTarget.objects.bulk_create(
            MixTarget(artist=artist, name=f"T{number}", kind=TargetKind.FILE)
            for number in range(mix_targets.MAX_TARGETS)
        )
        with pytest.raises(ValidationError, match="all there is room for"):
            of_tracks(artist, track)
        assert MixTarget.objects.count() == 50
        page = logged_in(artist).get(reverse("mix_targets")).content.decode()
        assert "Delete one to make another" in page

    def test_a_name_is_taken_in_any_case(self, artist, make_track):
        track = make_track()
        of_tracks(artist, track, name="Night")
        other = of_tracks(artist, track, name="Day")
        client = logged_in(artist)
        values = {"name": "NIGHT", "track": [track.pk], f"weight-{track.pk}": "1"}
        answer = client.post(reverse("mix_target_edit", args=[other.pk]), values)
        assert answer.status_code == 422
        assert "already have a target of this name" in answer.content.decode()
        other.refresh_from_db()
        assert other.name == "Day"
        someone = ArtistFactory()
        assert of_tracks(someone, make_track(owner=someone), name="Night").name == "Night"

    def test_a_new_name_is_what_findings_are_told_against(self, artist, make_track):
        target = of_tracks(artist, make_track(), name="Night")
        mix_targets.update(target, name="Dawn")
        assert mix_targets.current(MixTarget.objects.get()).genre == "Dawn"
        assert mix_targets.exported(MixTarget.objects.get())["genre"] == "Dawn"

    def test_one_deleted_meanwhile_is_told(self, artist, make_track):
        target = of_tracks(artist, make_track())
        MixTarget.objects.all().delete()
        with pytest.raises(ValidationError, match="deleted meanwhile"):
            mix_targets.update(target, name="Dawn")


@pytest.mark.django_db(transaction=True)
class TestAtOnce:
    """Two browsers save at the same moment, each on a connection of its own."""

    def at_once(self, *writes):
        def run(write):
            try:
                return write()
            except ValidationError as error:
                return error
            finally:
                connections.close_all()

        with ThreadPoolExecutor(len(writes)) as pool:
            return list(pool.map(run, writes))

    def test_two_saves_of_one_target_leave_one_of_them(self, artist, make_track, monkeypatch):
        track = make_track()
        target = of_tracks(artist, track)
        both_there = threading.Barrier(2)
        add = mix_targets._add_parts

        def add_when_both_are_there(*arguments):
            with suppress(threading.BrokenBarrierError):  # one after the other: nobody comes
                both_there.wait(timeout=1.0)
            add(*arguments)

        monkeypatch.setattr(mix_targets, "_add_parts", add_when_both_are_there)
        saved = self.at_once(
            *(
                lambda weight=weight: mix_targets.update(
                    MixTarget.objects.get(pk=target.pk), name="Night", weights={track.pk: weight}
                )
                for weight in (2.0, 3.0)
            )
        )
        assert [one.pk for one in saved] == [target.pk] * 2
        assert target.parts.get().weight in (2.0, 3.0)

    def test_two_that_take_one_name_are_not_both_given_it(self, artist, make_track, monkeypatch):
        track = make_track()
        targets = [of_tracks(artist, track, name=name) for name in ("One", "Two")]
        both_there = threading.Barrier(2)
        check = MixTarget.full_clean

        def check_and_wait(self, *arguments, **options):
            check(self, *arguments, **options)
            with suppress(threading.BrokenBarrierError):
                both_there.wait(timeout=1.0)

        monkeypatch.setattr(MixTarget, "full_clean", check_and_wait)
        saved = self.at_once(
            *(lambda one=one: mix_targets.update(one, name="Night") for one in targets)
        )
        (refused,) = [one for one in saved if isinstance(one, ValidationError)]
        assert "already have a target of this name" in str(refused)
        assert sorted(MixTarget.objects.values_list("name", flat=True))[0] == "Night"
        assert MixTarget.objects.filter(name="Night").count() == 1
