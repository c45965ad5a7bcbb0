"""Targets of an artist's own tracks, and from files that anybody may have written."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest

from analysis.mixing import load_targets
from analysis.mixing.judge import MixReport, rejudge
from analysis.mixing.own_targets import (
    TOLERANCE_DB,
    ReferenceTrack,
    UnusableTarget,
    from_document,
    target_of_tracks,
    to_document,
)
from tests.analysis.mixing.mixes import bell, judged, judged_sound, music, stored
from tests.analysis.sound.demo_truth import demo_tracks, measured


def reference(report: MixReport, *, weight: float = 1.0) -> ReferenceTrack:
    return ReferenceTrack(
        report.curve.measured_db, [band.measured_db for band in report.bands], weight
    )


def album() -> list[ReferenceTrack]:
    return [reference(judged(measured(track.path))) for track in demo_tracks()[:8]]


def test_a_track_has_no_finding_against_itself():
    targets = load_targets()
    for number in (0, 9, 17):
        document = stored(number, genre="metal")
        own = target_of_tracks("Itself", [ReferenceTrack.of_document(document)], targets=targets)
        mix = rejudge(document, genre=own, targets=targets)
        assert mix["genre"] == "Itself"
        assert not [finding for finding in mix["findings"] if finding["category"] == "tonal"]
        assert [band["outside_db"] for band in mix["bands"]] == [0.0] * 7


def test_the_corridor_is_as_wide_as_the_tracks_differ_but_not_narrower_than_ears_forgive():
    targets = load_targets()
    one = target_of_tracks("One", album()[:1], targets=targets)
    many = target_of_tracks("Many", album(), targets=targets)
    width = np.subtract(one.moves.p90_db, one.moves.p10_db)
    assert width == pytest.approx(2 * TOLERANCE_DB)
    assert (np.subtract(many.moves.p90_db, many.moves.p10_db) >= 2 * TOLERANCE_DB - 1e-9).all()
    assert np.subtract(many.moves.p90_db, many.moves.p10_db).mean() > 4 * TOLERANCE_DB
    assert (one.n_tracks, many.n_tracks) == (1, 8)


def test_weights_count():
    targets = load_targets()
    first, second = album()[:2]
    only_first = target_of_tracks("a", [first, replace(second, weight=0.0)], targets=targets)
    alone = target_of_tracks("a", [first], targets=targets)
    assert only_first.curve.median_db == pytest.approx(alone.curve.median_db, abs=0.02)
    assert only_first.n_tracks == 1
    three = target_of_tracks("a", [replace(first, weight=3.0), second], targets=targets)
    twice = target_of_tracks("a", [first, first, first, second], targets=targets)
    assert three.curve.median_db == pytest.approx(twice.curve.median_db, abs=0.02)


@pytest.mark.parametrize("weights", [[], [0.0], [-1.0], [float("nan")]])
def test_no_tracks_make_no_target(weights):
    tracks = [replace(album()[0], weight=weight) for weight in weights]
    with pytest.raises(UnusableTarget):
        target_of_tracks("a", tracks, targets=load_targets())


def test_a_changed_mix_is_told_against_its_own_reference(tmp_path):
    targets = load_targets()
    sound = music(3)
    own = target_of_tracks("v1", [reference(judged_sound(tmp_path, sound))], targets=targets)
    hurt = judged_sound(tmp_path, bell(sound, hz=310.0, q=1.2, gain_db=4.0), target=own)
    (finding,) = [finding for finding in hurt.findings if finding.category == "tonal"]
    assert abs(np.log2(finding.advice.freq_hz / 310.0)) <= 1 / 3
    assert finding.amount_db > 0
    assert "“v1”" in finding.explanation


def test_a_file_brings_back_what_was_written():
    targets = load_targets()
    own = target_of_tracks("Night", album()[:3], targets=targets)
    text = json.dumps(to_document(own))
    assert from_document(json.loads(text), targets=targets) == own


def broken(**changes) -> dict:
    document = to_document(target_of_tracks("Night", album()[:2], targets=load_targets()))
    return {**json.loads(json.dumps(document)), **changes}


@pytest.mark.parametrize(
    ("document", "message"),
    [
        ([], "not a mix target"),
        ({"format": "something else"}, "format"),
        (broken(genre=""), "name"),
        (broken(genre=7), "name"),
        (broken(genre="x" * 61), "60"),
        (broken(bands=[]), "bands"),
        (broken(bands="low"), "bands"),
        (broken(curve=None), "missing"),
        (broken(moves={"p10_db": [0.0], "p90_db": [0.0]}), "moves.p10_db"),
        (broken(moves={"p10_db": [float("nan")] * 32, "p90_db": [1.0] * 32}), "beyond"),
        (broken(moves={"p10_db": [10**400] * 32, "p90_db": [1.0] * 32}), "beyond"),
        (broken(moves={"p10_db": ["1"] * 32, "p90_db": [1.0] * 32}), "numbers"),
        (broken(moves={"p10_db": [True] * 32, "p90_db": [1.0] * 32}), "numbers"),
        (broken(moves={"p10_db": [2.0] * 32, "p90_db": [1.0] * 32}), "above"),
    ],
)
def test_a_file_of_another_kind_is_refused(document, message):
    with pytest.raises(UnusableTarget, match=message):
        from_document(document, targets=load_targets())


def test_an_old_report_cannot_be_a_reference():
    document = stored(0, genre="metal")
    document["mix"].pop("curve")
    with pytest.raises(UnusableTarget, match="listen to it again"):
        ReferenceTrack.of_document(document)
    mix = rejudge(document, genre="jazz", targets=load_targets())
    assert mix["curve"] is None
    assert not [finding for finding in mix["findings"] if finding["category"] == "tonal"]
