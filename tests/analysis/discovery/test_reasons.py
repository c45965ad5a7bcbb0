"""Reasons are made from what was measured in both tracks, and from nothing else."""

from __future__ import annotations

import numpy as np
import pytest

from analysis.discovery import percentiles, sections
from analysis.discovery.models import EmbeddingSpace
from analysis.discovery.reasons import Heard, reasons
from analysis.discovery.request import Asker, SearchRequest, Seed
from analysis.discovery.search import search
from analysis.discovery.sections import Sections
from analysis.discovery.why import reasons_of
from analysis.models import Report, Stage
from tests.analysis.discovery.catalogue import at, heard
from tests.factories import ArtistFactory, ReportFactory, document


def why(one, other, **others):
    return reasons(Heard(one, **others.get("a", {})), Heard(other, **others.get("b", {})), most=9)


def test_what_is_shared_is_named():
    found = reasons(Heard(document()), Heard(document()))
    assert found[:3] == ["same tempo, 120 BPM", "same key, A minor", "both heard as jazz"]
    assert len(found) == 4


def test_a_genre_nobody_is_sure_of_is_no_reason():
    unsure = document(genre={"label": "jazz", "decided": False})
    assert "both heard as jazz" not in why(document(), unsure)


def test_double_time_is_named():
    slow, fast = document(tempo={"bpm": 70.0}), document(tempo={"bpm": 141.0})
    assert "tempo at half or double time" in why(slow, fast)
    assert "tempo at half or double time" in why(fast, slow)


def test_keys_that_go_together_are_named():
    relative = document(key={"tonic": "C", "mode": "major"})
    assert "its key, C major, goes with this one" in why(document(), relative)
    far = document(key={"tonic": "D#", "mode": "minor"})
    assert not any("key" in phrase for phrase in why(document(), far))


def test_nothing_in_common_gives_no_reasons():
    other = document(
        tempo={"bpm": 87.0},
        key={"tonic": "F#", "mode": "major"},
        genre={"label": "metal", "decided": True},
        features={"energy": 1.0, "danceability": 0.0, "acousticness": 0.0, "valence": 0.0},
    )
    assert why(document(), other) == []


def test_missing_tempo_and_key_are_no_reason():
    nothing = document(tempo={"bpm": None}, key={"tonic": None, "mode": None})
    assert not any("tempo" in r or "key" in r for r in why(nothing, nothing))


@pytest.mark.parametrize(("apart_db", "said"), [(2.9, True), (3.1, False)])
def test_tonal_balance_counts_in_every_band(apart_db, said):
    bands = [{"level_db": -20.0}, {"level_db": -25.0}, {"level_db": None}]
    others = [{"level_db": -20.5}, {"level_db": -25.0 + apart_db}, {"level_db": -3.0}]
    found = why(document(mix={"bands": bands}), document(mix={"bands": others}))
    assert ("tonal balance within 3 dB in every band" in found) is said


def stems(**levels_db):
    return {"stems": [{"name": n, "level_db": level} for n, level in levels_db.items()]}


def test_stems_that_are_as_loud_in_both_mixes_are_named():
    a = {"stems": stems(drums=-20.0, bass=-22.0, vocals=-18.0, other=-24.0)}
    # Ten decibels louder in all: the mix is the same. The voice is as good as gone.
    b = {"stems": stems(drums=-9.0, bass=-12.0, vocals=-60.0, other=-13.0)}
    assert "drums, bass and other instruments as loud in the mix" in why(
        document(), document(), a=a, b=b
    )
    assert not any("loud in the mix" in r for r in why(document(), document(), a=a))


def test_a_timbre_that_both_voices_have_is_named():
    def singing(**tags):
        return {
            "voice": {"singing": True, "tags": {n: {"probability": p} for n, p in tags.items()}}
        }

    a, b = singing(breathy=0.9, warm=0.7, rough=0.1), singing(breathy=0.8, warm=0.4, rough=0.9)
    assert "both voices breathy" in why(document(), document(), a=a, b=b)
    none = {"voice": {"singing": False, "tags": {}}}
    assert "both without a voice" in why(document(), document(), a=none, b=none)
    assert not any("voice" in r for r in why(document(), document(), a=a, b=none))


@pytest.mark.django_db
def test_hits_are_explained_by_their_own_reports_in_few_queries(django_assert_num_queries):
    artist = ArtistFactory()
    start = heard(artist, at(0))
    same_tempo = heard(artist, at(10), report={"document": document(key={"tonic": None})})
    same_key = heard(artist, at(20), report={"document": document(tempo={"bpm": 87.0})})
    for track, singing in ((start, True), (same_tempo, True), (same_key, False)):
        ReportFactory(
            content_sha256=track.revisions.get().content_sha256,
            stage=Stage.VOICE,
            document={"singing": singing, "tags": {"warm": {"probability": 0.8}}},
        )
    report = Report.objects.get(
        content_sha256=start.revisions.get().content_sha256, stage=Stage.LISTEN
    )
    hits = search(SearchRequest(Asker.of_artist(artist), [Seed.track(start.pk)]))
    with django_assert_num_queries(4):
        found = reasons_of(report, hits)
    assert found[same_tempo.pk][0] == "same tempo, 120 BPM"
    assert "both voices warm" in found[same_tempo.pk]
    assert found[same_key.pk][0] == "same key, A minor"
    assert "both voices warm" not in found[same_key.pk]

    axes = np.eye(128, dtype=np.float32)
    table = [float(x) for x in np.linspace(0.0, 1.2, len(percentiles.SHARES))]
    EmbeddingSpace.objects.update(section_quantiles=table)
    places = {start: [0, 1, 2], same_tempo: [5, 6, 1], same_key: [7, 8, 9]}
    for track, rows in places.items():
        own = Report.objects.get(
            content_sha256=track.revisions.get().content_sha256, stage=Stage.LISTEN
        )
        sections.store(own, Sections([0.0, 60.0, 125.0], [9.9, 69.9, 134.9], axes[rows]))
    found = reasons_of(report, hits)
    assert found[same_tempo.pk][-1] == "1:00 here is like 2:05 there"
    assert not any("here is like" in phrase for phrase in found[same_key.pk])
