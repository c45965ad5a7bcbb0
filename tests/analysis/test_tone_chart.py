"""The tonal curve and the correlation strip: places on the page for frequencies, levels, times."""

from __future__ import annotations

import math
import re

import numpy as np
import pytest

from analysis.frequency_axis import HIGHEST_HZ
from analysis.mixing import load_targets
from analysis.mixing.judge import curve_verdict
from analysis.stereo_chart import correlation_chart
from analysis.tone_chart import LOWEST_HZ, tone_chart


def mix(*, raised: dict[int, float] | None = None, findings: list | None = None) -> dict:
    """A mix on the median of rock, some points of its curve raised."""
    target = load_targets().of("rock")
    n = load_targets().tonal.frequencies_hz.size
    levels = [
        level + (raised or {}).get(at, 0.0) for at, level in enumerate(target.curve.median_db[:n])
    ]
    curve = curve_verdict(levels, target)
    return {"curve": {**curve.__dict__}, "findings": findings or []}


def points(path: str) -> np.ndarray:
    return np.array([[float(v) for v in pair] for pair in re.findall(r"([\d.]+) ([\d.]+)", path)])


def test_a_mix_like_its_target_is_a_line_at_zero():
    chart = tone_chart(mix(), None)
    assert points(chart.line)[:, 1] == pytest.approx(50.0)
    assert chart.beyond == ""
    assert chart.spots == []


def test_octaves_are_equally_wide():
    chart = tone_chart(mix(), None)
    at = {tick.label: tick.percent for tick in chart.hertz}
    octave = 100 / math.log2(HIGHEST_HZ / LOWEST_HZ)
    assert at["200"] - at["100"] == pytest.approx(octave)
    assert at["10k"] - at["5k"] == pytest.approx(octave)


def test_a_raised_point_stands_its_decibels_higher():
    chart = tone_chart(mix(raised={12: 6.0}), None)
    by_label = {tick.label: tick.percent for tick in chart.decibels}
    raised, zero = points(chart.line)[12, 1], by_label["0"]
    ticks = [(label, y) for label, y in by_label.items() if label.startswith("+")]
    label, y = ticks[0]
    assert (zero - raised) / (zero - y) == pytest.approx(6.0 / float(label), abs=1e-3)


def test_the_corridor_ends_where_measuring_ends_and_the_model_goes_on():
    chart = tone_chart(mix(), None)
    corridor, model = points(chart.corridor), points(chart.model)
    assert corridor[:, 0].max() == pytest.approx(10 * chart.measured_to, abs=0.1)
    assert model[:, 0].min() == pytest.approx(10 * chart.measured_to, abs=0.1)
    assert model[:, 0].max() > 950


def test_above_the_picture_the_full_spectrum_continues_the_line():
    """A spectrum like the target's slope, but 6 dB louder above 10 kHz, in other units of level."""
    curve = load_targets().of("rock").curve
    fine = 20.0 * 2.0 ** (np.arange(60) / 6)
    thirds = np.interp(np.log(fine), np.log(curve.frequencies_hz), curve.median_db)
    levels = thirds - 3.01 + 17.0 + np.where(fine > 10_500, 6.0, 0.0)
    chart = tone_chart(mix(), {"frequencies_hz": list(fine), "levels_db": list(levels)})
    by_label = {tick.label: tick.percent for tick in chart.decibels}
    label, y = next((k, v) for k, v in by_label.items() if k.startswith("+"))
    last = points(chart.beyond)[-1, 1]
    assert (50 - last) / (50 - y) * float(label) == pytest.approx(6.0, abs=1.5)


def test_findings_stand_on_the_line():
    finding = {
        "id": "tonal_low_mids",
        "category": "tonal",
        "title": "Build-up around 320 Hz",
        "amount_db": 2.0,
        "where": {"low_hz": 226.0, "high_hz": 452.0},
        "advice": {"freq_hz": 320.0},
    }
    chart = tone_chart(mix(raised={9: 5.0}, findings=[finding]), None)
    (spot,) = chart.spots
    assert spot.is_high
    assert spot.left < spot.x < spot.left + spot.width
    assert spot.y == pytest.approx(points(chart.line)[9, 1], abs=0.5)


def test_a_report_without_a_curve_has_no_chart():
    assert tone_chart({"findings": []}, None) is None


def test_correlation_runs_from_minus_one_to_one():
    chart = correlation_chart([1.0, 0.0, -1.0, 0.5], duration_s=4.0)
    assert points(chart.line)[:, 1] == pytest.approx([0, 50, 100, 25])
    (stretch,) = chart.negative
    assert (stretch.start_s, stretch.end_s) == (2.0, 3.0)
    assert (stretch.start, stretch.width) == (50.0, 25.0)


def test_silence_breaks_the_strip():
    chart = correlation_chart([0.2, 0.3, None, -0.1, -0.2], duration_s=4.5)
    assert chart.line.count("M") == 2
    assert [(part.start_s, part.end_s) for part in chart.negative] == [(3.0, 4.5)]


@pytest.mark.parametrize("curve", [[], [0.5], [1.0, 1.0, 1.0], [None, None]])
def test_mono_and_nothing_have_no_strip(curve):
    assert correlation_chart(curve, duration_s=3.0) is None
