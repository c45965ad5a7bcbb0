"""The mix engineer on real music, whole and injured."""

from __future__ import annotations

import json
from dataclasses import asdict, replace
from functools import cache
from itertools import combinations

import numpy as np
import pytest
import scipy.signal

from analysis.mixing import judge, load_targets, rejudge
from analysis.mixing.findings import CHECKS, Advice, Check, Finding, Where, register
from analysis.mixing.judge import (
    MOST_FINDINGS,
    MixReport,
    moves_of_findings,
    output_gain_db,
    together_moderate,
)
from analysis.mixing.tonal import SMALLEST_WORTH_DB
from analysis.sound.equaliser import response_db
from analysis.sound.measure import measure
from analysis.sound.mel import log_mel
from analysis.sound.spectrum import BANDS
from analysis.sound.stem_evidence import stem_evidence
from tests.analysis.mixing.mixes import bell, judged, judged_sound, music, stored
from tests.analysis.sound.demo_truth import demo_tracks, measured
from tests.analysis.sound.signals import write

BAND_CENTRES = {name: (low * min(high, 11_025.0)) ** 0.5 for name, low, high in BANDS}


@cache
def balanced() -> int:
    """Number of a demo track without a tonal finding against all genres."""
    for number, track in enumerate(demo_tracks()):
        if not tonal_of(judged(measured(track.path))):
            return number
    raise AssertionError("no demo track is balanced")


def tonal_of(report: MixReport) -> list[Finding]:
    return [finding for finding in report.findings if finding.category == "tonal"]


@pytest.mark.parametrize("genre", ["any", "pop", "classical", "metal"])
def test_advice_on_finished_music_is_moderate(genre):
    """The first version of this product advised +37.6 dB on a finished track."""
    for track in demo_tracks():
        report = judged(measured(track.path), genre=genre)
        json.dumps(asdict(report), allow_nan=False)
        assert len(report.findings) <= MOST_FINDINGS
        moved = [finding for finding in report.findings if finding.advice.gain_db is not None]
        for finding in moved:
            assert 0 < abs(finding.advice.gain_db) <= 3.0
            assert 20 <= finding.advice.freq_hz <= 20_000
        hertz = np.geomspace(20, 20_000, 500)
        together = response_db(moves_of_findings(report.findings), hertz, 44_100)
        assert np.abs(together).max() <= 3.15  # gains are rounded to 0.1 dB
        tonal = tonal_of(report)
        assert len({finding.id for finding in tonal}) == len(tonal)
        for one, other in combinations([f for f in tonal if f.advice.gain_db], 2):
            apart = abs(np.log2(one.advice.freq_hz / other.advice.freq_hz))
            assert apart > 0.9 or one.advice.gain_db * other.advice.gain_db > 0
        for finding in tonal:
            assert abs(finding.amount_db) >= SMALLEST_WORTH_DB - 0.01
            assert finding.amount_db * (finding.advice.gain_db or -finding.amount_db) < 0
            # Nothing inside the corridor is advised: the curve leaves it there, on that side.
            n = len(report.curve.level_db)
            low, high = finding.where.low_hz, finding.where.high_hz
            at = [low * 0.99 <= hz <= high * 1.01 for hz in report.curve.frequencies_hz[:n]]
            level = np.array(report.curve.level_db)[at]
            if finding.amount_db > 0:
                assert (level > np.array(report.curve.p90[:n])[at]).any()
            else:
                assert (level < np.array(report.curve.p10[:n])[at]).any()


def test_most_demo_tracks_are_not_lectured():
    reports = [judged(measured(track.path)) for track in demo_tracks()]
    assert np.mean([len(tonal_of(report)) for report in reports]) <= 2.0


def test_the_moves_leave_the_loudness_as_it_was(tmp_path):
    hurt = bell(music(balanced()), hz=BAND_CENTRES["low_mids"], q=1.0, gain_db=12.0)
    report = judged_sound(tmp_path, hurt)
    moves = moves_of_findings(report.findings)
    assert moves
    spectrum = np.abs(np.fft.rfft(hurt.mean(axis=0).astype(np.float64))) ** 2
    hertz = np.fft.rfftfreq(hurt.shape[1], 1 / 48_000)
    heard = (hertz > 36) & (hertz < 9_200)  # where the curve lies
    gain = 10 ** (response_db(moves, hertz[heard], 48_000) / 10)
    changed = 10 * np.log10((spectrum[heard] * gain).sum() / spectrum[heard].sum())
    assert changed + report.output_gain_db == pytest.approx(0.0, abs=0.25)


def test_no_moves_need_no_gain():
    report = judged(measured(demo_tracks()[balanced()].path))
    assert output_gain_db([], report.curve) == 0.0


