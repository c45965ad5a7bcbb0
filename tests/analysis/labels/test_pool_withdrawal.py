"""What is gone when consent ends, or a recording goes: everything, everywhere, at once."""

from __future__ import annotations

import pytest
from django.core.cache import cache
from django.core.files.storage import default_storage
from django.urls import reverse
from django.utils import timezone

from analysis.labels import withdrawing
from analysis.labels.clip_files import picture_name
from analysis.labels.models import (
    Adjudication,
    Answer,
    Ballot,
    CutRecording,
    PoolRun,
    TagExample,
    TimbreTag,
    VoiceClip,
    Vote,
)
from analysis.registry.models import LabelSnapshot, ModelComparison, ModelVersion
from catalog import services
from catalog.models import Artist, Track
from tests.factories import ArtistFactory, RevisionFactory, TrackFactory, UserFactory

pytestmark = pytest.mark.django_db


@pytest.fixture
def artist() -> Artist:
    return ArtistFactory(may_train=True)


@pytest.fixture
def commit(django_capture_on_commit_callbacks):
    return lambda: django_capture_on_commit_callbacks(execute=True)


@pytest.fixture
def labelled(make_clip):
    """``labelled(artist)``: a clip of a track of hers that somebody has voted on."""

    def make(artist: Artist, **fields) -> VoiceClip:
        track = TrackFactory(artist=artist, may_train=True)
        revision = RevisionFactory(track=track)
        clip = make_clip(f"artist-{artist.pk}", artist=artist, revision=revision, **fields)
        tag = TimbreTag.objects.first()
        ballot = Ballot.objects.create(clip=clip, rater=UserFactory())
        Vote.objects.create(ballot=ballot, tag=tag, answer=Answer.YES)
        Adjudication.objects.create(clip=clip, tag=tag, answer=Answer.NO)
        TagExample.objects.create(clip=clip, tag=tag, shows=Answer.YES)
        CutRecording.objects.create(revision=revision, cutting_version="1", clips=1)
        return clip

    return make


def files_of(clip: VoiceClip) -> list[str]:
    return [name for name in (clip.file, picture_name(clip)) if default_storage.exists(name)]


def assert_gone(clip: VoiceClip) -> None:
    assert files_of(clip) == []
    for model in (Ballot, Adjudication, TagExample):
        assert not model.objects.filter(clip=clip.pk).exists()
    assert not Vote.objects.filter(ballot__clip=clip.pk).exists()
    assert not VoiceClip.objects.filter(pk=clip.pk).exists()
    assert not CutRecording.objects.filter(revision=clip.revision_id).exists()


def assert_there(clip: VoiceClip) -> None:
    assert len(files_of(clip)) == 2
    assert Ballot.objects.filter(clip=clip.pk).count() == 1
    assert VoiceClip.objects.filter(pk=clip.pk).exists()


def test_artist_takes_everything_back(artist, labelled, client, commit):
    one, two = labelled(artist), labelled(artist)
    other = labelled(ArtistFactory(may_train=True))
    client.force_login(artist.user)
    with commit():
        client.post(reverse("artist_consent"), {"allow": "no"})
    assert_gone(one)
    assert_gone(two)
    assert_there(other)
    assert client.get(reverse("voice_clip_audio", args=[one.pk])).status_code == 404


def test_artist_takes_one_track_back(artist, labelled, client, commit):
    one, two = labelled(artist), labelled(artist)
    client.force_login(artist.user)
    with commit():
        client.post(
            reverse("library_bulk"),
            {"action": "end_training", "track": [str(one.revision.track_id)]},
        )
    assert_gone(one)
    assert_there(two)


@pytest.mark.parametrize("what", ["track", "revision", "account", "reference"])
def test_what_is_deleted_takes_its_clips_along(artist, labelled, commit, what):
    clip = labelled(artist)
    other = labelled(ArtistFactory(may_train=True))
    with commit():
        if what == "track":
            services.delete_track(clip.revision.track)
        elif what == "revision":
            clip.revision.delete()
        elif what == "account":
            services.delete_account(artist.user)
        else:
            track = clip.revision.track
            services.update_track(
                track, title=track.title, version="", composer="", isrc="", release_date=None,
                discoverable=False, is_reference=True,
            )  # fmt: skip
    assert_gone(clip)
    assert_there(other)


