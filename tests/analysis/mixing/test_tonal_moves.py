"""Which equaliser moves explain how a curve differs from its target."""

from __future__ import annotations

import numpy as np
import pytest

from analysis.mixing import load_targets
from analysis.mixing.tonal import band_of, without_conflicts
from analysis.mixing.tonal_moves import Deviation, Reach, TonalModel, level_free, move_library
from analysis.sound.equaliser import Move, response_db

RATE = 44_100


def wide_reach(db: float = 2.0) -> Reach:
    n = len(move_library())
    return Reach(p10_db=[-db] * n, p90_db=[db] * n)


def curve_of(*moves: Move) -> np.ndarray:
    return response_db(moves, load_targets().tonal.frequencies_hz, RATE)


@pytest.mark.parametrize("gain_db", [-6.0, 6.0])
@pytest.mark.parametrize("freq_hz", [90.0, 250.0, 700.0, 2_200.0, 5_000.0])
def test_a_bell_is_found_where_it_is(freq_hz, gain_db):
    model = load_targets().tonal
    found = model.explain(
        curve_of(Move("bell", freq_hz, gain_db, 1.0)), wide_reach(), smallest_db=1
    )
    assert found[0].move.type == "bell"
    assert abs(np.log2(found[0].move.freq_hz / freq_hz)) <= 1 / 3
    assert found[0].size_db == pytest.approx(gain_db, abs=0.7)
    assert found[0].outside_db == pytest.approx(found[0].size_db - np.sign(gain_db) * 2.0)
    # What one move explains isn't said twice.
    assert len(found) == 1


def test_two_moves_are_told_apart():
    model = load_targets().tonal
    deviation = curve_of(Move("bell", 200.0, 7.0, 1.0), Move("bell", 3_000.0, -7.0, 1.0))
    found = sorted(
        model.explain(deviation, wide_reach(), smallest_db=1), key=lambda one: one.move.freq_hz
    )
    assert [np.sign(one.size_db) for one in found] == [1, -1]
    assert [one.move.freq_hz for one in found] == [
        pytest.approx(200, rel=0.26),
        pytest.approx(3_000, rel=0.26),
    ]


def test_level_alone_is_no_deviation():
    model = load_targets().tonal
    assert model.explain(np.full(24, 9.0), wide_reach(0.1), smallest_db=0.1) == []


def test_sizes_are_the_generalised_least_squares_estimate():
    """Beside numpy's plain least squares on whitened data: the textbook's other way."""
    model = load_targets().tonal
    deviation = level_free(np.random.default_rng(2).normal(size=24) * 3)
    noise = model.covariance + 0.3 * np.eye(24)
    whiten = np.linalg.inv(np.linalg.cholesky(noise))
    for at in (0, 7, 20, 25, 30):
        shape = whiten @ model.shapes[at]
        (expected,), *_ = np.linalg.lstsq(shape[:, None], whiten @ deviation, rcond=None)
        assert model.sizes_db(deviation)[at] == pytest.approx(expected)


def test_within_the_corridor_nothing_is_said():
    model = load_targets().tonal
    reach = load_targets().of("rock").moves
    for share in (0.0, 0.5, 0.9):
        for at, move in enumerate(move_library()):
            if move.type != "bell":
                continue
            deviation = model.shapes[at] * share * reach.p90_db[at]
            found = model.explain(deviation, reach, smallest_db=1.0)
            assert not [one for one in found if one.move == move]


def test_opposite_neighbours_do_not_fight():
    far = Deviation(Move("bell", 4_000.0, 1.0, 1.0), -2.0, -1.0)
    weak = Deviation(Move("bell", 400.0, 1.0, 1.0), -3.0, -1.0)
    strong = Deviation(Move("bell", 300.0, 1.0, 1.0), 5.0, 2.0)
    assert without_conflicts([weak, strong, far]) in ([strong, far], [strong, far])
    assert weak not in without_conflicts([far, weak, strong])


def test_shelves_belong_to_the_band_beyond_their_corner():
    assert band_of(Move("low_shelf", 80.0, 1.0)) == "sub"
    assert band_of(Move("high_shelf", 4_500.0, 1.0)) == "brilliance"
    assert band_of(Move("bell", 317.0, 1.0, 1.0)) == "low_mids"


def test_a_covariance_of_other_points_is_refused():
    with pytest.raises(ValueError, match="3 points"):
        TonalModel([100.0, 200.0, 400.0], np.eye(4))