def test_the_curve_lies_over_its_corridor():
    """Levels of the curve are comparable with the corridor: the middle one is on the median."""
    report = judged(measured(demo_tracks()[balanced()].path))
    n = len(report.curve.level_db)
    assert report.curve.frequencies_hz[n - 1] < 9_850 < report.curve.frequencies_hz[n]
    difference = np.array(report.curve.level_db) - np.array(report.curve.median[:n])
    assert np.median(difference) == pytest.approx(0.0, abs=0.02)


def ids(report) -> set[str]:
    return {finding.id for finding in report.findings}


def test_a_hot_master_is_told_its_true_peak(tmp_path):
    sound = music(balanced()) * 2.2
    report = judged_sound(tmp_path, sound)
    finding = next(f for f in report.findings if f.id == "true_peak")
    assert finding.severity == "warning"
    assert finding.amount_db == pytest.approx(20 * np.log10(1.1) + 1.0, abs=0.6)
    assert "true_peak" not in ids(judged_sound(tmp_path, music(balanced())))


def test_clipping_is_found_where_it_is(tmp_path):
    sound = music(balanced()).copy()
    middle = slice(10 * 48_000, 12 * 48_000)
    sound[:, middle] = np.clip(sound[:, middle] * 8, -1.0, 1.0)
    report = judged_sound(tmp_path, sound)
    finding = next(f for f in report.findings if f.id == "clipping")
    assert finding.severity == "warning"
    assert 10.0 <= finding.where.start_s <= finding.where.end_s <= 12.0


def test_a_crushed_mix_is_told_to_breathe(tmp_path):
    sound = np.tanh(music(balanced()) * 20) * 0.85
    finding = next(
        f
        for f in judged_sound(tmp_path, sound.astype(np.float32)).findings
        if f.id == "over_limited"
    )
    assert finding.category == "dynamics"
    assert finding.amount_db < 0


def test_a_quiet_mix_is_told_so_but_a_quiet_string_quartet_is_not(tmp_path):
    sound = music(balanced()) * np.float32(0.12)
    assert "quiet" in ids(judged_sound(tmp_path, sound, genre="pop"))
    moderate = judged_sound(tmp_path, music(balanced()) * np.float32(0.5), genre="classical")
    assert "quiet" not in ids(moderate)


def test_faults_of_the_file(tmp_path):
    sound = music(balanced())
    assert "dc_offset" in ids(judged_sound(tmp_path, sound + np.float32(0.02)))
    silence = np.zeros((2, 8 * 48_000), np.float32)
    late = judged_sound(tmp_path, np.concatenate([silence, sound], axis=1))
    finding = next(f for f in late.findings if f.id == "silence")
    assert finding.where.end_s == pytest.approx(8.0, abs=0.3)


def test_faults_of_the_stereo_image(tmp_path):
    sound = music(balanced())
    flipped = judged_sound(tmp_path, np.stack([sound[0], -sound[0] * 0.9]))
    assert flipped.findings[0].id == "phase"
    assert flipped.findings[0].severity == "warning"
    mono = judged_sound(tmp_path, np.stack([sound[0], sound[0]]))
    assert "narrow" in ids(mono)
    assert ids(mono).isdisjoint({"phase", "phase_low", "balance"})
    leaning = judged_sound(tmp_path, np.stack([sound[0], sound[0] * 0.5]))
    finding = next(f for f in leaning.findings if f.id == "balance")
    assert "left" in finding.title
    assert finding.amount_db == pytest.approx(6.02 - 1.5, abs=0.1)
    one_side = judged_sound(tmp_path, np.stack([sound[0], sound[0] * 0]))
    assert "balance" in ids(one_side)
    true_mono = judged_sound(tmp_path, sound[:1])
    assert not any(finding.category == "stereo" for finding in true_mono.findings)


def test_a_stretch_out_of_phase_is_found_in_time(tmp_path):
    sound = np.stack([music(balanced())[0]] * 2)
    sound[1, 5 * 48_000 : 11 * 48_000] *= -1
    finding = next(f for f in judged_sound(tmp_path, sound).findings if f.id == "phase")
    assert (finding.where.start_s, finding.where.end_s) == (5.0, 11.0)


def test_findings_are_ordered_by_gravity(tmp_path):
    sound = bell(music(balanced()), hz=BAND_CENTRES["high_mids"], q=1.0, gain_db=12.0)
    report = judged_sound(tmp_path, np.clip(sound * 3, -1, 1) + np.float32(0.002))
    ranks = [{"warning": 2, "advice": 1, "info": 0}[f.severity] for f in report.findings]
    assert len(ranks) >= 3
    assert ranks == sorted(ranks, reverse=True)


def test_an_unknown_genre_is_judged_against_all_tracks():
    report = judged(measured(demo_tracks()[0].path), genre="zydeco")
    assert report.genre == "any"
    assert report.n_tracks == 639


