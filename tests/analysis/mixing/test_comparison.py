"""Two versions of one mix: what went, what came, what moved."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import scipy.signal

from analysis.mixing import load_targets
from analysis.mixing.comparison import (
    NotComparable,
    against_one_target,
    compare,
    matched,
)
from analysis.mixing.spectrum_comparison import compare_spectra
from analysis.sound.equaliser import Move, response_db
from analysis.sound.k_weighting import k_weighting_power, k_weighting_sos
from tests.analysis.mixing.mixes import RATE
from tests.analysis.mixing.reports import mix_document


def finding(
    id: str,
    amount_db: float | None = None,
    *,
    hz: float | None = None,
    low_hz: float | None = None,
    high_hz: float | None = None,
    start_s: float | None = None,
    severity: str = "advice",
    category: str = "tonal",
) -> dict[str, Any]:
    return {
        "id": id,
        "category": category,
        "severity": severity,
        "title": f"{id} {hz or ''}",
        "explanation": "",
        "where": {"low_hz": low_hz, "high_hz": high_hz, "start_s": start_s, "end_s": start_s},
        "amount_db": amount_db,
        "confidence": 1.0,
        "advice": {"text": "", "type": None, "freq_hz": hz, "q": None, "gain_db": None},
    }


def band(name: str, low_hz: float, high_hz: float, level_db: float, outside_db: float = 0.0):
    return {
        "name": name,
        "label": name,
        "low_hz": low_hz,
        "high_hz": high_hz,
        "level_db": level_db,
        "p10": -10.0,
        "median": -7.0,
        "p90": -4.0,
        "outside_db": outside_db,
    }


def report(findings=(), bands=(), *, genre: str = "jazz", **figures: float | None) -> dict:
    loudness = {
        "integrated_lufs": -14.0,
        "true_peak_dbtp": -1.5,
        "loudness_range_lu": 6.0,
        "peak_to_loudness_lu": 12.5,
    }
    return {
        "mix": {"genre": genre, "findings": list(findings), "bands": list(bands)},
        "loudness": loudness | {k: v for k, v in figures.items() if k != "correlation"},
        "stereo": {"correlation": figures.get("correlation", 0.8)},
    }


def ids(findings) -> list[str]:
    return [one["id"] for one in findings]


class TestFindings:
    def test_gone_come_and_stayed(self):
        old = report([finding("tonal_bass", 4.0), finding("true_peak", 0.8)])
        new = report([finding("true_peak", 0.3), finding("clipping")])
        found = compare(old, new)
        assert ids(one.finding for one in found.gone) == ["tonal_bass"]
        assert ids(found.come) == ["clipping"]
        (stayed,) = found.stayed
        assert (stayed.before["amount_db"], stayed.after["amount_db"]) == (0.8, 0.3)
        assert stayed.trend == "better"

    def test_equal_reports_differ_in_nothing(self):
        same = report([finding("tonal_bell", 3.0, hz=310), finding("tonal_bell", 2.0, hz=3_000)])
        found = compare(same, same)
        assert (found.gone, found.come) == ([], [])
        assert [one.trend for one in found.stayed] == ["same", "same"]

    @pytest.mark.parametrize(
        ("hz", "is_same"), [(310, True), (390, True), (392, False), (247, True), (245, False)]
    )
    def test_a_third_of_an_octave_is_the_same_place(self, hz, is_same):
        # 310 Hz times and over 2 to the third: 390.6 and 246.0 Hz.
        old, new = finding("tonal_bell", 3.0, hz=310), finding("tonal_bell", 3.0, hz=hz)
        assert bool(matched([old], [new])) is is_same

    def test_several_of_one_kind_are_paired_with_the_nearest(self):
        old = [finding("tonal_bell", 3.0, hz=hz) for hz in (300, 360)]
        new = [finding("tonal_bell", 2.0, hz=hz) for hz in (350, 4_000, 305)]
        assert sorted(matched(old, new)) == [(0, 2), (1, 0)]

    def test_a_place_may_come_from_the_range(self):
        old = finding("hum", low_hz=45, high_hz=55, category="technical")
        assert matched([old], [finding("hum", low_hz=55, high_hz=66, category="technical")])
        assert not matched([old], [finding("hum", low_hz=90, high_hz=110, category="technical")])

    def test_times_decide_between_equal_places(self):
        old = [finding("silence", start_s=0.0), finding("silence", start_s=60.0)]
        new = [finding("silence", start_s=59.0), finding("silence", start_s=1.0)]
        assert sorted(matched(old, new)) == [(0, 1), (1, 0)]

    def test_too_loud_is_not_too_quiet(self):
        found = compare(report([finding("tonal_bass", 3.0)]), report([finding("tonal_bass", -2.0)]))
        assert (len(found.gone), len(found.come), len(found.stayed)) == (1, 1, 0)

    def test_without_an_amount_the_severity_tells(self):
        old = finding("clipping", severity="warning", category="technical")
        new = finding("clipping", severity="advice", category="technical")
        assert compare(report([old]), report([new])).stayed[0].trend == "better"
        assert compare(report([new]), report([old])).stayed[0].trend == "worse"

    @pytest.mark.parametrize(
        ("before", "after", "trend"),
        [(3.0, 2.9, "better"), (3.0, 2.95, "same"), (-2.0, -2.4, "worse"), (-2.0, -1.0, "better")],
    )
    def test_what_lies_further_outside_is_worse(self, before, after, trend):
        old, new = report([finding("x", before)]), report([finding("x", after)])
        assert compare(old, new).stayed[0].trend == trend

    def test_what_is_only_no_longer_listed_is_said(self):
        gone = report([finding("tonal_bell", 3.0, hz=122)])

        def rest(outside_db: float) -> float | None:
            bands = [band("bass", 60, 250, 0, outside_db), band("mids", 250, 2_000, 0, 5.0)]
            return compare(gone, report(bands=bands)).gone[0].still_outside_db

        assert rest(0.7) == 0.7
        assert rest(0.0) is None
        assert rest(-0.7) is None

    def test_different_targets_are_refused(self):
        with pytest.raises(ValueError, match=r"'jazz' and 'pop'"):
            compare(report(genre="jazz"), report(genre="pop"))


class TestBandsAndFigures:
    def test_nearer_to_the_corridor_is_better(self):
        old = [
            band("sub", 20, 60, -1.0, 3.0),
            band("bass", 60, 250, -6.0),
            band("mids", 0, 1, -3, 1),
        ]
        new = [
            band("sub", 20, 60, -3.0, 1.0),
            band("bass", 60, 250, -5.0),
            band("mids", 0, 1, -2, 2),
        ]
        changes = compare(report(bands=old), report(bands=new)).bands
        assert [one.change_db for one in changes] == [None, None, None]
        assert [one.trend for one in changes] == ["better", None, "worse"]

    @pytest.mark.parametrize(
        ("name", "before", "after", "trend"),
        [
            ("integrated_lufs", -14.0, -8.0, None),
            ("loudness_range_lu", 3.0, 9.0, None),
            ("true_peak_dbtp", 0.4, -1.2, "better"),
            ("true_peak_dbtp", -3.0, -1.2, None),
            ("true_peak_dbtp", -1.2, -0.2, "worse"),
            ("peak_to_loudness_lu", 6.0, 7.5, "better"),
            ("peak_to_loudness_lu", 9.0, 14.0, None),
            ("correlation", -0.3, 0.6, "better"),
            ("correlation", 0.9, 0.2, None),
        ],
    )
    def test_a_direction_is_better_only_where_that_is_known(self, name, before, after, trend):
        changes = compare(report(**{name: before}), report(**{name: after})).figures
        change = next(one for one in changes if one.name == name)
        assert change.change == pytest.approx(after - before)
        assert change.trend == trend

    def test_what_was_not_measured_has_no_change(self):
        changes = compare(report(loudness_range_lu=None), report()).figures
        change = next(one for one in changes if one.name == "loudness_range_lu")
        assert (change.before, change.after, change.change, change.trend) == (None, 6.0, None, None)


def test_the_ears_weighting_is_that_of_the_meter():
    hz = np.geomspace(20, 15_000, 60)
    _, meter = scipy.signal.sosfreqz(k_weighting_sos(192_000), worN=hz, fs=192_000)
    np.testing.assert_allclose(k_weighting_power(hz, 192_000), np.abs(meter) ** 2, rtol=1e-6)


class TestSpectra:
    def test_a_louder_version_of_the_same_sound_draws_the_same_curve(self):
        hz = list(20 * 2 ** (np.arange(60) / 6))
        levels = list(-10 - 0.3 * np.arange(60))
        quiet = {"frequencies_hz": hz, "levels_db": levels}
        loud = {"frequencies_hz": hz, "levels_db": [level + 6 for level in levels]}
        assert compare_spectra(quiet, loud).difference_db == pytest.approx([0.0] * 60, abs=0.01)

    def test_a_bands_level_is_the_power_of_its_points(self):
        hz = list(20 * 2 ** (np.arange(60) / 6))
        old = {"frequencies_hz": hz, "levels_db": [-20.0] * 60}
        new = {"frequencies_hz": hz, "levels_db": [-20.0] * 24 + [-14.0] * 6 + [-20.0] * 30}
        pair = compare_spectra(old, new)
        edge = hz[24] * 2 ** (-1 / 12)
        before, after = pair.band_levels_db(edge, 2 * edge)
        assert before - pair.before_db[0] == pytest.approx(10 * np.log10(6), abs=0.05)
        assert after - before == pytest.approx(6 + pair.after_db[0] - pair.before_db[0], abs=0.05)
        assert pair.band_levels_db(22_000, 40_000) is None

    def test_where_neither_is_heard_there_is_no_difference(self):
        hz = list(20 * 2 ** (np.arange(60) / 6))
        old = {"frequencies_hz": hz, "levels_db": [-10.0] * 50 + [-95.0] * 10}
        new = {"frequencies_hz": hz, "levels_db": [-10.0] * 50 + [-80.0] * 10}
        pair = compare_spectra(old, new)
        assert pair.difference_db[50:] == [None] * 10
        assert pair.most_changed()[1] == pytest.approx(0.0, abs=0.05)

    def test_only_what_both_have_is_compared(self):
        hz = 20 * 2 ** (np.arange(60) / 6)
        wide = {"frequencies_hz": list(hz), "levels_db": [-10.0] * 60}
        narrow = {"frequencies_hz": list(np.round(hz[:50], 2)), "levels_db": [-10.0] * 50}
        assert len(compare_spectra(wide, narrow).frequencies_hz) == 50
        assert len(compare_spectra(narrow, wide).frequencies_hz) == 50
        assert compare_spectra(wide, {}) is None


PRESENCE = Move("bell", 3_000.0, 9.0, 0.8)


class TestRealMixes:
    def test_the_difference_curve_is_the_equaliser_that_was_used(self):
        old, new = mix_document(), mix_document((PRESENCE,), gain=0.4)
        pair = compare_spectra(old["spectrum"], new["spectrum"])
        hz = np.array(pair.frequencies_hz)
        drawn = np.array([np.nan if one is None else one for one in pair.difference_db])
        used = response_db([PRESENCE], hz, RATE)
        heard = ~np.isnan(drawn)
        assert heard.sum() > 40
        # At equal loudness all of the boosted version is a little quieter: one constant.
        shift = np.median(drawn[heard] - used[heard])
        loudness = [one["loudness"]["integrated_lufs"] for one in (old, new)]
        assert shift == pytest.approx(loudness[0] - loudness[1] + 20 * np.log10(0.4), abs=0.7)
        # Filtering inside a sixth of an octave is not flat: half a decibel.
        np.testing.assert_allclose(drawn[heard] - shift, used[heard], atol=0.6)
        assert pair.most_changed()[0] == pytest.approx(3_000, rel=0.15)

    def test_an_injury_comes_and_a_cure_goes(self):
        targets = load_targets()
        both = [mix_document(), mix_document((PRESENCE,), gain=0.4)]
        healthy, injured = against_one_target(both, genre="any", targets=targets)
        worse, better = compare(healthy, injured), compare(injured, healthy)
        tonal = [one for one in worse.come if one["category"] == "tonal"]
        assert any((one["amount_db"] or 0) > 0 for one in tonal), ids(worse.come)
        assert ids(one.finding for one in better.gone) == ids(worse.come)
        changed = {one.name: one.change_db for one in worse.bands}
        # The move, averaged over the band, less what the whole is turned down by.
        moved = response_db([PRESENCE], np.geomspace(2_000, 4_000, 50), RATE)
        turned_down = (
            injured["loudness"]["integrated_lufs"] - healthy["loudness"]["integrated_lufs"]
        )
        turned_down -= 20 * np.log10(0.4)
        assert changed["high_mids"] == pytest.approx(moved.mean() - turned_down, abs=0.8)
        assert max(changed, key=changed.get) == "high_mids"
        assert changed["sub"] == pytest.approx(-turned_down, abs=0.7)

    def test_both_are_judged_against_one_target(self):
        old, new = mix_document(), mix_document((PRESENCE,), gain=0.4)
        judged_both = against_one_target([old, new], genre="metal", targets=load_targets())
        assert [one["mix"]["genre"] for one in judged_both] == ["metal", "metal"]
        assert compare(*judged_both).target == "metal"
        assert old["mix"]["genre"] == "any"
        same = against_one_target([old, new], genre="any", targets=load_targets())
        assert same[0]["mix"] is old["mix"]

    def test_a_report_from_before_curves_were_kept_says_so(self):
        found = mix_document()
        old = {**found, "mix": {**found["mix"], "curve": None}}
        for pair in ([old, found], [found, old], [old, old]):
            with pytest.raises(NotComparable):
                against_one_target(pair, genre="metal", targets=load_targets())
        with pytest.raises(NotComparable):
            against_one_target([old, found], genre="any", targets=load_targets())

    def test_an_unreadable_report_says_so(self):
        old = {"mix": {"genre": "pop", "bands": [], "findings": []}}
        with pytest.raises(NotComparable):
            against_one_target([old, mix_document()], genre="any", targets=load_targets())
