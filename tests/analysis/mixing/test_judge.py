"""The mix engineer on real music, whole and injured."""

from __future__ import annotations

import json
from dataclasses import asdict
from functools import cache
from itertools import pairwise

import numpy as np
import pytest

from analysis.mixing import load_targets, rejudge
from analysis.mixing.findings import CHECKS, Check, register
from analysis.mixing.judge import MOST_FINDINGS, output_gain_db
from analysis.sound.spectrum import BANDS
from tests.analysis.mixing.mixes import bell, judged, judged_sound, music
from tests.analysis.sound.demo_truth import demo_tracks, measured

BAND_CENTRES = {name: (low * min(high, 11_025.0)) ** 0.5 for name, low, high in BANDS}


@cache
def balanced() -> int:
    """Number of a demo track all of whose bands lie inside the corridor of all genres."""
    for number, track in enumerate(demo_tracks()):
        if all(band.outside_db == 0.0 for band in judged(measured(track.path)).bands):
            return number
    raise AssertionError("no demo track is balanced")


@pytest.mark.parametrize("genre", ["any", "pop", "classical", "metal"])
def test_advice_on_finished_music_is_moderate(genre):
    for track in demo_tracks():
        report = judged(measured(track.path), genre=genre)
        json.dumps(asdict(report), allow_nan=False)
        assert len(report.findings) <= MOST_FINDINGS
        moved = [finding for finding in report.findings if finding.advice.gain_db is not None]
        outside = {f"tonal_{band.name}": band.outside_db for band in report.bands}
        for finding in moved:
            gain = finding.advice.gain_db
            assert abs(gain) <= 3.0
            assert outside[finding.id] * gain < 0
            assert 20 <= finding.advice.freq_hz <= 11_025
        names = [band.name for band in report.bands]
        gains = {finding.id.removeprefix("tonal_"): finding.advice.gain_db for finding in moved}
        for lower, upper in pairwise(names):
            assert gains.get(lower, 0.0) * gains.get(upper, 0.0) >= 0


def test_most_demo_tracks_are_not_lectured():
    reports = [judged(measured(track.path)) for track in demo_tracks()]
    tonal = [sum(finding.category == "tonal" for finding in r.findings) for r in reports]
    assert np.mean(tonal) <= 2.0


@pytest.mark.parametrize("name", ["low_mids", "mids", "high_mids", "presence"])
@pytest.mark.parametrize("gain_db", [9.0, -12.0])
def test_an_injured_band_is_found_with_the_right_sign(tmp_path, name, gain_db):
    # Two octaves of mids want a broader bell than the octave bands around them.
    q, gain_db = (0.6, 1.5 * gain_db) if name == "mids" else (1.2, gain_db)
    hurt = bell(music(balanced()), hz=BAND_CENTRES[name], q=q, gain_db=gain_db)
    report = judged_sound(tmp_path, hurt)
    found = {finding.id: finding for finding in report.findings}
    assert f"tonal_{name}" in found
    finding = found[f"tonal_{name}"]
    assert np.sign(finding.amount_db) == np.sign(gain_db)
    assert np.sign(finding.advice.gain_db) == -np.sign(gain_db)
    low, high = finding.where.low_hz, finding.where.high_hz
    assert low <= BAND_CENTRES[name] <= high
    tonal = [f for f in report.findings if f.category == "tonal"]
    assert max(tonal, key=lambda f: abs(f.amount_db)).id == f"tonal_{name}"


def test_six_decibels_of_mud_on_a_balanced_track(tmp_path):
    sound = music(balanced())
    before = {band.name: band for band in judged_sound(tmp_path, sound).bands}
    hurt = bell(sound, hz=BAND_CENTRES["low_mids"], q=1.4, gain_db=6.0)
    report = judged_sound(tmp_path, hurt)
    after = {band.name: band for band in report.bands}
    rise = after["low_mids"].level_db - before["low_mids"].level_db
    assert 3.0 < rise < 6.5
    room = before["low_mids"].p90 - before["low_mids"].level_db
    expected = max(0.0, rise - room)
    assert after["low_mids"].outside_db == pytest.approx(expected, abs=0.02)


def test_the_moves_leave_the_loudness_as_it_was(tmp_path):
    hurt = bell(music(balanced()), hz=BAND_CENTRES["low_mids"], q=1.0, gain_db=12.0)
    report = judged_sound(tmp_path, hurt)
    gains = {f.id.removeprefix("tonal_"): f.advice.gain_db or 0.0 for f in report.findings}
    assert any(gains.values())
    power = {band.name: 10 ** (band.measured_db / 10) for band in report.bands}
    changed = sum(
        p * 10 ** ((gains.get(n, 0.0) + report.output_gain_db) / 10) for n, p in power.items()
    )
    assert 10 * np.log10(changed / sum(power.values())) == pytest.approx(0.0, abs=0.02)


def test_no_moves_need_no_gain():
    report = judged(measured(demo_tracks()[balanced()].path))
    assert output_gain_db([], report.bands) == 0.0


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


def stored(number: int, *, genre: str) -> dict:
    """The parts of a stored report that judging again reads."""
    sound = measured(demo_tracks()[number].path)
    loudness = asdict(sound.loudness)
    loudness["peak_to_loudness_lu"] = loudness.pop("plr_lu")
    document = {
        "file": asdict(sound.info),
        "loudness": {**loudness, **asdict(sound.levels)},
        "stereo": asdict(sound.stereo),
        "spectrum": asdict(sound.spectrum),
        "mix": asdict(judged(sound, genre=genre)),
    }
    return json.loads(json.dumps(document))


@pytest.mark.parametrize("number", [0, 9, 17, 27])
def test_judging_a_stored_report_again_is_as_good_as_judging_the_sound(number):
    again = rejudge(stored(number, genre="metal"), genre="jazz", targets=load_targets())
    fresh = asdict(judged(measured(demo_tracks()[number].path), genre="jazz"))
    assert json.loads(json.dumps(again)) == json.loads(json.dumps(fresh))