def test_a_second_check_of_the_same_name_is_refused():
    assert len({check.id for check in CHECKS}) == len(CHECKS)
    with pytest.raises(ValueError, match="true_peak"):

        @register
        class Again(Check):
            id = "true_peak"
            category = "loudness"

            def findings(self, case):
                yield from ()


@pytest.mark.parametrize("number", [0, 9, 17, 27])
def test_judging_a_stored_report_again_is_as_good_as_judging_the_sound(number):
    again = rejudge(stored(number, genre="metal"), genre="jazz", targets=load_targets())
    fresh = asdict(judged(measured(demo_tracks()[number].path), genre="jazz"))
    assert json.loads(json.dumps(again)) == json.loads(json.dumps(fresh))


def test_a_finding_says_whose_sound_it_is():
    """A second stem that fills 250 to 450 Hz of a balanced track: the build-up is its."""
    whole = measured(demo_tracks()[balanced()].path)
    low = scipy.signal.butter(2, [250, 450], "bandpass", fs=22_050, output="sos")
    stems = {
        "other": whole.mono_22k,
        "bass": 5 * scipy.signal.sosfilt(low, whole.mono_22k).astype(np.float32),
    }
    mix = stems["other"] + stems["bass"]
    sound = replace(whole, mono_22k=mix)
    report = judge(
        sound, genre="any", picture=log_mel(mix), targets=load_targets(), stems=stem_evidence(stems)
    )
    finding = next(f for f in tonal_of(report) if 200 < f.advice.freq_hz < 500)
    assert finding.amount_db > 0
    assert finding.stems[0].name == "bass"
    assert finding.stems[0].share > 0.7
    assert sum(stem.share for stem in finding.stems) == pytest.approx(1.0, abs=0.01)
    assert "“bass”" in finding.explanation
    assert all(finding.stems == [] for finding in judged(sound).findings)


def test_a_build_up_in_one_part_says_when(tmp_path):
    """12 dB of mud in the second quarter of a balanced track."""
    sound = music(balanced()).copy()
    quarter = sound.shape[1] // 4
    muddy = bell(sound, hz=BAND_CENTRES["low_mids"], q=1.0, gain_db=14.0)
    sound[:, quarter : 2 * quarter] = muddy[:, quarter : 2 * quarter]
    (finding, *_) = [f for f in tonal_of(judged_sound(tmp_path, sound)) if f.amount_db > 0]
    assert finding.where.start_s == pytest.approx(quarter / 48_000, abs=2.5)
    assert finding.where.end_s == pytest.approx(2 * quarter / 48_000, abs=2.5)


def test_moves_side_by_side_share_the_three_decibels():
    def finding(hertz: float) -> Finding:
        advice = Advice("Boost 3.0 dB there.", type="bell", freq_hz=hertz, q=1.0, gain_db=3.0)
        return Finding("x", "tonal", "advice", "", "", Where(), 4.0, 1.0, advice, 1.0)

    near = together_moderate([finding(1_000.0), finding(2_200.0)])
    gains = [one.advice.gain_db for one in near]
    assert all(2.0 < gain < 3.0 for gain in gains)
    hertz = np.geomspace(20, 20_000, 2_000)
    assert np.abs(response_db(moves_of_findings(near), hertz, 44_100)).max() <= 3.1
    assert f"Boost {gains[1]:.1f} dB" in near[1].advice.text
    far = together_moderate([finding(100.0), finding(8_000.0)])
    assert [one.advice.gain_db for one in far] == [3.0, 3.0]
    crowd = together_moderate([finding(1_000.0 + 10 * k) for k in range(7)])
    left = [one for one in crowd if one.advice.gain_db]
    assert 1 <= len(left) < 7
    assert all(one.advice.gain_db >= 0.5 for one in left)
    assert np.abs(response_db(moves_of_findings(crowd), hertz, 44_100)).max() <= 3.1
    assert "other moves" in crowd[-1].advice.text


def test_a_telephone_recording_is_not_judged_by_its_treble(tmp_path):
    slow = scipy.signal.resample_poly(music(balanced()), 11_025, 48_000, axis=1)
    path = write(tmp_path / "slow.wav", slow.astype(np.float32), rate=11_025)
    report = judged(measure(path))
    assert not tonal_of(report)
    finding = next(f for f in report.findings if f.id == "tone_unjudged")
    assert "5.5 kHz" in finding.explanation


def test_what_cancels_in_mono_is_not_judged_by_what_is_left(tmp_path):
    left = music(balanced())[0]
    report = judged_sound(tmp_path, np.stack([left, -left]))
    assert not tonal_of(report)
    assert {"phase", "tone_unjudged"} <= ids(report)