def test_snapshots_and_lists_of_mistakes_forget_the_clips(artist, labelled, commit):
    gone, stays = labelled(artist), labelled(ArtistFactory(may_train=True))
    rows = [
        {"clip": clip.content_sha256, "name": clip.name, "labels": {"warm": 1.0}}
        for clip in (stays, gone)
    ]
    snapshot = LabelSnapshot.objects.create(sha256="a" * 64, rows=rows, clips=2, singers=2)
    untouched = LabelSnapshot.objects.create(sha256="b" * 64, rows=rows[:1], clips=1, singers=1)
    version = ModelVersion.objects.create(model="timbre", identity="x", sha256="c", manifest={})
    comparison = ModelComparison.objects.create(
        candidate=version,
        baseline=version,
        held_out_sha256="d",
        figures={},
        mistakes=[{"clip": str(gone.pk), "tag": "warm"}, {"clip": str(stays.pk), "tag": "warm"}],
        verdict="better",
    )
    with commit():
        services.set_artist_consent(artist, allow=False, by=artist.user)
    for row in (snapshot, untouched, comparison):
        row.refresh_from_db()
    assert snapshot.rows == rows[:1]
    assert (snapshot.sha256, snapshot.clips, snapshot.withdrawn_clips) == ("a" * 64, 2, 1)
    assert (untouched.rows, untouched.withdrawn_clips) == (rows[:1], 0)
    assert [mistake["clip"] for mistake in comparison.mistakes] == [str(stays.pk)]


def test_a_withdrawal_that_fails_deletes_nothing(artist, labelled, monkeypatch, commit):
    clip = labelled(artist)

    def failing(*args, **kwargs):
        raise RuntimeError("no more room for the record")

    monkeypatch.setattr("catalog.services.consent._announce", failing)
    with commit(), pytest.raises(RuntimeError):
        services.set_artist_consent(artist, allow=False, by=artist.user)
    assert_there(clip)


def test_housekeeping_finds_what_lost_its_consent_by_another_way(artist, labelled, commit):
    clip, other = labelled(artist), labelled(ArtistFactory(may_train=True))
    Track.objects.filter(pk=clip.revision.track_id).update(may_train=False)
    with commit():
        withdrawing.housekeeping()
    assert_gone(clip)
    assert_there(other)


def test_housekeeping_drops_files_that_no_row_names(artist, labelled, monkeypatch):
    clip, orphan = labelled(artist), labelled(artist)
    VoiceClip.objects.filter(pk=orphan.pk).update(file="elsewhere")
    assert withdrawing.remove_orphans() == 0  # it may be on its way to a row
    monkeypatch.setattr(withdrawing, "_SETTLED", -timezone.timedelta(seconds=60))
    assert withdrawing.remove_orphans() == 1
    assert files_of(orphan) == []
    assert_there(clip)


def test_housekeeping_cuts_recordings_again_once_a_day_at_most(artist, labelled, commit):
    cuts = CutRecording.objects.filter(revision=labelled(artist).revision_id)
    cuts.update(identical=1)
    cache.set(withdrawing._WALK_KEY, True)
    with commit():
        withdrawing.housekeeping()
    assert cuts.exists()
    assert PoolRun.objects.get().scope == {"walk": False}  # for the model to hear the clip
    cache.delete(withdrawing._WALK_KEY)
    with commit():
        withdrawing.housekeeping()
    assert not cuts.exists()
    assert PoolRun.objects.get().scope == {"again": True}


def test_housekeeping_asks_for_what_the_serving_model_has_not_heard(make_clip, commit):
    make_clip(predicted_by="timbre-0.1-old")
    with commit():
        withdrawing.housekeeping()
    assert PoolRun.objects.get().scope == {"walk": False}
