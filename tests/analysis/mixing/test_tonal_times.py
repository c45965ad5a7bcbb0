"""The stretch of time in which a band stands out most."""

from __future__ import annotations

import numpy as np
import pytest

from analysis.mixing.tonal_times import strongest_stretch


def course(**bands: list[float]) -> dict[str, list[float]]:
    n = len(next(iter(bands.values())))
    return {"mids": [-3.0] * n, "low_mids": [-9.0] * n, **bands}


def test_a_verse_with_a_build_up_is_named():
    low_mids = [-9.0] * 60
    low_mids[20:35] = [-4.0] * 15
    start, end = strongest_stretch(
        course(low_mids=low_mids), step_s=1.0, band="low_mids", too_much=True
    )
    assert start == pytest.approx(20, abs=2)
    assert end == pytest.approx(35, abs=2)


def test_a_hollow_place_is_named_where_it_is_too_little():
    low_mids = [-9.0] * 60
    low_mids[40:50] = [-18.0] * 10
    found = strongest_stretch(
        course(low_mids=low_mids), step_s=1.0, band="low_mids", too_much=False
    )
    assert found == (pytest.approx(40, abs=3), pytest.approx(50, abs=3))
    assert (
        strongest_stretch(course(low_mids=low_mids), step_s=1.0, band="mids", too_much=False)
        is None
    )


def test_steps_need_not_be_seconds():
    low_mids = [-9.0] * 120
    low_mids[40:70] = [-4.0] * 30
    start, end = strongest_stretch(
        course(low_mids=low_mids), step_s=0.5, band="low_mids", too_much=True
    )
    assert (start, end) == (pytest.approx(20, abs=2), pytest.approx(35, abs=2))


@pytest.mark.parametrize(
    "low_mids",
    [[-9.0] * 60, [-4.0] * 60, [-9.0] * 10 + [-4.0] * 45 + [-9.0] * 5, [-9.0] * 5],
    ids=["even", "even and loud", "most of the track", "short"],
)
def test_what_is_so_all_along_has_no_stretch(low_mids):
    assert (
        strongest_stretch(course(low_mids=low_mids), step_s=1.0, band="low_mids", too_much=True)
        is None
    )


def test_a_quiet_ending_does_not_count():
    low_mids, mids = np.full(60, -9.0), np.full(60, -3.0)
    low_mids[50:], mids[50:] = -45.0, -70.0
    found = strongest_stretch(
        {"mids": list(mids), "low_mids": list(low_mids)}, step_s=1.0, band="low_mids", too_much=True
    )
    assert found is None


def test_an_unknown_band_has_none():
    bands = course(low_mids=[-9.0] * 60)
    assert strongest_stretch(bands, step_s=1.0, band="brilliance", too_much=True) is None
