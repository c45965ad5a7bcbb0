"""What a heat map says in numbers: bands, sections, hot range, regions."""

import librosa
import numpy as np
import pytest

from analysis.neural.attention import attention, regions, row_edges_hz
from analysis.sound.mel import COLUMNS_PER_SECOND, mel_frequencies_hz

FREQUENCIES = mel_frequencies_hz()


def seconds(at: float) -> int:
    return round(at * COLUMNS_PER_SECOND)


def blank(duration_s: float = 60.0):
    return np.zeros((128, seconds(duration_s)), dtype=np.float32)


def rows(low: float, high: float):
    return (low <= FREQUENCIES) & (high > FREQUENCIES)


def test_row_borders_lie_half_way_between_the_bands_on_the_mel_scale():
    expected = librosa.mel_to_hz(
        np.linspace(0, librosa.hz_to_mel(11_025), 130)[:-1] + librosa.hz_to_mel(11_025) / 129 / 2
    )
    np.testing.assert_allclose(row_edges_hz(), expected, rtol=2e-3)


def test_an_even_map_gives_every_place_its_fair_share():
    found = attention(np.ones((128, 900), dtype=np.float32), [(0, 300), (300, 900)])
    assert sum(one.share for one in found.bands) == pytest.approx(1.0)
    assert [one.lift for one in found.bands] == pytest.approx([1.0] * 7)
    assert [one.share for one in found.sections] == pytest.approx([1 / 3, 2 / 3])
    assert [one.lift for one in found.sections] == pytest.approx([1.0, 1.0])
    assert found.start_s == 0.0
    assert found.end_s == pytest.approx(900 / COLUMNS_PER_SECOND)


def test_shares_and_the_hot_range_are_where_the_heat_is():
    heat = blank()
    heat[rows(60, 250), seconds(20) : seconds(30)] = 3.0
    heat[rows(4_000, 6_000), seconds(40) : seconds(50)] = 0.2
    found = attention(heat, [(0, seconds(20)), (seconds(20), seconds(30)), (seconds(30), 774)])
    low, high = (heat[rows(*band)].sum() / heat.sum() for band in ((60, 250), (4_000, 6_000)))
    assert found.band_shares["bass"] == pytest.approx(low)
    assert found.band_shares["presence"] == pytest.approx(high)
    assert found.band == "bass"
    assert (found.start_s, found.end_s) == pytest.approx((20.0, 30.0), abs=0.05)
    assert found.section_share == pytest.approx(low)
    # Evenly spread over its rows, 60 % of the heat needs 60 % of them, 25.8 Hz each.
    needed = np.ceil(0.6 * rows(60, 250).sum())
    assert found.high_hz - found.low_hz == pytest.approx(needed * 25.8, abs=3)
    assert 50 < found.low_hz < found.high_hz < 265


def test_neighbouring_hot_sections_are_one_stretch():
    heat = blank(40)
    heat[10:20, seconds(10) : seconds(30)] = 1.0
    spans = [(seconds(at), seconds(at + 10)) for at in (0, 10, 20, 30)]
    found = attention(heat, spans)
    assert (found.start_s, found.end_s) == pytest.approx((10, 30), abs=0.1)


def test_an_empty_map_has_nothing_to_say():
    assert attention(blank()) is None
    assert regions(blank()) == []


def test_regions_are_found_hottest_first():
    heat = blank()
    heat[rows(40, 200), seconds(5) : seconds(9)] = 1.0
    heat[rows(3_000, 7_000), seconds(30) : seconds(35)] = 0.6
    first, second = regions(heat)[:2]
    assert (second.start_s, second.end_s) == pytest.approx((5, 9), abs=1.0)
    assert second.low_hz < 60
    assert second.high_hz == pytest.approx(200, rel=0.35)
    assert (first.start_s, first.end_s) == pytest.approx((30, 35), abs=1.0)
    assert (first.low_hz, first.high_hz) == pytest.approx((3_000, 7_000), rel=0.15)
    heats = heat[rows(3_000, 7_000)].sum(), heat[rows(40, 200)].sum()
    assert first.share == pytest.approx(heats[0] / sum(heats), rel=0.1)
    assert second.share == pytest.approx(heats[1] / sum(heats), rel=0.1)


def test_regions_can_be_looped_and_never_count_heat_twice():
    heat = np.random.default_rng(2).random((128, 500)).astype(np.float32) ** 3
    found = regions(heat)
    assert 1 <= len(found) <= 5
    assert sum(region.share for region in found) <= 1.0
    for region in found:
        assert 1.9 <= region.end_s - region.start_s <= 12.1
        assert 20 <= region.low_hz < region.high_hz <= 11_025


def test_a_second_of_sound_is_enough():
    heat = np.random.default_rng(2).random((128, 13)).astype(np.float32)
    assert attention(heat, [(0, 13)]) is not None
    assert all(0 <= one.start_s < one.end_s <= 1.01 for one in regions(heat))
