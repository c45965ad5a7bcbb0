"""The report's charts place numbers where a reader expects them."""

from __future__ import annotations

import itertools

import pytest

from analysis.charts import clock, genre_strip, loudness_chart, time_ticks, tonal_chart


def band(level_db: float, *, p10: float = -14, median: float = -10, p90: float = -7) -> dict:
    outside = max(0.0, level_db - p90) or min(0.0, level_db - p10)
    return {
        "name": "mids",
        "label": "Mids",
        "low_hz": 500,
        "high_hz": 2_000,
        "level_db": level_db,
        "p10": p10,
        "median": median,
        "p90": p90,
        "outside_db": outside,
    }


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0, "0:00"), (59.99, "0:59"), (200.4, "3:20"), (3_600, "1:00:00"), (3_661, "1:01:01")],
)
def test_clock(seconds: float, text: str) -> None:
    assert clock(seconds) == text


def test_clock_of_nothing_is_a_dash() -> None:
    assert clock(None) == clock(float("nan")) == "–"


@pytest.mark.parametrize("duration_s", [1.2, 31.7, 200.0, 3_599.0])
def test_time_ticks_are_few_evenly_spaced_and_inside(duration_s: float) -> None:
    ticks = time_ticks(duration_s)
    assert 2 <= len(ticks) <= 10
    assert ticks[0].label == "0:00"
    assert ticks[0].percent == 0
    gaps = {round(b.percent - a.percent, 6) for a, b in itertools.pairwise(ticks)}
    assert len(gaps) == 1
    assert all(0 <= tick.percent < 97 for tick in ticks)


def test_time_tick_stands_at_its_time() -> None:
    tick = next(tick for tick in time_ticks(200.0) if tick.label == "1:30")
    assert tick.percent == pytest.approx(45.0)


def test_genre_strip_joins_neighbours_and_weighs_their_confidence() -> None:
    course = [
        {"start_s": 0, "end_s": 10, "label": "jazz", "confidence": 0.4},
        {"start_s": 10, "end_s": 40, "label": "jazz", "confidence": 0.8},
        {"start_s": 40, "end_s": 60, "label": "pop", "confidence": 0.5},
    ]
    jazz, pop = genre_strip(course, duration_s=50)
    assert (jazz.label, jazz.start, jazz.width) == ("jazz", 0, 80)
    assert jazz.confidence == pytest.approx(0.7)
    assert (pop.start, pop.width, pop.end_s) == (80, 20, 50)


def test_overlapping_windows_do_not_overlap_on_the_strip() -> None:
    course = [
        {"start_s": 0, "end_s": 10, "label": "rock", "confidence": 1},
        {"start_s": 5, "end_s": 15, "label": "metal", "confidence": 1},
    ]
    rock, metal = genre_strip(course, duration_s=15)
    assert rock.end_s == metal.start_s == 5


def test_a_band_at_the_median_lies_on_the_zero_line() -> None:
    column = tonal_chart([band(-10)]).columns[0]
    assert column.level_y == column.median_y == 50
    assert not column.is_outside


def test_louder_is_higher_and_outside_lies_beyond_the_corridor() -> None:
    over, under = tonal_chart([band(-4), band(-17)]).columns
    assert over.level_y < over.corridor_y
    assert under.level_y > under.corridor_y + under.corridor_height
    assert over.is_outside
    assert under.is_outside


def test_tonal_ticks_stand_at_their_decibels() -> None:
    chart = tonal_chart([band(-10)])
    assert [tick.label for tick in chart.ticks] == ["+6", "+3", "0", "−3", "−6"]
    # 9 dB are half the height, so 3 dB are a sixth of 100 %.
    assert chart.ticks[1].percent == pytest.approx(50 - 100 / 6)


def test_a_wild_band_stays_on_the_chart() -> None:
    assert 0 <= tonal_chart([band(60)]).columns[0].level_y <= 100


def test_columns_and_lines_fit_the_width() -> None:
    chart = tonal_chart([band(-10)] * 7)
    assert len(chart.lines) == 6
    assert chart.columns[0].left > 0
    assert chart.columns[-1].left + chart.columns[-1].width < 100


def test_no_bands_make_an_empty_chart() -> None:
    assert tonal_chart([]).columns == []


def test_a_steady_curve_lies_on_its_integrated_line() -> None:
    chart = loudness_chart([-14.0] * 5, integrated_lufs=-14.0)
    assert chart is not None
    heights = {float(point.split()[1]) for point in chart.line.lstrip("M").split(" L")}
    assert heights == {round(chart.integrated or 0, 2)}


def test_silence_leaves_a_gap_in_the_curve() -> None:
    chart = loudness_chart([-14, -14, None, -12, -12], integrated_lufs=-13)
    assert chart is not None
    assert chart.line.count("M") == 2
    assert chart.area.count("Z") == 2


def test_the_curve_ends_at_both_edges() -> None:
    chart = loudness_chart([-20, -14, -9], integrated_lufs=-12)
    assert chart is not None
    assert chart.line.startswith("M0.0 ")
    assert " L1000.0 " in chart.line


@pytest.mark.parametrize("values", [[], [None, None], [-14.0]])
def test_too_little_sound_draws_nothing(values: list) -> None:
    assert loudness_chart(values, integrated_lufs=None) is None


def test_the_momentary_curve_shares_the_axis_and_the_time():
    """Twice as many values over the same time: half way is in the middle of both."""
    chart = loudness_chart(
        [-20.0, -20.0, -20.0],
        integrated_lufs=-20.0,
        momentary_lufs=[-20.0] * 2 + [-11.0] + [-20.0] * 2,
    )
    points = [tuple(map(float, pair.split())) for pair in chart.momentary[1:].split(" L")]
    assert points[2][0] == 500.0
    assert points[2][1] < points[0][1] == float(chart.line[1:].split(" L")[0].split()[1])
    assert loudness_chart([-20.0, -20.0], integrated_lufs=None).momentary == ""
