"""A voice beside the voices of its genre."""

from __future__ import annotations

import json
from dataclasses import asdict, replace

import numpy as np
import pytest

from analysis.mixing import load_targets, rejudge
from analysis.mixing.evidence import Evidence
from analysis.mixing.judge import judge_evidence
from analysis.sound.stem_evidence import StemEvidence
from analysis.sound.vocal_balance import VocalBalance
from analysis.training.labelled_files import UnusableCorpus
from analysis.training.measure_vocals import vocal_ranges
from tests.analysis.mixing.mixes import stored


def judged(ratio_lu: float, *, genre: str = "pop"):
    evidence = Evidence.from_document(stored(0, genre=genre))
    balance = VocalBalance(ratio_lu, 0.6, 12.0, 40.0)
    targets = load_targets()
    evidence = evidence.with_stems(StemEvidence({}, balance))
    return judge_evidence(evidence, target=targets.of(genre), targets=targets)


def voices_of(report):
    return [finding for finding in report.findings if finding.category == "voice"]


def test_a_buried_voice_is_told_with_place_amount_and_a_moderate_move():
    low = load_targets().of("pop").vocals.p10_lu
    (finding,) = voices_of(judged(low - 6.0))
    assert finding.title == "The voice is buried"
    assert finding.amount_db == pytest.approx(-6.0, abs=0.01)
    assert finding.severity == "warning"
    assert (finding.where.start_s, finding.where.end_s) == (10.5, 13.5)
    assert "up by 3.0 dB" in finding.advice.text
    assert f"{low:+.1f}".replace("-", "−") in finding.explanation
    assert finding.advice.gain_db is None, "no equaliser heals it"


def test_a_voice_in_front_is_turned_down_to_just_inside():
    high = load_targets().of("pop").vocals.p90_lu
    (finding,) = voices_of(judged(high + 1.5))
    assert finding.title == "The voice stands far in front"
    assert finding.severity == "advice"
    assert "down by 2.0 dB" in finding.advice.text
    assert finding.where.start_s == 38.5


@pytest.mark.parametrize("outside", [-0.9, 0.0, 0.9])
def test_what_the_separation_cannot_tell_is_not_said(outside):
    usual = load_targets().of("pop").vocals
    ratio = usual.median_lu if outside == 0 else (usual.p90_lu if outside > 0 else usual.p10_lu)
    assert voices_of(judged(ratio + outside)) == []


def test_a_genre_without_singers_takes_the_range_of_all():
    targets = load_targets()
    assert targets.of("classical").vocals == targets.of("any").vocals
    report = judged(-20.0, genre="classical")
    assert report.vocals.genre == "any"
    assert "sung tracks" in voices_of(report)[0].explanation


def test_stems_that_come_later_are_judged_with_the_stored_report():
    document = json.loads(json.dumps(stored(0, genre="pop")))
    targets = load_targets()
    assert rejudge(document, genre="pop", targets=targets)["vocals"] is None
    stems = StemEvidence(
        {"vocals": [-10.0] * 24, "other": [-9.0] * 24}, VocalBalance(-15.0, 0.6, 12.0, 40.0)
    )
    mix = rejudge(document, genre="pop", targets=targets, stems=stems)
    assert mix["vocals"]["ratio_lu"] == -15.0
    assert "vocal_balance" in [finding["id"] for finding in mix["findings"]]
    again = rejudge({**document, "mix": mix}, genre="rock", targets=targets)
    assert again["vocals"]["outside_db"] == pytest.approx(
        -15.0 - targets.of("rock").vocals.p10_lu, abs=0.01
    )


def test_an_own_target_says_nothing_about_voices():
    targets = load_targets()
    own = replace(targets.of("pop"), is_own=True, vocals=None)
    evidence = Evidence.from_document(stored(0, genre="pop"))
    stems = StemEvidence({}, VocalBalance(-15.0, 0.6, None, None))
    report = judge_evidence(evidence.with_stems(stems), target=own, targets=targets)
    assert voices_of(report) == []
    assert report.vocals.outside_db is None
    json.dumps(asdict(report), allow_nan=False)


def test_few_tracks_of_a_genre_lean_on_all():
    generator = np.random.default_rng(2)
    ratios = {"pop": list(generator.normal(-3, 3, 200)), "opera": [6.0, 6.0]}
    ranges = vocal_ranges(ratios)
    every = np.array(ratios["pop"] + ratios["opera"])
    assert ranges["any"]["median_lu"] == pytest.approx(np.median(every), abs=0.01)
    assert ranges["opera"]["median_lu"] == pytest.approx(
        (2 * 6.0 + 16 * np.median(every)) / 18, abs=0.01
    )
    assert ranges["pop"]["p10_lu"] == pytest.approx(np.percentile(ratios["pop"], 10), abs=0.1)
    with pytest.raises(UnusableCorpus, match="only 3 files"):
        vocal_ranges({"pop": [1.0, 2.0, 3.0]})
